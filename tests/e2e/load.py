"""Load for measurements: many jobs at once, herds and steady work, and what they took.

Instants are integer microseconds since 1970, UTC. The judge is the receiver's log, or the ledger:
the instant of the first byte out that the server recorded.
"""

import dataclasses
import http.client
import json
import os
import pathlib
import resource
import subprocess
import threading
import time

from checker import instant_text, instant_us
from processes import clean_environment, program

SECOND = 1_000_000
BULK_MAX = 1000  # items of one bulk request
TICKS = os.sysconf("SC_CLK_TCK")  # in a second, of processor times under /proc


def now_us():
    return time.time_ns() // 1000


def sleep_until(us):
    time.sleep(max(0.0, us / SECOND - time.time()))


def http_job(name, schedule, url, **more):
    return {"name": name, "schedule": schedule, "target": {"type": "http", "url": url}, **more}


def lateness(records):
    return [record["t_us"] - instant_us(record["scheduled_at"]) for record in records]


def add_many(api, bodies):
    """Jobs of any number, a thousand in a request; answers them as the API shows them."""
    made = []
    for start in range(0, len(bodies), BULK_MAX):
        items = {"items": bodies[start:start + BULK_MAX]}
        answer = api.send("POST", "/v2/jobs/bulk", items, timeout=120)
        assert answer.status in (200, 201), answer
        made += answer.json["items"]
    return made


def bulk_bodies(jobs):
    """The bodies of bulk requests for these jobs, ready to send; `jobs` may be a generator."""
    batch = []
    for job in jobs:
        batch.append(job)
        if len(batch) == BULK_MAX:
            yield json.dumps({"items": batch}).encode()
            batch = []
    if batch:
        yield json.dumps({"items": batch}).encode()


def post_all(server, path, bodies, connections=4):
    """Posts each of `bodies` over a few connections; the seconds from first to last answer. The
    answers are read but not parsed, so that little of the time is the client's."""
    left = iter(bodies)
    lock = threading.Lock()
    failures = []

    def worker():
        connection = http.client.HTTPConnection(server.address, timeout=120)
        headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
        while not failures:
            with lock:
                body = next(left, None)
            if body is None:
                break
            connection.request("POST", path, body=body, headers=headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status not in (200, 201):
                failures.append((answer.status, content[:300]))
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(connections)]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, f"POST {path}: {failures[0]}"
    return time.monotonic() - begun


def bare_post(url, *arguments):
    """The figures of bench/bare_post and the processor time it took, or None where it is not
    built."""
    try:
        path = program("CRONALLY_BARE_POST", "build/release/bench/bare_post")
    except FileNotFoundError:
        return None
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([path, "--url", url, *arguments], capture_output=True, text=True,
                          env=clean_environment())
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        return None
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {**json.loads(done.stdout), "cpu_s": cpu_s}


def cpu_seconds(pid):
    """Processor time of a process so far, its threads together."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


# ---- a herd: many jobs at one instant -----------------------------------------------------------

@dataclasses.dataclass
class Herd:
    records: list      # of the receiver
    instant: int
    cpu_s: float       # of the server, from before the claims until the runs had ended

    def took(self):
        return max(record["t_us"] for record in self.records) - self.instant

    def each_once(self, count):
        runs = {record["run"] for record in self.records}
        return len(self.records) == len(runs) == count

    def early(self):
        return sum(1 for value in lateness(self.records) if value < -1000)


def herd(server, receiver, count, path, quiet_s=1):
    """`count` one-shots at one instant. Nothing reads the log for `quiet_s` after the instant."""
    ahead_s = 6 + count / 4000
    instant = (now_us() // SECOND + int(ahead_s)) * SECOND
    schedule = f"@at {instant_text(instant)}"
    jobs = (http_job(f"{path} {number}", schedule, receiver.url(path)) for number in range(count))
    post_all(server, "/v2/jobs/bulk", list(bulk_bodies(jobs)))
    claims_begin = instant - 3 * SECOND
    assert now_us() < claims_begin, f"{count} jobs were not created within {ahead_s} s"
    sleep_until(claims_begin)
    cpu = cpu_seconds(server.pid)
    sleep_until(instant + quiet_s * SECOND)
    records = receiver.wait_for(count, timeout=60, step=0.5, path=path)
    time.sleep(1)  # outcomes follow in batches
    return Herd(records, instant, cpu_seconds(server.pid) - cpu)


# ---- steady: a job each millisecond, all of them each second ------------------------------------

@dataclasses.dataclass
class Steady:
    wanted: int
    records: list   # of the receiver
    sent: list      # lateness of the first byte out, from the ledger
    arrived: list   # lateness at the receiver


def steady_jobs(receiver, jobs=1000, name="steady"):
    base = now_us() // SECOND * SECOND
    return [http_job(f"{name} {number}", "@every 1s", receiver.url(f"/{name}"),
                     anchor=instant_text(base + number * SECOND // jobs))
            for number in range(jobs)]


def steady(api, receiver, seconds, jobs=1000, name="steady"):
    """Adds steady_jobs() and watches them for so long, after three seconds to settle."""
    add_many(api, steady_jobs(receiver, jobs, name))
    time.sleep(3)
    begin = now_us()
    time.sleep(seconds)
    end = now_us()
    time.sleep(1)
    records = [record for record in receiver.records(path=f"/{name}")
               if begin <= instant_us(record["scheduled_at"]) < end]
    runs = api.pages("/v2/runs", since=instant_text(begin), until=instant_text(end))
    sent = [instant_us(run["attempts"][0]["first_byte_at"]) - instant_us(run["scheduled_at"])
            for run in runs if run["job_name"].startswith(name) and run["attempts"]
            and run["attempts"][0].get("first_byte_at")]
    return Steady(jobs * seconds, records, sent, lateness(records))
