"""The faults of one machine: what was done, what was seen, and the promise that held.

F1–F11 of the fault list. Points for `tools/prove holds`; a point is prove_x(table, folder, given).
"""

import random
import time

import kill_run
from checker import percentile
from faults import (Impossible, Injection, LoopDisk, Service, Writers, fill, hooks_program,
                    small_disk)

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
        def guarded(table, folder, given):
            try:
                function(table, folder, given)
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
              f"{result.findings.repeated} repeated within the bound)", not counts)
    table.add("F1 kill -9: ended by itself; integrity_check", "0; ok",
              f"{result.ended_by_itself}; {result.integrity}", result.ok())


# ---- F2: power cut --------------------------------------------------------------------------------

def cut_power_once(service, disk, chance):
    """One cut under load; (acknowledged writes lost, delivered claims lost)."""
    writers = Writers(service.server)
    time.sleep(chance.uniform(0.3, 1.0))
    disk.cut_power()
    service.died()
    writers.stop()
    disk.unmount()
    disk.mount()
    service.again()
    known = {run["id"] for run in service.api.pages("/v2/runs")}
    unknown = {record["run"] for record in service.requests()} - known
    return len(writers.acknowledged), len(writers.lost(service.api)), len(unknown)


def cut_power(folder, cuts, program=None, environment=None):
    """(acknowledged, lost, delivered and not in the ledger, findings, service)."""
    disk = LoopDisk(folder)
    service = Service(folder, home=disk.path, program=program, environment=environment)
    try:
        chance = random.Random(1)
        acknowledged = lost = unknown = 0
        for _ in range(cuts):
            made, gone, forgotten = cut_power_once(service, disk, chance)
            acknowledged += made
            lost += gone
            unknown += forgotten
        return acknowledged, lost, unknown, service.finish(), service
    finally:
        service.close()
        disk.unmount()


@possible("F2 power cut", "0 acknowledged writes lost")
def prove_power(table, folder, given):
    acknowledged, lost, unknown, findings, service = cut_power(folder, POWER_CUTS)
    table.add(f"F2 power cut of an ext4, {POWER_CUTS} times: acknowledged API writes lost", "0",
              f"{lost} of {acknowledged}", lost == 0 and acknowledged > 100)
    table.add("F2 power cut: delivered runs that the ledger forgot", "0", str(unknown),
              unknown == 0)
    verdict(table, "F2 power cut", findings, service)


@possible("F2 power cut, control", "must lose some")
def prove_power_control(table, folder, given):
    """The same with synchronous=NORMAL: a test that cannot fail shows nothing."""
    disk = LoopDisk(folder)
    service = Service(folder, home=disk.path, program=hooks_program(),
                      environment={"CRONALLY_TEST_SQLITE_SYNCHRONOUS": "NORMAL"})
    try:
        chance = random.Random(1)
        cuts = [cut_power_once(service, disk, chance) for _ in range(POWER_CUTS_CONTROL)]
    finally:
        service.close()
        disk.unmount()
    lost = sum(cut[1] for cut in cuts)
    table.add(f"F2 control, synchronous=NORMAL, {POWER_CUTS_CONTROL} cuts: writes lost", "> 0",
              f"{lost} of {sum(cut[0] for cut in cuts)}", lost > 0)


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


POINTS = {"fault-kill": prove_kill, "fault-power": prove_power,
          "fault-power-control": prove_power_control, "fault-fsync": prove_fsync,
          "fault-disk-full": prove_disk_full, "fault-slow-disk": prove_slow_disk}
