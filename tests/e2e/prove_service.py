"""The promises of the service, measured: point, bound, figure, holds or not.

    prove_service.py [--only POINT ...] [--kills 50] [--seed 1]

Run it through `tools/prove service`. Beside each figure of speed stands a peer of the same
run: the same number of requests to the same receiver by libcurl alone (bench/bare_post).
"""

import random
import subprocess
import sys
import time

import kill_run
import load
import proving
from checker import instant_text, instant_us, percentile
from client import Client
from load import add_many, bare_post, http_job, lateness
from processes import ROOT, Receiver, Server, wait_until
from proving import ms

HERD = 10_000
STEADY_JOBS = 1_000
STEADY_S = 30
TRIES = 200


# ---- the points ------------------------------------------------------------------------------------

def prove_once(table, folder, given):
    begun = time.monotonic()
    done = subprocess.run([str(ROOT / "run"), "--once"], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=900)
    took = time.monotonic() - begun
    table.add("./run --once, already built", "0 within 15 s", f"{done.returncode} in {took:.1f} s",
              done.returncode == 0 and took <= 15)


def prove_kill(table, folder, given):
    result = kill_run.run(folder, given.kills, given.seed)
    findings = result.findings
    table.add("kill -9: times, occurrences due", f"{given.kills} kills",
              f"{result.kills} kills, {result.due} due, {result.requests} requests")
    for kind, words in (("lost", "lost"), ("doubled", "doubled"),
                        ("repeated_beyond_bound", "repeated beyond the bound"),
                        ("fence_down", "fences that went down"),
                        ("unaccounted", "due and not accounted for"), ("skipped", "skipped"),
                        ("early", "early"),
                        ("unended", "without a verdict"), ("forged", "not in the ledger"),
                        ("stray", "run and not due")):
        table.add(f"kill -9: {words}", "0", str(findings.count(kind)), findings.count(kind) == 0)
    table.add("kill -9: repeated within the bound", "counted", str(findings.repeated))
    table.add("kill -9: slowest write and fdatasync of a bare loop beside", "reported",
              f"{result.slowest_sync_ms:.1f} ms")
    table.add("kill -9: server ended by itself", "0", str(result.ended_by_itself),
              result.ended_by_itself == 0)
    if findings.counts():
        print(findings, file=sys.stderr)


def prove_start(table, folder, given):
    server = Server(folder).start()
    try:
        idle = server.rss_kib()
        api = Client(server, checks=False)
        add_many(api, [http_job(f"start {number}", "@every 24h", "http://127.0.0.1:9/")
                       for number in range(HERD)])
        api.close()
        times = []
        for _ in range(5):
            server.kill()
            begun = time.monotonic()
            server.start()
            times.append(time.monotonic() - begun)
        loaded = server.rss_kib()
        table.add("start with 10,000 jobs after kill -9, worst of 5", "<= 1 s",
                  f"{max(times):.3f} s", max(times) <= 1)
        table.add("idle RSS, no job", "reported", f"{idle / 1024:.1f} MiB")
        table.add("idle RSS, 10,000 jobs", "reported", f"{loaded / 1024:.1f} MiB")
    finally:
        server.kill()


def prove_herd(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        herd = load.herd(server, receiver, HERD, "/herd")
        took = herd.took()
        table.add("herd: 10,000 @at, instant to last arrival", "<= 1 s", f"{took / 1e6:.3f} s",
                  took <= 1_000_000)
        table.add("herd: requests, runs", "10,000 each once",
                  f"{len(herd.records)}, {len({record['run'] for record in herd.records})}",
                  herd.each_once(HERD))
        table.add("herd: early", "0", str(herd.early()), herd.early() == 0)
        bare = bare_post(receiver.url("/bare"), "--requests", str(HERD))
        if bare:
            table.add("herd: libcurl alone, 64 connections", "a peer", f"{bare['seconds']:.3f} s")
    finally:
        server.kill()
        receiver.stop()


def prove_steady(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        seen = load.steady(Client(server, checks=False), receiver, STEADY_S, STEADY_JOBS)
        table.add("steady: 1,000/s for 30 s, requests", f"{seen.wanted} +- 0.1 %",
                  str(len(seen.records)),
                  abs(len(seen.records) - seen.wanted) <= seen.wanted / 1000)
        for words, values in (("ledger", seen.sent), ("receiver", seen.arrived)):
            p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
            judged = words == "ledger"
            table.add(f"steady: lateness p50, {words}", "<= 2 ms", ms(p50),
                      p50 <= 2_000 if judged else None)
            table.add(f"steady: lateness p99, {words}", "<= 10 ms", ms(p99),
                      p99 <= 10_000 if judged else None)
            table.add(f"steady: lateness max, {words}", "<= 1 s", ms(max(values)),
                      max(values) <= 1_000_000 if judged else None)
        bare_steady(table, receiver)
    finally:
        server.kill()
        receiver.stop()


def bare_steady(table, receiver):
    """The same 1,000/s by libcurl alone, for 10 s, judged by the same receiver."""
    if bare_post(receiver.url("/gap"), "--requests", "10000", "--gap", "1ms"):
        values = lateness(receiver.records(path="/gap"))
        table.add("steady: libcurl alone, p50 / p99, receiver", "a peer",
                  f"{ms(percentile(values, 0.5))} / {ms(percentile(values, 0.99))}")


def prove_run_now(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        api = Client(server, checks=False)
        api.add("now", receiver.url("/now"))
        asked = {}
        for _ in range(TRIES):
            begun = time.time_ns() // 1000
            asked[api.run_now("now")["id"]] = begun
            time.sleep(0.005)
        records = receiver.wait_for(TRIES, timeout=20, path="/now")
        values = [record["t_us"] - asked[record["run"]] for record in records]
        p50, p99 = percentile(values, 0.5), percentile(values, 0.99)
        table.add(f"run now: request to arrival, p99 of {TRIES}", "<= 50 ms",
                  f"{ms(p99)} (p50 {ms(p50)})", p99 <= 50_000)
    finally:
        server.kill()
        receiver.stop()


def prove_acks(table, folder, given):
    """Pause and delete, timed around the instant: how fast, and that nothing starts after."""
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        api = Client(server, checks=False)
        for act in ("pause", "delete"):
            acks, acknowledged = act_around_the_instant(api, receiver, act)
            time.sleep(2.5)
            p99 = percentile(acks, 0.99)
            table.add(f"{act}: acknowledgement, p99 of {len(acks)}", "<= 20 ms",
                      f"{ms(p99)} (p50 {ms(percentile(acks, 0.5))})", p99 <= 20_000)
            late = 0
            for run in api.pages("/v2/runs"):
                at = acknowledged.get(run["job_id"])
                late += sum(1 for attempt in run["attempts"] if at and attempt.get("first_byte_at")
                            and instant_us(attempt["first_byte_at"]) > at)
            table.add(f"{act}: started after the acknowledgement, of {len(acks)}", "0", str(late),
                      late == 0)
    finally:
        server.kill()
        receiver.stop()


def act_around_the_instant(api, receiver, act):
    """200 tries within 40 ms around an instant: (how long each took, when each was answered)."""
    chance = random.Random(act)
    base = time.time_ns() // 1_000_000_000 * 1_000_000
    step = 60_000  # microseconds between the instants of two jobs
    jobs = []
    first = base + 4_000_000
    for number in range(TRIES):
        at = first + number * step
        body = http_job(f"{act} {number}", "@every 1m", receiver.url(f"/{act}"),
                        anchor=instant_text(at))
        jobs.append((at, body))
    made = add_many(api, [body for _, body in jobs])
    acks, acknowledged = [], {}
    for (at, _), job in zip(jobs, made):
        moment = at / 1e6 + chance.uniform(-0.02, 0.02)
        time.sleep(max(0.0, moment - time.time()))
        begun = time.monotonic_ns()
        if act == "pause":
            answer = api.send("POST", f"/v2/jobs/{job['id']}/pause")
        else:
            answer = api.send("DELETE", f"/v2/jobs/{job['id']}")
        acks.append((time.monotonic_ns() - begun) // 1000)
        acknowledged[job["id"]] = time.time_ns() // 1000
        assert answer.status in (200, 204), answer
    return acks, acknowledged


def prove_once_per_attempt(table, folder, given):
    """Many clients repeat by themselves on a kept connection that closes after reading."""
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        api = Client(server, checks=False)
        api.add("warm", receiver.url("/warm"))
        retry = {"attempts": 3, "backoff_min": "10ms", "backoff_max": "50ms"}
        api.add("closes", receiver.url("/read-then-close"), retry=retry)
        api.add("single", receiver.url("/read-then-close/once"), delivery="at_most_once")
        for _ in range(50):
            for name in ("warm", "closes", "warm", "single"):
                api.run_now(name)
            time.sleep(0.02)
        wait_until(lambda: all(not api.pages("/v2/runs", state=state)
                               for state in ("requested", "claimed", "begun")), 60, step=0.2)
        records = receiver.records(path="/read-then-close")
        once = receiver.records(path="/read-then-close/once")
        numbers = {(record["run"], record["attempt"]) for record in records}
        table.add("read then close: requests, attempt numbers", "150, each once",
                  f"{len(records)}, {len(numbers)}", len(records) == len(numbers) == 150)
        table.add("read then close, at most once: requests, runs", "50, each once",
                  f"{len(once)}, {len({record['run'] for record in once})}",
                  len(once) == len({record["run"] for record in once}) == 50)
    finally:
        server.kill()
        receiver.stop()


POINTS = {"once": prove_once, "kill": prove_kill, "start": prove_start, "herd": prove_herd,
          "steady": prove_steady, "run-now": prove_run_now, "acks": prove_acks,
          "attempts": prove_once_per_attempt}


def main():
    arguments = proving.parser(POINTS, __doc__.split("\n", 1)[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=1)
    return proving.prove(POINTS, arguments.parse_args())


if __name__ == "__main__":
    sys.exit(main())
