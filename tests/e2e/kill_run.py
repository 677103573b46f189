"""kill -9 at random moments under load, and what receiver and ledger say afterwards.

200 jobs `@every 1s` with anchors 5 ms apart, `catch_up: all`; the server dies `kills` times,
50–900 ms after each start, wherever it then is. Seeded: the same seed gives the same moments.

    kill_run.py [--kills 50] [--seed 1] [--keep FOLDER] [--standby]

With --standby the one that dies is followed by one that stood by, and a new one stands by then.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import random
import sqlite3
import sys
import tempfile
import time
import uuid

import checker
from client import Client
from disk_probe import DiskProbe
from processes import Receiver, Server, Standby, wait_until

JOBS = 200
ANCHOR_STEP_US = 5_000
EVERY_US = 1_000_000
SETTLE_MAX_S = 60


def now_us():
    return time.time_ns() // 1000


@dataclasses.dataclass
class Result:
    findings: checker.Findings
    kills: int
    due: int
    requests: int
    ended_by_itself: int
    start_ms_max: float  # of the last start, or of all takeovers
    slowest_sync_ms: float  # of a bare loop beside
    seconds: float
    integrity: str

    def ok(self):
        return (not self.findings.counts() and self.ended_by_itself == 0
                and self.integrity == "ok")


def job_body(number, url, anchor):
    return {"name": f"kill-{number}", "schedule": "@every 1s",
            "anchor": checker.instant_text(anchor),
            "target": {"type": "http", "url": url, "timeout": "5s"},
            "retry": {"attempts": 5, "backoff_min": "50ms", "backoff_max": "500ms"},
            "catch_up": {"mode": "all", "window": "1h", "limit": 1000}}


def add_jobs(api, receiver, count=JOBS, path="/kill", **fields):
    """The jobs as the checker needs them; their grids begin at the commit of their creation."""
    base = now_us() // EVERY_US * EVERY_US
    bodies = [job_body(number, receiver.url(path), base + number * ANCHOR_STEP_US) | fields
              for number in range(count)]
    made = api.expect((200, 201), "POST", "/v2/jobs/bulk", {"items": bodies}).json["items"]
    return [checker.Job(job["id"], base + number * ANCHOR_STEP_US, EVERY_US,
                        checker.instant_us(job["updated_at"]))
            for number, job in enumerate(made)]


def kill(server):
    """kill -9. Returns when it was dead: until then it may have sent."""
    server.kill()
    return now_us()


def die_often(server, kills, chance):
    """Kills the server `kills` times. Returns the deaths, and how often it had ended by itself."""
    deaths, ended = [], 0
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, 0.9))
        if server.process.poll() is not None:
            ended += 1
        deaths.append(kill(server))
        server.spawn()
    return deaths, ended


def die_in_turn(servers, folder, kills, chance):
    """Kills `kills` servers, each with another that stands by, which it adds to `servers`. Returns
    the deaths, how many had ended by themselves, and the longest time from a death to readiness, in
    ms."""
    active, deaths, ended, longest = servers[0], [], 0, 0.0
    for number in range(kills):
        standby = Standby(folder / f"standby-{number}", active)
        servers.append(standby)
        standby.start()
        time.sleep(chance.uniform(0.05, 0.9))
        if active.process.poll() is not None:
            ended += 1
        begun = now_us()
        deaths.append(kill(active))
        active = standby
        active.wait_ready()
        longest = max(longest, (now_us() - begun) / 1000)
    return deaths, ended, longest


def settled(api, until):
    """True when no run due up to `until` is open."""
    query = {"until": checker.instant_text(until + 1)}
    return all(not api.pages("/v2/runs", limit=1, state=state, **query)
               for state in ("requested", "claimed", "begun"))


def open_database(server):
    """The file of a server, to read; closed at the end of the block."""
    return contextlib.closing(sqlite3.connect(f"file:{server.data}/cronally.db?mode=ro", uri=True))


def spans_of(server):
    """Skipped spans as (job id, from, to], read from the file of a server that has stopped."""
    with open_database(server) as database:
        rows = database.execute("SELECT job.id, after, until FROM skipped_span JOIN job "
                                "ON job.job_no = skipped_span.job_no").fetchall()
    return [(str(uuid.UUID(bytes=job)), after, until) for job, after, until in rows]


def integrity(server):
    """What SQLite says of the file of a server that has stopped: "ok"."""
    with open_database(server) as database:
        return database.execute("PRAGMA integrity_check").fetchone()[0]


def judge(evidence):
    """The checker's findings, and one more: these jobs ask for all, so a skip is none of theirs."""
    findings = checker.check(evidence)
    for job, instant in sorted(checker.due_of(evidence)):
        if checker.skipped(evidence, job, instant):
            findings.add("skipped", f"{job} at {checker.instant_text(instant)}")
    return findings


def run(folder, kills, seed, standby=False):
    """The whole of it. The folder keeps log, database and the receiver's record."""
    begun = time.monotonic()
    servers = [Server(folder, "--log-level", "warning").start()]
    receiver = Receiver(folder)
    try:
        api = Client(servers[0], checks=False)
        jobs = add_jobs(api, receiver)
        api.close()
        time.sleep(1.5)
        with DiskProbe(folder) as probe:
            if standby:
                deaths, ended, start_ms = die_in_turn(servers, folder, kills, random.Random(seed))
            else:
                deaths, ended = die_often(servers[0], kills, random.Random(seed))
                started = time.monotonic()
                servers[0].wait_ready()
                start_ms = (time.monotonic() - started) * 1000
        server = servers[-1]
        time.sleep(2.0)
        until = now_us()
        api = Client(server, checks=False)
        wait_until(lambda: settled(api, until), SETTLE_MAX_S, step=0.2, what="the end of all runs")
        runs = api.pages("/v2/runs")
        requests = receiver.records()
        api.close()
        server.stop()
        evidence = checker.Evidence(jobs, until, requests, runs, spans_of(server), deaths,
                                    unrecorded=probe.unrecorded(deaths))
        return Result(judge(evidence), kills, len(checker.due_of(evidence)), len(requests),
                      ended, start_ms, probe.slowest(deaths[0], deaths[-1]) / 1000,
                      time.monotonic() - begun, integrity(server))
    finally:
        for one in servers:
            if one.process and one.process.poll() is None:
                one.kill()
        receiver.stop()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--kills", type=int, default=50)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--keep", help="a folder for log, database and the receiver's record")
    arguments.add_argument("--standby", action="store_true", help="let a standby follow")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        result = run(pathlib.Path(given.keep or temporary), given.kills, given.seed,
                     given.standby)
    print(result.findings)
    print(json.dumps({"kills": result.kills, "due": result.due, "requests": result.requests,
                      "ended_by_itself": result.ended_by_itself,
                      "start_ms_max": round(result.start_ms_max),
                      "slowest_sync_ms": round(result.slowest_sync_ms, 1),
                      "seconds": round(result.seconds, 1)}))
    return 0 if result.ok() else 1


if __name__ == "__main__":
    sys.exit(main())
