"""Receivers that misbehave, go away and come back, or are asked for much at once: F29, F30, F31.
Points for `tools/prove cluster`.
"""

import collections
import contextlib
import json
import pathlib
import subprocess
import threading
import time

import checker
import load
from checker import instant_text, instant_us, percentile
from cluster.bad_receiver import SEND_BUFFER
from cluster.checker import json_lines
from cluster.faults import SECOND
from cluster.namespaces import RECEIVERS
from cluster.nodes import BadReceiver, HostReceiver
from cluster.plain import spread, with_nodes
from cluster.world import Setting
from faults import need_program
from processes import Receiver, clean_environment

CALM_P99_MS = 10.0  # DESIGN P6
NOISE = 1.2


def lateness_us(receiver, begin, end, **wanted):
    """Of the first attempts of what was due in [begin, end)."""
    return [record["t_us"] - instant_us(record["scheduled_at"])
            for record in receiver.records(attempt=1, **wanted)
            if begin <= instant_us(record["scheduled_at"]) < end]


def p99_ms(receiver, begin, end, **wanted):
    return percentile(lateness_us(receiver, begin, end, **wanted), 0.99) / 1000


def unchanged(before_ms, after_ms):
    """Within a fifth, or what is punctual all the same."""
    return after_ms <= max(NOISE * before_ms, CALM_P99_MS)


# ---- F29: receivers that misbehave --------------------------------------------------------------

BAD_JOBS = 3       # of each mode, each second
BAD_TIMEOUT_S = 3
BAD_ATTEMPTS = 2
TIMEOUT_SLACK_S = 0.5
HEALTHY_JOBS = 56  # 30 % of all jobs are bad, of eight modes
LOOK_S = 30
NOWHERE = 9        # the port whose packets are lost
READ_BYTES = 1 << 20  # of an answer; the rest that was sent lies in the kernel's buffers
UNANSWERED = ("lost", "hang", "drip")  # only the time-out ends these


def sent_max_bytes():
    """What an endpoint can get rid of while the node reads no more than it should."""
    receive_buffer = int(pathlib.Path("/proc/sys/net/ipv4/tcp_rmem").read_text().split()[2])
    return READ_BYTES + receive_buffer + 4 * SEND_BUFFER


def certificate(folder):
    """A certificate that nobody trusts, with its key, in one file."""
    file = folder / "untrusted.pem"
    subprocess.run([need_program("openssl"), "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
                    "30", "-subj", "/CN=untrusted", "-keyout", file, "-out", folder / "untrusted.crt"],
                   check=True, capture_output=True, env=clean_environment())
    with open(file, "a", encoding="ascii") as both:
        both.write((folder / "untrusted.crt").read_text())
    return file


def healthy(receiver):
    return spread(receiver, HEALTHY_JOBS, "/healthy", load.now_us() // SECOND * SECOND)


@contextlib.contextmanager
def bad_urls(stage):
    """mode -> the URL of an endpoint that does it."""
    plain = {"hang": ["hang"], "reset": ["reset"], "500": ["status"]}
    answers = {"drip": [], "flood": [], "redirect": ["--to", stage.receiver.url("/trap")],
               "tls": ["--certificate", certificate(stage.folder)]}
    with contextlib.ExitStack() as stack:
        def started(receiver):
            stack.callback(receiver.stop)
            return receiver
        urls = {mode: started(HostReceiver(stage.network, RECEIVERS, stage.folder, "--mode", *words,
                                           name=f"bad-{mode}")).url("/bad")
                for mode, words in plain.items()}
        for mode, more in answers.items():
            urls[mode] = started(BadReceiver(stage.network, RECEIVERS, stage.folder, mode,
                                             *more)).url("/bad")
        urls["tls"] = urls["tls"].replace("http:", "https:")
        stage.network.swallow(RECEIVERS, NOWHERE)
        urls["lost"] = f"http://{stage.network.address(RECEIVERS)}:{NOWHERE}/bad"
        yield urls


def bad_jobs(urls):
    base = load.now_us() // SECOND * SECOND
    return [{"name": f"bad {mode} {number}", "schedule": "@every 1s",
             "anchor": instant_text(base + number * SECOND // BAD_JOBS + place * 10_000),
             "target": {"type": "http", "url": url, "timeout": f"{BAD_TIMEOUT_S}s"},
             "retry": {"attempts": BAD_ATTEMPTS, "backoff_min": "100ms"}}
            for place, (mode, url) in enumerate(sorted(urls.items())) for number in range(BAD_JOBS)]


def first_attempts_s(runs):
    """mode -> how long after its instant the first attempt of each run ended."""
    took = collections.defaultdict(list)
    for run in runs:
        words = run["job_name"].split(" ")
        first = next((one for one in run["attempts"] if one["number"] == 1), None)
        if words[0] == "bad" and first and first.get("ended_at"):
            took[words[1]].append((instant_us(first["ended_at"]) - instant_us(run["scheduled_at"]))
                                  / SECOND)
    return took


def look_at_bad(stage, seen):
    begin = load.now_us()
    time.sleep(LOOK_S)
    seen["before_ms"] = p99_ms(stage.receiver, begin, load.now_us() - SECOND, path="/healthy")
    api = stage.api_of(stage.setting.nodes[0])
    with bad_urls(stage) as urls:
        made = load.add_many(api, bad_jobs(urls))
        time.sleep(BAD_ATTEMPTS * BAD_TIMEOUT_S)  # until as many are under way as ever will be
        begin = load.now_us()
        time.sleep(LOOK_S)
        end = load.now_us()
        seen["during_ms"] = p99_ms(stage.receiver, begin, end - SECOND, path="/healthy")
        for job in made:
            api.remove(job["id"])
        time.sleep(BAD_ATTEMPTS * BAD_TIMEOUT_S + 1)
    runs = api.pages("/v2/runs", since=instant_text(begin), until=instant_text(end))
    took = first_attempts_s(runs)
    seen["asked"] = {mode: len(values) for mode, values in sorted(took.items())}
    seen["took_s"] = {mode: [round(min(values), 3), round(max(values), 3)]
                      for mode, values in sorted(took.items())}
    seen["flood_bytes"] = max(one["sent"] for one in json_lines(stage.folder / "bad-flood.jsonl"))
    seen["trapped"] = (len(stage.receiver.records(path="/trap"))
                       + len(json_lines(stage.folder / "bad-tls.jsonl")))


def timeouts_kept(seen):
    return all(seen["took_s"].get(mode, [0, 0])[0] >= BAD_TIMEOUT_S - TIMEOUT_SLACK_S
               for mode in UNANSWERED) and all(
        longest <= BAD_TIMEOUT_S + TIMEOUT_SLACK_S for _, longest in seen["took_s"].values())


def prove_bad(table, folder, given):
    def run(world, folder):
        seen = {}
        verdict = world.trial(folder, Setting("F29: misbehaving receivers", bodies=healthy,
                                              clients=False), lambda stage: look_at_bad(stage, seen))
        verdict.update(seen)
        verdict["holds"] = (verdict["holds"] and unchanged(seen["before_ms"], seen["during_ms"])
                            and timeouts_kept(seen) and seen["flood_bytes"] <= sent_max_bytes()
                            and seen["trapped"] == 0)
        return verdict
    seen = given.proof.trial("F29-receivers", run)
    before, during = seen["before_ms"], seen["during_ms"]
    table.add("F29: 30 % of the jobs ask eight endpoints that lose packets, hang, answer a byte a "
              "second, reset, answer 500, redirect, send 100 MB, have a certificate that nobody trusts: lateness p99 of the "
              "others", f"<= {NOISE} times that before, or <= {CALM_P99_MS:g} ms",
              f"{during:.2f} ms, before {before:.2f} ms", unchanged(before, during))
    table.add(f"F29: their time-outs of {BAD_TIMEOUT_S} s: first attempts ended after",
              f"<= {BAD_TIMEOUT_S + TIMEOUT_SLACK_S} s, unanswered ones >= "
              f"{BAD_TIMEOUT_S - TIMEOUT_SLACK_S} s",
              "; ".join(f"{mode} {least}-{longest} s ({seen['asked'][mode]})"
                        for mode, (least, longest) in seen["took_s"].items()), timeouts_kept(seen))
    table.add("F29: what left the sender of a body of 100 MB", f"<= {sent_max_bytes():,} bytes: 1 MiB "
              "and the kernel's buffers", f"{seen['flood_bytes']:,} bytes",
              seen["flood_bytes"] <= sent_max_bytes())
    table.add("F29: requests to where redirects lead, or under that certificate", "0",
              str(seen["trapped"]),
              seen["trapped"] == 0)
    table.add("F29: the others' runs: lost, doubled, late …", "0",
              f"{seen['counts'] or 0} ({seen['figures']['must']} due)", not seen["counts"])


# ---- F30: a storm of retries --------------------------------------------------------------------

ENDPOINTS = 1000
RATED = 1000  # requests a second, DESIGN P6
PEAK_MAX = 2 * RATED
RETRY_AFTER_S = 7
RETRY_AFTER_JOBS = 20
CALM_S = 10
AFTER_S = 30
# Name -> interval of the jobs, their retries, and how long the receiver is away: until back-off has
# reached its maximum. With the default retries end when the next occurrence is due.
STORMS = {"default": (1, None, 20),
          "patient": (10, {"attempts": 185, "backoff_min": "1s", "backoff_max": "20s",
                           "age_max": "10m"}, 60)}


def endpoint(number, port, path):
    """All of 127.0.0.0/8 is this machine: a destination of its own for each job."""
    return f"http://127.1.{number // 250}.{1 + number % 250}:{port}{path}"


def storm_jobs(port, base, every_s, retry):
    more = {} if retry is None else {"retry": retry}
    return [{"name": f"storm {number}", "schedule": f"@every {every_s}s",
             "anchor": instant_text(base + number * every_s * SECOND // ENDPOINTS),
             "catch_up": {"mode": "all"},
             "target": {"type": "http", "url": endpoint(number, port, "/storm")}, **more}
            for number in range(ENDPOINTS)]


def told_later_jobs(port, base):
    """Jobs whose receiver always says 503 and Retry-After."""
    return [{"name": f"told later {number}", "schedule": "@every 60s",
             "anchor": instant_text(base + number * 100_000),
             "target": {"type": "http",
                        "url": endpoint(number, port, f"/retry-after/{RETRY_AFTER_S}/x")},
             "retry": {"attempts": 4, "backoff_min": "10ms", "backoff_max": "20s"}}
            for number in range(RETRY_AFTER_JOBS)]


def per_second(instants, begin, seconds):
    """How many of them fall into each second from `begin` on."""
    counts = collections.Counter((at - begin) // SECOND for at in instants)
    return [counts[second] for second in range(seconds)]


def gaps_s(records):
    """Between the successive requests of each run."""
    by_run = collections.defaultdict(list)
    for record in records:
        by_run[record["run"]].append(record["t_us"])
    return [(after - before) / SECOND for times in by_run.values()
            for before, after in zip(sorted(times), sorted(times)[1:])]


def storm(nodes, folder, every_s, retry, down_s):
    """What came after the receiver was away for `down_s`."""
    receiver = Receiver(folder, "--address", "0.0.0.0", name="storm")
    port, base = receiver.port, load.now_us() // SECOND * SECOND
    try:
        load.add_many(nodes.api(), storm_jobs(port, base, every_s, retry)
                      + told_later_jobs(port, base + 2 * SECOND))
        time.sleep(every_s + CALM_S)
        receiver.stop()
        down = load.now_us()
        time.sleep(down_s)
        receiver = Receiver(folder, "--address", "0.0.0.0", name="storm", port=port)
        up = load.now_us()
        time.sleep(AFTER_S)
    finally:
        receiver.stop()
    records = receiver.records(path="/storm")
    owed = {(f"storm {number}", instant) for number in range(ENDPOINTS)
            for instant in checker.Job("", base + number * every_s * SECOND // ENDPOINTS,
                                       every_s * SECOND, down).due(up)}
    came = {(record["job_name"], instant_us(record["scheduled_at"])) for record in records}
    counts = per_second([record["t_us"] for record in records], up, AFTER_S)
    told = [record for record in receiver.records() if record["path"] != "/storm"]
    return {"calm": len([record for record in records if down - CALM_S * SECOND
                         <= record["t_us"] < down]) / CALM_S,
            "owed": len(owed), "never_came": len(owed - came), "per_second": counts,
            "peak": max(counts), "told_later_gap_s": round(min(gaps_s(told), default=0), 3),
            "told_later": len(gaps_s(told))}


def prove_storm(table, folder, given):
    given.proof.leave_world()
    for name, (every_s, retry, down_s) in STORMS.items():
        def run(_, folder, every_s=every_s, retry=retry, down_s=down_s):
            seen = with_nodes(2, lambda nodes, _, folder: storm(nodes, folder, every_s, retry,
                                                                down_s))
            seen["holds"] = (seen["peak"] <= PEAK_MAX and seen["told_later"] > 0
                             and seen["told_later_gap_s"] >= RETRY_AFTER_S
                             and (retry is None or seen["never_came"] == 0))
            return seen
        seen = given.proof.alone(f"F30-storm-{name}", run)
        words = ("default retries" if retry is None else
                 f"back-off up to {retry['backoff_max']}, {retry['attempts']} attempts")
        label = (f"F30: {ENDPOINTS:,} endpoints, each asked every {every_s} s, {words}, away for "
                 f"{down_s} s")
        table.add(f"{label}: the busiest second after", f"<= {PEAK_MAX:,}, twice the rated load",
                  f"{seen['peak']:,} (before: {seen['calm']:.0f}/s; after: "
                  + ", ".join(str(count) for count in seen["per_second"][:12]) + " …)",
                  seen["peak"] <= PEAK_MAX)
        if retry:
            table.add(f"{label}: owed from then that never came", f"0 of {seen['owed']:,}",
                      str(seen["never_came"]), seen["never_came"] == 0)
        table.add(f"F30, {words}: shortest wait after Retry-After: {RETRY_AFTER_S}",
                  f">= {RETRY_AFTER_S} s", f"{seen['told_later_gap_s']} s of {seen['told_later']}",
                  seen["told_later"] > 0 and seen["told_later_gap_s"] >= RETRY_AFTER_S)


# ---- F31: many at one minute --------------------------------------------------------------------

HERD = 5_000
CLAIMED_MAX_S = 5
HERD_LATE_MAX_S = 10
BESIDE_S = 20
FLAT_MAX = 1.5  # the fullest minute, in parts of the mean: 83 ± 9 in each


class ClaimWatch:
    """Looks until `count` runs of the herd are claimed: from when to when they were."""

    def __init__(self, databases, instant, count):
        self.first_us = self.all_us = None
        self.count = count
        self.asks = lambda: int(databases.query(
            "SELECT count(*) FROM cronally.run JOIN cronally.job USING (job_no) "
            f"WHERE due = {instant} AND name LIKE 'herd %'")[0])
        self.until = instant + 30 * SECOND
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while self.all_us is None and load.now_us() < self.until:
            before = load.now_us()
            seen = self.asks()
            if seen and self.first_us is None:
                self.first_us = before
            if seen >= self.count:
                self.all_us = load.now_us()
            time.sleep(0.1)

    def wait(self):
        self.thread.join(40)
        return self


def minute_ahead(seconds):
    """The first full minute that is at least so far ahead."""
    return ((load.now_us() + seconds * SECOND) // (60 * SECOND) + 1) * 60 * SECOND


def herd_jobs(receiver, schedule, name):
    return [load.http_job(f"{name} {number}", schedule, receiver.url(f"/{name}"))
            for number in range(HERD)]


def at_one_minute(stage, herd, seen):
    api = stage.api_of(stage.setting.nodes[0])
    instant = minute_ahead(BESIDE_S + 10)
    minute = instant_text(instant)
    load.add_many(api, herd_jobs(herd, f"{int(minute[14:16])} {int(minute[11:13])} * * *", "herd"))
    watch = ClaimWatch(stage.databases, instant, HERD)
    load.sleep_until(instant + (HERD_LATE_MAX_S + BESIDE_S + 2) * SECOND)
    watch.wait()
    records = herd.records(path="/herd")
    # To the judge it is a disturbance of so long, and of nothing else.
    with open(stage.folder / "faults.jsonl", "a", encoding="utf-8") as log:
        log.write(json.dumps({"t0": instant, "t1": instant, "kind": "herd", "scope": [],
                              "lateness": HERD_LATE_MAX_S * SECOND, "recovery": 0,
                              "unrecorded": 0, "allow_missed": False}) + "\n")
    end = instant + HERD_LATE_MAX_S * SECOND
    seen.update(
        came=len(records), runs=len({record["run"] for record in records}),
        late_max_s=max(record["t_us"] - instant for record in records) / SECOND,
        claims_from_s=(watch.first_us - instant) / SECOND if watch.first_us else None,
        claimed_s=(watch.all_us - instant) / SECOND if watch.all_us else None,
        before_ms=p99_ms(stage.receiver, instant - BESIDE_S * SECOND, instant - SECOND),
        meanwhile_ms=p99_ms(stage.receiver, instant - SECOND, end),
        after_ms=p99_ms(stage.receiver, end, end + BESIDE_S * SECOND))
    api = stage.api_of(stage.setting.nodes[0])  # the server has closed the idle connection
    made = load.add_many(api, herd_jobs(herd, "H * * * *", "spread"))
    seen["fullest_minute"] = max(collections.Counter(job["next_at"][14:16] for job in made).values())


def herd_holds(seen):
    return {"claimed": seen["claimed_s"] is not None and seen["claimed_s"] <= CLAIMED_MAX_S,
            "late": seen["late_max_s"] <= HERD_LATE_MAX_S and seen["came"] == seen["runs"] == HERD,
            "beside": unchanged(seen["before_ms"], seen["after_ms"]),
            "flat": seen["fullest_minute"] <= FLAT_MAX * HERD / 60}


def prove_herd(table, folder, given):
    def run(world, folder):
        seen = {}
        with world.stage(folder, Setting("F31: many at one minute")) as stage:
            herd = HostReceiver(stage.network, RECEIVERS, folder, name="herd")
            try:
                at_one_minute(stage, herd, seen)
                verdict = stage.finish()
            finally:
                herd.stop()
        verdict.update(seen)
        verdict["holds"] = verdict["holds"] and all(herd_holds(seen).values())
        return verdict
    seen = given.proof.trial("F31-herd", run)
    holds = herd_holds(seen)
    label = f"F31: {HERD:,} jobs at one minute beside the standard load"
    claimed = "never" if seen["claimed_s"] is None else (
        f"{seen['claimed_s']:+.2f} s (the first seen at {seen['claims_from_s']:+.2f} s)")
    table.add(f"{label}: all claimed, from the instant", f"<= {CLAIMED_MAX_S} s", claimed,
              holds["claimed"])
    table.add(f"{label}: lateness, at most", f"<= {HERD_LATE_MAX_S} s, each once",
              f"{seen['late_max_s']:.2f} s, {seen['runs']} of {seen['came']}", holds["late"])
    table.add(f"F31: lateness p99 of the standard load, {BESIDE_S} s after",
              f"<= {NOISE} times that before, or <= {CALM_P99_MS:g} ms",
              f"{seen['after_ms']:.2f} ms; before {seen['before_ms']:.2f} ms, meanwhile "
              f"{seen['meanwhile_ms']:.2f} ms", holds["beside"])
    table.add("F31: the standard load: lost, doubled, late …", "0",
              f"{seen['counts'] or 0} ({seen['figures']['must']} due)", not seen["counts"])
    table.add(f"F31: the same jobs with H for the minute: the fullest of 60 minutes",
              f"<= {FLAT_MAX * HERD / 60:.0f}", str(seen["fullest_minute"]), holds["flat"])


POINTS = {"receivers": prove_bad, "storm": prove_storm, "herd": prove_herd}
