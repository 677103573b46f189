"""A million jobs, ten million runs: memory, start, punctuality and lists.

    prove_large.py [--only POINT ...]
"""

import contextlib
import sqlite3
import sys
import time
import urllib.parse

import load
import proving
from checker import instant_text
from client import Client
from processes import Receiver, Server
from prove_speed import add_steady_rows

JOBS = 1_000_000
RUNS = 10_000_000
RUN_JOBS = 10_000  # the runs belong to these
STEADY_S = 30
LIST_MAX_S = 0.2
RSS_MAX_MIB = 200


def large_jobs(receiver):
    """Half with H in fields of their own, half with an interval of their own: few are due soon."""
    hashed = ("H H * * *", "H H * * H", "H H H * *", "H H H H *")
    for number in range(JOBS):
        schedule = (hashed[number // 2 % len(hashed)] if number % 2
                    else f"@every {6 * 3600 + number // 2}s")
        yield load.http_job(f"large {number:07}", schedule, receiver.url("/large"),
                            labels={"team": f"t{number % 1000}"})


def rss_mib(server):
    return server.rss_kib() / 1024


def timed_lists(table, server, what, queries):
    """A row for each query: the slower of its first page and the page after."""
    api = Client(server, checks=False)
    for words, path, query in queries:
        worst, cursor, items = 0.0, None, 0
        for _ in range(2):
            more = {**query, "limit": 100, **({"cursor": cursor} if cursor else {})}
            begun = time.monotonic()
            answer = api.send("GET", path + "?" + urllib.parse.urlencode(more), timeout=60)
            worst = max(worst, time.monotonic() - begun)
            assert answer.status == 200, answer
            items += len(answer.json["items"])
            cursor = answer.json.get("next_cursor")
            if not cursor:
                break
        table.add(f"{what}: {words} ({items} items)", "<= 200 ms", f"{worst * 1000:.1f} ms",
                  worst <= LIST_MAX_S)
    api.close()


def prove_jobs(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        time.sleep(2)
        idle = rss_mib(server)
        took = load.post_all(server, "/v2/jobs/bulk", load.bulk_bodies(large_jobs(receiver)))
        table.add("1,000,000 jobs: created", "reported", f"{took:.1f} s")
        time.sleep(3)
        made = rss_mib(server) - idle
        table.add("1,000,000 jobs: VmRSS above idle, as created", f"<= {RSS_MAX_MIB} MiB",
                  f"{made:.0f} MiB", made <= RSS_MAX_MIB)
        server.kill()
        begun = time.monotonic()
        server.spawn().wait_ready(120)
        took = time.monotonic() - begun
        table.add("1,000,000 jobs: start after kill -9", "<= 3 s", f"{took:.2f} s", took <= 3)
        time.sleep(3)
        started = rss_mib(server) - idle
        table.add("1,000,000 jobs: VmRSS above idle, started", f"<= {RSS_MAX_MIB} MiB",
                  f"{started:.0f} MiB", started <= RSS_MAX_MIB)
        timed_lists(table, server, "list at 1,000,000 jobs", [
            ("all", "/v2/jobs", {}),
            ("by name prefix", "/v2/jobs", {"name_prefix": "large 05"}),
            ("by name prefix, none", "/v2/jobs", {"name_prefix": "nothing"}),
            ("by label", "/v2/jobs", {"label": "team=t77"}),
            ("by label, none", "/v2/jobs", {"label": "team=none"})])
        add_steady_rows(table, "steady beside 1,000,000 jobs",
                        load.steady(Client(server, checks=False), receiver, STEADY_S))
    finally:
        server.kill()
        receiver.stop()


def run_id(due_us, number):
    """A UUIDv7 of `due_us`: the ledger finds a run's row by the instant in its id."""
    spread = number * 0x9E3779B97F4A7C15 % 2**62
    return ((due_us // 1000) << 80 | 7 << 76 | 2 << 62 | spread).to_bytes(16)


def run_rows(runs, shards, begin, step):
    """Ended runs, in turn of the jobs of `shards` (job_no, shard); one in a thousand failed."""
    for number in range(runs):
        job, shard = shards[number % len(shards)]
        due = begin + number * step
        yield (run_id(due, number), job, shard, due, due, int(number % 1000 == 0), due, due + 500,
               due + 1500)


def add_runs(file, runs):
    """Runs over the last 25 days, each with an attempt, straight into the file of a stopped server;
    the first and last instant. Indexes are made after the rows: minutes less."""
    now = load.now_us()
    begin = now - 25 * 86400 * load.SECOND
    with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND "
                                   "tbl_name = 'run' AND sql IS NOT NULL").fetchall()
        shards = database.execute("SELECT job_no, shard FROM job ORDER BY job_no LIMIT ?",
                                  (RUN_JOBS,)).fetchall()
        database.execute("BEGIN")
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        database.executemany(
            "INSERT INTO run (id, job_no, shard, revision, kind, key, scheduled_at, due, state, "
            "verdict, reason, fence, attempt, send_at, failures, unknowns, first_attempt_at, "
            "ended_at) VALUES (?, ?, ?, 1, 0, '', ?, ?, 3, ?, 0, 1, 1, ?, 0, 0, ?, ?)",
            run_rows(runs, shards, begin, (now - begin) // runs))
        database.execute(
            "INSERT INTO attempt (run_no, number, revision, fence, fate, status, first_byte_at, "
            "ended_at, error, response) SELECT run_no, 1, 1, fence, 0, iif(verdict = 0, 200, 500), "
            "first_attempt_at, ended_at, '', x'6f6b' FROM run WHERE attempt = 1 ORDER BY run_no")
        for _, text in indexes:
            database.execute(text)
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return begin, now


def prove_runs(table, folder, given):
    server = Server(folder, "--log-level", "warning", "--runs-max", str(2 * RUNS)).start()
    try:
        jobs = (load.http_job(f"large {number:05}", "@every 366d", "http://127.0.0.1:9/")
                for number in range(RUN_JOBS))
        load.post_all(server, "/v2/jobs/bulk", load.bulk_bodies(jobs))
        server.stop()
        begun = time.monotonic()
        begin, end = add_runs(server.data / "cronally.db", RUNS)
        print(f"  {RUNS:,} runs written in {time.monotonic() - begun:.0f} s", file=sys.stderr)
        begun = time.monotonic()
        server.spawn().wait_ready(120)
        took = time.monotonic() - begun
        table.add("10,000,000 runs: start", "<= 3 s", f"{took:.2f} s", took <= 3)
        middle = (begin + end) // 2
        minute = {"since": instant_text(middle), "until": instant_text(middle + 60 * load.SECOND)}
        timed_lists(table, server, "list at 10,000,000 runs", [
            ("all", "/v2/runs", {}),
            ("since and until", "/v2/runs", minute),
            ("until, half way", "/v2/runs", {"until": instant_text(middle)}),
            ("of a job", "/v2/runs", {"job": "large 00077"}),
            ("of a job, failed", "/v2/runs", {"job": "large 00000", "verdict": "failed"}),
            ("of a job, succeeded", "/v2/runs", {"job": "large 00077", "verdict": "succeeded"}),
            ("failed", "/v2/runs", {"verdict": "failed"}),
            ("unknown, none", "/v2/runs", {"verdict": "unknown"}),
            ("open, none", "/v2/runs", {"state": "claimed"})])
    finally:
        server.kill()


POINTS = {"million-jobs": prove_jobs, "million-runs": prove_runs}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
