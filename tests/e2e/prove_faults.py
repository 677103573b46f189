"""The faults of one machine: what was done, what was seen, and the promise that held.

F1–F11 of the fault list. Points for `tools/prove holds`; a point is prove_x(table, folder, given).
"""

import contextlib
import datetime
import http.client
import pathlib
import random
import re
import signal
import socket
import sqlite3
import time

import kill_run
from checker import instant_text, instant_us, percentile
from faults import (Impossible, Injection, LoopDisk, Service, TestClock, Writers, fill,
                    hooks_program, mounted, need_program, need_root, run_quietly, small_disk)
from processes import cronally_program, wait_until

KILLS = 200
POWER_CUTS = 20
POWER_CUTS_CONTROL = 5


def verdict(table, fault, findings, service, promise="0 lost, doubled, early"):
    """The row that every fault ends with: the checker's findings."""
    seen = f"{service.due} due, {len(service.requests())} requests, {findings.repeated} repeated"
    counts = findings.counts()
    table.add(f"{fault}: {promise}", "0", f"{counts or 0} ({seen})", not counts)


def possible(point, promise):
    """Turns Impossible into a skipped row."""
    def wrap(function):
        def guarded(table, folder, given, **how):
            try:
                function(table, folder, given, **how)
            except Impossible as why:
                table.skip(point, promise, str(why))
        guarded.__doc__ = function.__doc__
        return guarded
    return wrap


# ---- F1: kill -9 ----------------------------------------------------------------------------------

def prove_kill(table, folder, given):
    result = kill_run.run(folder, KILLS, 1)
    counts = result.findings.counts()
    table.add(f"F1 kill -9, {KILLS} times: lost, doubled, early, unaccounted", "0",
              f"{counts or 0} ({result.due} due, {result.requests} requests, "
              f"{result.findings.repeated} repeated within the bound; a bare sync took "
              f"{result.slowest_sync_ms:.1f} ms at most)", not counts)
    table.add("F1 kill -9: ended by itself; integrity_check", "0; ok",
              f"{result.ended_by_itself}; {result.integrity}",
              result.ended_by_itself == 0 and result.integrity == "ok")


# ---- F2: power cut --------------------------------------------------------------------------------

def cut_power_once(service, disk, chance):
    """One cut under load; (acknowledged writes, of these lost, delivered claims lost).

    What was acknowledged or delivered before the cut counts. The kernel lets an fdatasync that is
    under way at that moment return 0 though its journal is lost (a bare loop of writes that grow a
    file and are synced sees this in a fifth of all cuts, and never for a sync that ended before);
    where the power is really cut, nobody hears of it.
    """
    writers = Writers(service.server)
    time.sleep(chance.uniform(0.3, 1.0))
    acknowledged = list(writers.acknowledged)
    cut_us = kill_run.now_us()
    service.deaths.append(cut_us)  # from here on nothing is recorded
    disk.cut_power()
    service.died()
    writers.stop()
    disk.unmount()
    disk.mount()
    service.again()
    known = {run["id"] for run in service.api.pages("/v2/runs")}
    delivered = {record["run"] for record in service.requests() if record["t_us"] < cut_us}
    lost = set(writers.lost(service.api)) & set(acknowledged)
    return len(acknowledged), len(lost), len(delivered - known)


def cut_power(folder, cuts, **how):
    """Cuts the power often; (acknowledged, lost, delivered and not in the ledger), service."""
    disk = LoopDisk(folder)
    try:
        service = Service(folder, home=disk.path, **how)
        try:
            chance = random.Random(1)
            seen = [cut_power_once(service, disk, chance) for _ in range(cuts)]
            return [sum(column) for column in zip(*seen)], service, service.finish()
        finally:
            service.close()
    finally:
        disk.remove()


@possible("F2 power cut", "0 acknowledged writes lost")
def prove_power(table, folder, given):
    (acknowledged, lost, unknown), service, findings = cut_power(folder, POWER_CUTS)
    table.add(f"F2 power cut of an ext4, {POWER_CUTS} times: acknowledged API writes lost", "0",
              f"{lost} of {acknowledged}", lost == 0 and acknowledged > 100)
    table.add("F2 power cut: delivered runs that the ledger forgot", "0", str(unknown),
              unknown == 0)
    verdict(table, "F2 power cut", findings, service)


@possible("F2 power cut, control", "must lose some")
def prove_power_control(table, folder, given):
    """The same with synchronous=NORMAL: a test that cannot fail shows nothing."""
    (acknowledged, lost, unknown), _, _ = cut_power(
        folder, POWER_CUTS_CONTROL, program=hooks_program(),
        environment={"CRONALLY_TEST_SQLITE_SYNCHRONOUS": "NORMAL"})
    table.add(f"F2 control, synchronous=NORMAL, {POWER_CUTS_CONTROL} cuts: writes lost, runs "
              "forgotten", "> 0", f"{lost} of {acknowledged}, {unknown}", lost > 0)


# ---- F3: fsync error ------------------------------------------------------------------------------

@possible("F3 fsync error", "exit without a retry")
def prove_fsync(table, folder, given):
    service = Service(folder)
    try:
        writers = Writers(service.server)
        time.sleep(0.5)
        injection = Injection(service.server.pid, "fdatasync,fsync", "error=EIO:when=1+",
                              folder / "strace")
        status = service.server.process.wait(20)
        ended = time.time()
        service.died()
        writers.stop()
        injection.stop()
        calls = injection.calls()
        failed_at = next(at for at, _, injected in calls if injected)
        table.add("F3 fsync answers EIO: the server ends, status", "74 <= 1 s",
                  f"{status} after {(ended - failed_at) * 1000:.0f} ms",
                  status == 74 and ended - failed_at <= 1)
        table.add("F3 fsync error: fsyncs after the first failure", "0", str(len(calls) - 1),
                  len(calls) == 1)
        service.again()
        lost = writers.lost(service.api)
        table.add("F3 fsync error: acknowledged API writes lost", "0",
                  f"{len(lost)} of {len(writers.acknowledged)}", not lost)
        verdict(table, "F3 fsync error", service.finish(), service)
    finally:
        service.close()


# ---- F4: disk full --------------------------------------------------------------------------------

def fill_and_free(service, disk, full_s):
    """Fills the disk under load for `full_s`, then frees it. What was seen, by name."""
    seen = {}
    writers = seen["writers"] = Writers(service.server, threads=1)
    time.sleep(0.3)
    filler = fill(disk)
    service.wait_unready("disk is full")
    seen["said"] = service.ready_text().split("\n")[0]
    time.sleep(4)  # what was claimed before leaves within the lead
    before = len(service.requests())
    time.sleep(full_s)
    seen["claimed"] = len(service.requests()) - before
    seen["open"] = len(service.api.pages("/v2/runs", state="claimed"))
    writers.stop()
    filler.unlink()
    seen["ready_s"] = service.wait_again()
    return seen


@possible("F4 disk full", "refused, then resumed")
def prove_disk_full(table, folder, given, full_s=10):
    with small_disk(folder / "disk", 96) as disk:
        service = Service(folder, home=disk)
        try:
            seen = fill_and_free(service, disk, full_s)
            answers = set(seen["writers"].refused)
            table.add("F4 disk full: new API writes answer", "503 disk_full",
                      ", ".join(f"{status} {code}" for status, code in answers),
                      answers == {(503, "disk_full")})
            table.add("F4 disk full: /readyz says why", "disk is full", seen["said"][:70],
                      "disk is full" in seen["said"])
            table.add(f"F4 disk full: claims in {full_s} s", "0", str(seen["claimed"]),
                      seen["claimed"] == 0)
            table.add("F4 disk full: runs whose outcome the ballast had no room for", "0",
                      str(seen["open"]), seen["open"] == 0)
            table.add("F4 disk full: ready after space is free", "<= 5 s",
                      f"{seen['ready_s']:.2f} s", seen["ready_s"] <= 5)
            size = (disk / "data" / "ballast").stat().st_size
            table.add("F4 disk full: the ballast is back", "32 MiB", f"{size >> 20} MiB",
                      size == 32 << 20)
            acknowledged = len(seen["writers"].acknowledged)
            lost = seen["writers"].lost(service.api)
            table.add("F4 disk full: acknowledged API writes lost", "0",
                      f"{len(lost)} of {acknowledged}", not lost and acknowledged > 10)
            verdict(table, "F4 disk full", service.finish(), service)
        finally:
            service.close()


# ---- F5: slow disk --------------------------------------------------------------------------------

@possible("F5 slow disk", "late by 2 s at most")
def prove_slow_disk(table, folder, given, seconds=15):
    service = Service(folder)
    try:
        injection = Injection(service.server.pid, "fdatasync,fsync", "delay_enter=300000",
                              folder / "strace")
        since = kill_run.now_us()
        writers = Writers(service.server)
        time.sleep(seconds)
        writers.stop()
        injection.stop()
        late = service.lateness_ms(since)
        table.add("F5 fdatasync takes 300 ms more: lateness, max", "<= 2 s",
                  f"{max(late):.0f} ms (p50 {percentile(late, 0.5):.1f} ms)", max(late) <= 2000)
        p99 = percentile(writers.took_s, 0.99)
        table.add(f"F5 slow disk: API p99 of {len(writers.took_s)} creates", "<= 2 s",
                  f"{p99 * 1000:.0f} ms", p99 <= 2)
        verdict(table, "F5 slow disk", service.finish(), service)
    finally:
        service.close()


# ---- F6: the file is removed, read-only, damaged --------------------------------------------------

def prove_removed(table, folder, given):
    service = Service(folder)
    try:
        writers = Writers(service.server, threads=1)
        time.sleep(0.5)
        file, aside = service.server.data / "cronally.db", folder / "aside.db"
        file.rename(aside)
        begun = time.monotonic()
        service.wait_unready("removed or replaced")
        noticed = time.monotonic() - begun
        table.add("F6 file removed under the server: /readyz says so", "<= 2 s",
                  f"{noticed:.2f} s", noticed <= 2)
        time.sleep(1.5)
        writers.stop()
        table.add("F6 file removed: API writes answer", "503 database_removed",
                  ", ".join(sorted(f"{status} {code}" for status, code in set(writers.refused))),
                  set(writers.refused) == {(503, "database_removed")})
        copy = folder / "rescued.db"
        copy.write_bytes(service.api.send("POST", "/v2/backup").body)
        with contextlib.closing(sqlite3.connect(copy)) as database:
            sound = database.execute("PRAGMA integrity_check").fetchone()[0]
            names = {row[0] for row in database.execute("SELECT name FROM job")}
        lost = [name for name in writers.acknowledged if name not in names]
        table.add("F6 file removed: a backup still saves it; acknowledged writes missing in it",
                  "ok; 0", f"{sound}; {len(lost)} of {len(writers.acknowledged)}",
                  sound == "ok" and not lost and len(writers.acknowledged) > 10)
        aside.rename(file)
        resumed = service.wait_again()
        # Loops that met the outage pause up to 10 s and count as well after 5 s.
        table.add("F6 file put back: ready again", "<= 16 s", f"{resumed:.2f} s", resumed <= 16)
        verdict(table, "F6 file removed", service.finish(), service)
    finally:
        service.close()


def refusal_to_start(server):
    server.spawn()
    return server.process.wait(20), server.log().strip().split("\n")[-1]


def prove_damaged(table, folder, given):
    service = Service(folder, count=5)
    service.server.stop()
    service.close()
    with open(service.server.data / "cronally.db", "r+b") as file:
        file.seek(100)  # after the header: the root page of the schema
        file.write(b"\xff" * 3996)
    service.server.log_file.unlink()
    status, text = refusal_to_start(service.server)
    table.add("F6 damaged page: the start is refused, with the remedy", "1, cronally restore",
              f"{status}: {text[-70:]}", status == 1 and "damaged" in text
              and "cronally restore" in text)


def prove_read_only(table, folder, given):
    service = Service(folder, count=5)
    service.server.stop()
    service.close()
    data = service.server.data
    try:
        with mounted(data, "--bind", str(data)):
            run_quietly(need_program("mount"), "-o", "remount,ro,bind", data)
            service.server.log_file.unlink()
            status, text = refusal_to_start(service.server)
            table.add("F6 read-only disk: the start is refused and says so", "1, read-only",
                      f"{status}: {text[-80:]}", status == 1 and "ead-only" in text)
    except Impossible as why:
        table.skip("F6 read-only disk", "refuses to start", str(why))


# ---- F7: file descriptors and memory --------------------------------------------------------------

def idle_connections(address, count):
    """Connections that send nothing."""
    host, port = address.split(":")
    opened = []
    for _ in range(count):
        with contextlib.suppress(OSError):
            opened.append(socket.create_connection((host, int(port)), timeout=1))
    return opened


@possible("F7 out of descriptors", "0 lost, doubled")
def prove_descriptors(table, folder, given, seconds=8):
    """64 descriptors for a server with 40 requests of 200 ms at a time and 200 idle callers."""
    limited = [need_program("prlimit"), "--nofile=64:64", cronally_program()]
    service = Service(folder, program=limited, path="/slow/200ms")
    try:
        opened = idle_connections(service.server.address, 200)
        time.sleep(1)
        used, begun = service.cpu_s(), time.monotonic()
        time.sleep(seconds)
        busy = (service.cpu_s() - used) / (time.monotonic() - begun)
        table.add("F7 64 descriptors, 200 idle connections: processor", "<= 30 %",
                  f"{busy * 100:.1f} %", busy <= 0.3)
        for connection in opened:
            connection.close()
        service.api.close()
        again = service.wait_again()
        table.add("F7 descriptors free again: the API answers", "<= 2 s", f"{again:.2f} s",
                  again <= 2)
        failures = [run for run in service.api.pages("/v2/runs", verdict="failed")]
        table.add("F7 out of descriptors: deliveries wait; failed runs", "0", str(len(failures)),
                  not failures)
        verdict(table, "F7 out of descriptors", service.finish(), service)
    finally:
        service.close()


class MemoryLimit:
    """A cgroup in which a process may use so many bytes and no more."""

    def __init__(self, pid, limit):
        need_root()
        self.group = pathlib.Path(f"/sys/fs/cgroup/memory/cronally-{pid}")
        try:
            self.group.mkdir()
            (self.group / "memory.limit_in_bytes").write_text(str(limit))
            (self.group / "cgroup.procs").write_text(str(pid))
        except OSError as error:
            raise Impossible(f"no memory cgroup: {error}") from None

    def remove(self):
        wait_until(lambda: not (self.group / "cgroup.procs").read_text().strip(), 10)
        self.group.rmdir()


@possible("F7 out of memory", "0 lost, doubled")
def prove_memory(table, folder, given):
    service = Service(folder)
    limit = None
    try:
        limit = MemoryLimit(service.server.pid, 24 << 20)
        body = {"items": [{"name": f"big {number}", "schedule": "@every 24h",
                           "target": {"type": "http", "url": "http://127.0.0.1:9/",
                                      "body": "x" * 15_000}} for number in range(900)]}
        for turn in range(20):
            for item in body["items"]:
                item["name"] = f"{item['name'].split('/')[0]}/{turn}"
            try:
                service.api.send("POST", "/v2/jobs/bulk", body, timeout=30)
            except (OSError, http.client.HTTPException):
                break
        status = wait_until(lambda: service.server.process.poll(), 10, what="the end by OOM")
        table.add("F7 memory cgroup of 24 MiB under bulk writes: ended by", "-9 (OOM)",
                  str(status), status == -signal.SIGKILL)
        service.died()
        service.again()
        verdict(table, "F7 out of memory", service.finish(), service)
    finally:
        service.close()
        if limit:
            limit.remove()


# ---- F8: the wall clock is set --------------------------------------------------------------------

def await_phase(share):
    """Waits until this share of a second has passed, for every job is due in its first part."""
    time.sleep((share - time.time() % 1) % 1)


@possible("F8 clock steps", "0 early, doubled")
def prove_clock_steps(table, folder, given):
    clock = TestClock(folder)
    service = clock.service(folder)
    try:
        for offset in (2, 0, -2, 0, 1, -1, 0):
            await_phase(0.6)
            clock.set(offset_s=offset)
            time.sleep(3)
        verdict(table, "F8 clock steps by 1 and 2 s, back across occurrences", service.finish(),
                service)
    finally:
        service.close()


@possible("F8 clock rates", "0 early, doubled")
def prove_clock_rates(table, folder, given):
    """The wall clock alone runs at 0.9, then at 1.1 of its rate: a millisecond in each ten."""
    clock = TestClock(folder)
    service = clock.service(folder)
    try:
        offset_ms = 0
        for rate in (0.9, 1.1, 1.1, 0.9):
            end = time.monotonic() + 5
            while time.monotonic() < end:
                offset_ms += -1 if rate < 1 else 1
                clock.set(offset_s=offset_ms / 1000)  # waits 10 ms
        clock.set()
        verdict(table, "F8 clock at 0.9 and 1.1 of its rate", service.finish(), service)
    finally:
        service.close()


@possible("F8 clock back 1 h", "nothing repeats")
def prove_clock_back(table, folder, given):
    clock = TestClock(folder)
    service = clock.service(folder)
    try:
        await_phase(0.6)
        clock.set(offset_s=-3600)
        service.wait_unready("clock", timeout=5)
        time.sleep(1.5)
        before = len(service.requests())
        time.sleep(4)
        said = service.ready_text().split("\n")[0]
        names = re.search(r"work resumes at (\S+Z)", said)
        wait = (instant_us(names.group(1)) - kill_run.now_us()) / 1e6 if names else None
        table.add("F8 clock back 1 h: requests while it is behind", "0",
                  str(len(service.requests()) - before), len(service.requests()) == before)
        table.add("F8 clock back 1 h: /readyz names when work resumes", "about now, by the old clock",
                  said[-60:], names is not None and -15 < wait < 5)
        await_phase(0.6)
        clock.set()
        resumed = service.wait_again()
        table.add("F8 clock right again: ready", "<= 2 s", f"{resumed:.2f} s", resumed <= 2)
        verdict(table, "F8 clock back 1 h and right again", service.finish(), service)
    finally:
        service.close()


# ---- F9 and F8 forward: what is missed goes by policy ----------------------------------------------

POLICIES = {"latest": {"mode": "latest", "window": "2h"},
            "all": {"mode": "all", "window": "2h", "limit": 1000},
            "skip": {"mode": "skip"}}


def add_policies(service):
    """A job of each policy, every 10 s, and the instant of their grid."""
    anchor = kill_run.now_us()
    for mode, catch_up in POLICIES.items():
        service.api.add(mode, service.receiver.url(f"/{mode}"), schedule="@every 10s",
                        anchor=instant_text(anchor), catch_up=catch_up)
    return anchor


def counts_after_gap(table, fault, folder, gap_s, act):
    """`act(clock, service)` lets `gap_s` pass unseen, between two occurrences."""
    clock = TestClock(folder)
    service = clock.service(folder, count=0)
    try:
        anchor = add_policies(service)
        time.sleep(4 - (kill_run.now_us() - anchor) / 1e6)  # the next is due in 6 s: not claimed
        act(clock, service)
        time.sleep(2)
        owed = gap_s // 10
        wait_until(lambda: service.rows("SELECT count(*) > 0 AND count(*) = count(count) "
                                        "FROM skipped_span")[0][0], 90, step=0.5,
                   what="the spans' counts")
        for mode, runs in (("latest", 1), ("all", min(owed, 1000)), ("skip", 0)):
            last = anchor + owed * 10_000_000
            records = [record for record in service.receiver.records(path=f"/{mode}")
                       if instant_us(record["scheduled_at"]) <= last]
            skipped = service.rows("SELECT coalesce(sum(count), 0) FROM skipped_span "
                                   "JOIN job USING (job_no) WHERE name = ?", mode)[0][0]
            newest = max((instant_us(record["scheduled_at"]) for record in records), default=last)
            holds = len(records) == runs and skipped == owed - runs and newest == last
            table.add(f"{fault}, catch_up {mode}: {owed} owed: runs + skipped and counted",
                      f"{runs} + {owed - runs}", f"{len(records)} + {skipped}", holds)
    finally:
        service.close()


@possible("F9 suspend", "catch-up by policy, exactly")
def prove_suspend(table, folder, given):
    def suspend(clock, service):
        service.server.signal(signal.SIGSTOP)
        clock.set(ahead_s=600)
        time.sleep(2)
        service.server.signal(signal.SIGCONT)

    counts_after_gap(table, "F9 suspended 10 min (SIGSTOP, both clocks on)", folder, 600, suspend)


@possible("F8 clock forward 1 h", "an outage")
def prove_clock_forward(table, folder, given):
    counts_after_gap(table, "F8 clock forward 1 h", folder, 3600,
                     lambda clock, service: clock.set(offset_s=3600))


@possible("F9 stopped 12 s", "0 lost, doubled")
def prove_stopped(table, folder, given, seconds=12):
    service = Service(folder)
    try:
        service.server.signal(signal.SIGSTOP)
        time.sleep(seconds)
        service.server.signal(signal.SIGCONT)
        verdict(table, f"F9 SIGSTOP for {seconds} s, catch_up all", service.finish(), service)
    finally:
        service.close()


# ---- F11: tzdata is replaced ----------------------------------------------------------------------

def replace_zone(zones, zone):
    """Test/Town becomes `zone`, as a package manager replaces a file."""
    fresh = zones / "Test/.new"
    fresh.write_bytes(pathlib.Path(f"/usr/share/zoneinfo/{zone}").read_bytes())
    fresh.replace(zones / "Test/Town")


def daily_at(local):
    return f"{local.second} {local.minute} {local.hour} * * *"


def prove_tzdata(table, folder, given):
    zones = folder / "zones"
    (zones / "Test").mkdir(parents=True)
    replace_zone(zones, "Etc/GMT-2")  # local time is UTC + 2 h
    service = Service(folder, environment={"TZDIR": str(zones)})
    try:
        now = datetime.datetime.now(datetime.timezone.utc)
        later = now + datetime.timedelta(seconds=30)
        # Owed in 30 s under the new rules, and in 40 s under the old ones.
        service.api.add("new", service.receiver.url("/new"), zone="Test/Town",
                        schedule=daily_at(later + datetime.timedelta(hours=3)))
        service.api.add("old", service.receiver.url("/old"), zone="Test/Town",
                        schedule=daily_at(later + datetime.timedelta(hours=2, seconds=10)))
        time.sleep(3)
        replace_zone(zones, "Etc/GMT-3")
        time.sleep(max(0.0, (later - datetime.datetime.now(datetime.timezone.utc)).total_seconds())
                   + 13)
        found = service.receiver.records(path="/new")
        old = service.receiver.records(path="/old")
        wanted = int(later.timestamp())
        late = (found[0]["t_us"] / 1e6 - wanted) * 1000 if found else None
        table.add("F11 tzdata replaced under the server: fires by the new rules 27 s later", "once",
                  f"{len(found)}, {late:.1f} ms late" if found else "0",
                  len(found) == 1 and 0 <= late < 1000)
        table.add("F11 tzdata replaced: fires by the old rules", "0", str(len(old)), not old)
        verdict(table, "F11 tzdata replaced, other jobs", service.finish(), service)
    finally:
        service.close()


POINTS = {"fault-kill": prove_kill, "fault-power": prove_power,
          "fault-power-control": prove_power_control, "fault-fsync": prove_fsync,
          "fault-disk-full": prove_disk_full, "fault-slow-disk": prove_slow_disk,
          "fault-removed": prove_removed, "fault-damaged": prove_damaged,
          "fault-read-only": prove_read_only, "fault-descriptors": prove_descriptors,
          "fault-memory": prove_memory, "fault-clock-steps": prove_clock_steps,
          "fault-clock-rates": prove_clock_rates,
          "fault-clock-back": prove_clock_back, "fault-clock-forward": prove_clock_forward,
          "fault-suspend": prove_suspend, "fault-stopped": prove_stopped,
          "fault-tzdata": prove_tzdata}
