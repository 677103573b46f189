"""Speed, measured: herds, steady work, jobs that are due at once, bulk creation, idle, next().

    prove_speed.py [--only POINT ...]

Beside a figure stands what comparable programs take on such a machine, durable ones unless it says
otherwise.
"""

import json
import statistics
import subprocess
import sys
import time

import load
import proving
from checker import instant_text, instant_us, percentile
from client import Client
from processes import ROOT, Receiver, Server, clean_environment, program
from proving import ms

HERDS = 5
STEADY_S = 60
SLOW_PORTS = 40
NEAR_TRIES = 1000
NEAR_US = 50_000
IDLE_S = 30

HERD_OTHERS = ("River 0.71 s tuned, 2.5 s by default; Graphile Worker 1.1; pg-boss 1.35; "
               "BullMQ 1.7-3.8; Quartz clustered 24-75; Dkron 30 with 10-16 % never run; "
               "Temporal Schedules 257; Node loop in memory 0.57")
HERD_100K_OTHERS = "pg-boss 8.2 s; BullMQ 10.5-25; Node loop in memory 3.8"
CPU_OTHERS = ("libcurl alone 0.023 s; Node loop in memory 0.072; Graphile Worker 0.126; "
              "Dkron 3.5-6.5")
STEADY_OTHERS = ("p50 / p99: River tuned 15 / 32 ms; BullMQ with fsync 0.9 / 130; Graphile Worker "
                 "107 / 211; pg-boss 222 / 474; Dkron fails at 500/s, Temporal at 100/s")
BULK_OTHERS = "River inserts 90,000/s"
NEAR_OTHERS = "Temporal drops 3-65 % of what is due within 4 s of its creation"
NEXT_OTHERS = ("UTC / zone: robfig/cron 0.15-3.4 / 0.9-21 us; crate cron 0.23-0.29 / 0.27-0.37; "
               "Quartz 0.9-3.2 / 1.6-6.2; croniter 27-87; croner 26-44")


# ---- herds --------------------------------------------------------------------------------------

def add_herd_rows(table, herds, count, bound_s, others):
    label = f"herd {count:,}"
    took = [herd.took() / 1e6 for herd in herds]
    middle = statistics.median(took)
    each = ", ".join(f"{value:.3f}" for value in took)
    words = f", median of {len(herds)}" if len(herds) > 1 else ""
    table.add(f"{label}: instant to last arrival{words}", f"<= {bound_s} s",
              f"{middle:.3f} s" + (f" ({each})" if len(herds) > 1 else ""), middle <= bound_s,
              others)
    once = all(herd.each_once(count) for herd in herds)
    table.add(f"{label}: each run delivered once", "all", "all" if once else "NOT all", once)
    early = sum(herd.early() for herd in herds)
    table.add(f"{label}: early", "0", str(early), early == 0)
    cpu = statistics.median(herd.cpu_s for herd in herds) / count * 1000
    table.add(f"{label}: processor time of the server for 1,000 runs", "<= 0.06 s", f"{cpu:.3f} s",
              cpu <= 0.06, CPU_OTHERS)


def add_bare_rows(table, receiver, count):
    """What libcurl alone takes for the same requests, now: the measure of the machine."""
    runs = [load.bare_post(receiver.url("/bare"), "--requests", str(count)) for _ in range(3)]
    if not all(runs):
        return
    seconds = statistics.median(run["seconds"] for run in runs)
    cpu = statistics.median(run["cpu_s"] for run in runs) / count * 1000
    table.add(f"herd {count:,}: libcurl alone, 64 connections", "a peer",
              f"{seconds:.3f} s, processor {cpu:.3f} s for 1,000")


def prove_herd(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        herds = [load.herd(server, receiver, 10_000, f"/herd-{number}") for number in range(HERDS)]
        add_herd_rows(table, herds, 10_000, 0.5, HERD_OTHERS)
        add_bare_rows(table, receiver, 10_000)
    finally:
        server.kill()
        receiver.stop()


def prove_herd_large(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        herds = [load.herd(server, receiver, 100_000, "/herd", quiet_s=5)]
        add_herd_rows(table, herds, 100_000, 4, HERD_100K_OTHERS)
        add_bare_rows(table, receiver, 100_000)
    finally:
        server.kill()
        receiver.stop()


# ---- steady work --------------------------------------------------------------------------------

def add_steady_rows(table, label, seen, others=""):
    table.add(f"{label}: requests", f"{seen.wanted} +- 0.1 %", str(len(seen.records)),
              abs(len(seen.records) - seen.wanted) <= seen.wanted / 1000)
    p50, p99 = percentile(seen.sent, 0.5), percentile(seen.sent, 0.99)
    table.add(f"{label}: lateness p50, ledger", "<= 2 ms", ms(p50), p50 <= 2_000, others)
    table.add(f"{label}: lateness p99, ledger", "<= 10 ms", ms(p99), p99 <= 10_000)
    table.add(f"{label}: lateness max, ledger", "<= 1 s", ms(max(seen.sent)),
              max(seen.sent) <= 1_000_000)
    table.add(f"{label}: lateness p50 / p99, receiver", "reported",
              f"{ms(percentile(seen.arrived, 0.5))} / {ms(percentile(seen.arrived, 0.99))}")


def prove_steady(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        cpu = load.cpu_seconds(server.pid)
        begun = time.monotonic()
        seen = load.steady(Client(server, checks=False), receiver, STEADY_S)
        add_steady_rows(table, "steady 1,000/s for 60 s", seen, STEADY_OTHERS)
        share = (load.cpu_seconds(server.pid) - cpu) / (time.monotonic() - begun)
        table.add("steady 1,000/s for 60 s: processor", "reported", f"{share:.1%} of a core")
    finally:
        server.kill()
        receiver.stop()


def prove_steady_beside_slow(table, folder, given):
    """Each of 40 destinations is asked 25 times a second and takes 2 s: 50 of its 64 places."""
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    slow = [Receiver(folder, "--mode", "slow", "--delay", "2s", name=f"slow-{number}")
            for number in range(SLOW_PORTS)]
    try:
        api = Client(server, checks=False)
        base = load.now_us() // load.SECOND * load.SECOND
        load.add_many(api, [load.http_job(f"beside {number}", "@every 1s",
                                          slow[number % SLOW_PORTS].url("/slow"),
                                          anchor=instant_text(base + number * 1000))
                            for number in range(1000)])
        time.sleep(3)
        before = sum(len(one.records()) for one in slow)
        begun = time.monotonic()
        seen = load.steady(api, receiver, STEADY_S)
        rate = (sum(len(one.records()) for one in slow) - before) / (time.monotonic() - begun)
        label = "steady beside 1,000/s that take 2 s"
        table.add(f"{label}: rate to the slow ones", ">= 900/s", f"{rate:.0f}/s", rate >= 900)
        add_steady_rows(table, label, seen)
    finally:
        server.kill()
        receiver.stop()
        for one in slow:
            one.stop()


# ---- creation -----------------------------------------------------------------------------------

def prove_bulk(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    try:
        jobs = (load.http_job(f"bulk {number}", "@every 24h", "http://127.0.0.1:9/")
                for number in range(100_000))
        took = load.post_all(server, "/v2/jobs/bulk", list(load.bulk_bodies(jobs)))
        table.add("100,000 jobs by bulk requests", "<= 5 s", f"{took:.2f} s", took <= 5,
                  BULK_OTHERS)
    finally:
        server.kill()


def create_near(api, receiver, number, lead_us):
    """Creates a one-shot due in `lead_us`; its due instant, and how long before it the answer came."""
    due = load.now_us() + lead_us
    body = load.http_job(f"near {number}", f"@at {instant_text(due)}", receiver.url("/near"))
    answer = api.send("POST", "/v2/jobs", body)
    answered = load.now_us()
    if answer.status == 422:  # it was due before it could be written
        return None, -1
    assert answer.status == 201, answer
    return due, due - answered


def prove_near(table, folder, given):
    """Jobs whose creation is answered at least 50 ms before they are due, and as little more as the
    write takes: the lead asked for follows the time of the last answers."""
    server = Server(folder, "--log-level", "warning").start()
    receiver = Receiver(folder)
    try:
        api = Client(server, checks=False)
        wanted, ahead, number = {}, [], 0
        lead_us = NEAR_US + 10_000
        while len(wanted) < NEAR_TRIES and number < 3 * NEAR_TRIES:
            due, before = create_near(api, receiver, number, lead_us)
            if before >= NEAR_US:
                wanted[due] = number
                ahead.append(before)
            lead_us += 1000 if before < NEAR_US else -200 if before > NEAR_US + 5000 else 0
            number += 1
        time.sleep(2)
        due_us = {instant_us(record["scheduled_at"]): record["t_us"]
                  for record in receiver.records(path="/near")}
        late = [due_us[due] - due for due in wanted if due in due_us]
        label = f"created {percentile(ahead, 0.5) / 1000:.0f} ms before due"
        on_time = sum(1 for value in late if -1000 <= value <= 10_000)
        table.add(f"{label}: arrived", f"{NEAR_TRIES} of {NEAR_TRIES}",
                  f"{len(late)} of {len(wanted)}", len(late) == len(wanted) == NEAR_TRIES,
                  NEAR_OTHERS)
        table.add(f"{label}: arrived within 10 ms of the instant", f"{NEAR_TRIES} of {NEAR_TRIES}",
                  f"{on_time} (p50 {ms(percentile(late, 0.5))}, max {ms(max(late))})",
                  on_time == NEAR_TRIES)
    finally:
        server.kill()
        receiver.stop()


# ---- at rest ------------------------------------------------------------------------------------

def prove_idle(table, folder, given):
    server = Server(folder, "--log-level", "warning").start()
    try:
        time.sleep(3)
        before = load.cpu_seconds(server.pid)
        time.sleep(IDLE_S)
        share = (load.cpu_seconds(server.pid) - before) / IDLE_S
        rss = server.rss_kib() / 1024
        table.add("idle: VmRSS", "<= 25 MiB", f"{rss:.1f} MiB", rss <= 25)
        table.add("idle: processor", "<= 0.3 % of a core", f"{share:.2%}", share <= 0.003)
    finally:
        server.kill()


# ---- next() -------------------------------------------------------------------------------------

NEXT_EXPRESSIONS = ("*/5 * * * *", "0 9 * * 1-5", "0 0 29 2 *")
NEXT_ZONES = {"UTC": 100, "Europe/Berlin": 250, "America/New_York": 250}


def next_figures():
    """Nanoseconds by (expression, zone): the median of seven runs of bench/next_bench."""
    path = program("CRONALLY_NEXT_BENCH", "build/release/bench/next_bench")
    done = subprocess.run(
        [path, "--benchmark_format=json", "--benchmark_filter=^next_fire", "--benchmark_min_time=0.1",
         "--benchmark_repetitions=7", "--benchmark_report_aggregates_only=true"],
        capture_output=True, text=True, check=True, env=clean_environment())
    rows = json.loads(done.stdout)["benchmarks"]
    return {tuple(row["label"].split(" in ")): row["cpu_time"]
            for row in rows if row["aggregate_name"] == "median"}


def prove_next(table, folder, given):
    figures = next_figures()
    asked = [(expression, zone) for expression in NEXT_EXPRESSIONS for zone in NEXT_ZONES]
    for expression, zone in asked:
        figure, bound = figures[expression, zone], NEXT_ZONES[zone]
        table.add(f"next: {expression} in {zone}", f"<= {bound} ns", f"{figure:.0f} ns",
                  figure <= bound, NEXT_OTHERS)
    done = subprocess.run([ROOT / "bench/next_peers/run", *[word for pair in asked for word in pair]],
                          capture_output=True, text=True, check=True)
    for name, rows in json.loads(done.stdout).items():
        if isinstance(rows, str):
            table.skip(f"next: {name} in the same run", "reported", rows[:100])
            continue
        for expression, zone, ns in rows:
            table.add(f"next: {expression} in {zone}, {name}", "reported", f"{ns:.0f} ns")


POINTS = {"herd": prove_herd, "herd-100k": prove_herd_large, "steady": prove_steady,
          "steady-slow": prove_steady_beside_slow, "bulk": prove_bulk, "near": prove_near,
          "idle": prove_idle, "next": prove_next}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
