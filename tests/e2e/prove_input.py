"""What bad and slow clients may cost the others: a part of `tools/prove holds`."""

import json
import pathlib
import subprocess
import sys
import time

from checker import percentile
from client import Client
from processes import Server

CROWD = pathlib.Path(__file__).with_name("slow_clients.py")
SLOW = {"header": 500, "body": 250, "deaf": 250}
SECONDS = 40
HEALTHY_PER_S = 50
P99_MAX_MS = 100


def ask(client, number):
    """One healthy exchange, a write or a read in turn; its milliseconds and status."""
    begun = time.monotonic()
    if number % 2:
        answer = client.send("GET", "/v2/jobs?limit=10", timeout=10)
    else:
        body = {"name": f"healthy {time.monotonic_ns()}", "schedule": "@never",
                "target": {"type": "http", "url": "http://127.0.0.1:9/"}}
        answer = client.send("POST", "/v2/jobs", body, timeout=10)
    return (time.monotonic() - begun) * 1000, answer.status


def healthy(server, seconds):
    """Times of healthy requests, over kept and over new connections: (kept, new, failures)."""
    client = Client(server, checks=False)
    kept, new, failures = [], [], 0
    begun = time.monotonic()
    number = 0
    while time.monotonic() < begun + seconds:
        number += 1
        fresh = number % 4 == 0
        if fresh:
            client.close()
        try:
            took, status = ask(client, number)
            failures += status not in (200, 201)
        except OSError:
            took, failures = 10_000.0, failures + 1
        (new if fresh else kept).append(took)
        time.sleep(max(0.0, begun + number / HEALTHY_PER_S - time.monotonic()))
    client.close()
    return kept, new, failures


def prove_slow_clients(table, folder, given):
    """1,000 slow connections, renewed as they are closed: the healthy ones must not notice."""
    server = Server(folder, "--log-level", "warning").start()
    try:
        kept, new, failures = healthy(server, 5)
        table.add("slow clients: none; healthy p99, kept / new connection", "reported",
                  f"{percentile(kept, 0.99):.1f} / {percentile(new, 0.99):.1f} ms")
        flags = [word for kind, count in SLOW.items() for word in (f"--{kind}", str(count))]
        crowd = subprocess.Popen(
            [sys.executable, str(CROWD), server.address, str(SECONDS + 5), "--again", *flags],
            stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        crowd.stdout.readline()
        time.sleep(2)
        kept, new, failures = healthy(server, SECONDS)
        seen = json.loads(crowd.communicate(timeout=SECONDS + 60)[0])
        count = sum(SLOW.values())
        for words, values in (("kept", kept), ("new", new)):
            p99 = percentile(values, 0.99)
            table.add(f"slow clients: {count}; healthy p99, {words} connections",
                      f"< {P99_MAX_MS} ms",
                      f"{p99:.1f} ms (p50 {percentile(values, 0.5):.1f}, max {max(values):.1f}, "
                      f"{len(values)} requests)", p99 < P99_MAX_MS)
        table.add("slow clients: healthy requests that failed", "0", str(failures), failures == 0)
        told = [end["status"] for kind in ("header", "body") for end in seen[kind]
                if end["closed"] is not None]
        table.add("slow clients: closed, of these told 408", "all",
                  f"{len(told)}, {told.count(408)}", len(told) > 0 and set(told) == {408})
        table.add("slow clients: server's RSS at the end", "reported",
                  f"{server.rss_kib() / 1024:.0f} MiB")
    finally:
        server.kill()


POINTS = {"slow-clients": prove_slow_clients}
