"""Live servers through the clock changes of a year, at 60 times the speed (F10 of the fault list).

What should fire is computed here from Python's zoneinfo alone, by the rules of docs/schedules.md:
a schedule whose minute or hour is `*` follows real time; any other fires once for each local time,
in the first pass of an overlap, and at a gap's end for a time that is missing (`dst: run`) or not
at all (`dst: skip`).
"""

import contextlib
import datetime
import time
import zoneinfo

from checker import instant_us
from client import segment
from faults import Impossible, TestClock

YEAR = 2026
RATE = 60
BEFORE = datetime.timedelta(minutes=80)  # an overlap's first pass, and time to create the jobs
AFTER = datetime.timedelta(minutes=80)
TOGETHER = datetime.timedelta(minutes=40)  # changes that share a server
MINUTE = datetime.timedelta(minutes=1)
UTC = datetime.timezone.utc

ZONES = ["Europe/London", "Europe/Dublin", "Europe/Lisbon", "Europe/Berlin", "Europe/Riga",
         "Europe/Athens", "Europe/Kyiv", "Atlantic/Azores", "Antarctica/Troll", "Asia/Beirut",
         "Africa/Cairo", "Africa/Casablanca", "Asia/Jerusalem", "America/New_York",
         "America/Chicago", "America/Denver", "America/Los_Angeles", "America/St_Johns",
         "America/Havana", "America/Santiago", "Australia/Sydney", "Australia/Lord_Howe",
         "Pacific/Auckland", "Pacific/Chatham"]

# (expression, follows real time, minute of the hour, hours); with `dst` run and skip
EXPRESSIONS = [("*/20 * * * *", True, (0, 20, 40), range(24)),
               ("10 */2 * * *", False, (10,), range(0, 24, 2)),
               ("10 1-23/2 * * *", False, (10,), range(1, 24, 2))]


def changes_of(zone):
    """The UTC minutes of the year at which the zone's offset changes."""
    info = zoneinfo.ZoneInfo(zone)
    offset = lambda at: at.astimezone(info).utcoffset()
    at = datetime.datetime(YEAR, 1, 1, tzinfo=UTC)
    found = []
    while at.year == YEAR:
        following = at + datetime.timedelta(days=1)
        if offset(at) != offset(following):
            low, high = at, following
            while high - low > MINUTE:
                middle = low + (high - low) // 2 // MINUTE * MINUTE
                low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
            found.append(high)
        at = following
    return found


def windows():
    """(first change, last change, zones that change between) of each server."""
    changes = sorted((at, zone) for zone in ZONES for at in changes_of(zone))
    groups = []
    for at, zone in changes:
        if groups and at - groups[-1][0] <= TOGETHER:
            groups[-1][1] = at
            groups[-1][2].append(zone)
        else:
            groups.append([at, at, [zone]])
    return groups


def owed(zone, expression, dst, begin, end):
    """The instants in (begin, end] at which a job should fire."""
    _, real_time, minutes, hours = expression
    info = zoneinfo.ZoneInfo(zone)
    margin = datetime.timedelta(hours=4)
    first_of = {}  # local minute -> the first UTC minute that shows it
    instants = set()
    previous = None
    at = begin - margin
    while at <= end + margin:
        local = at.astimezone(info).replace(tzinfo=None)
        matches = local.minute in minutes and local.hour in hours
        if matches and (real_time or local not in first_of):
            instants.add(at)
        first_of.setdefault(local, at)
        missing = previous + MINUTE if previous else local
        while not real_time and dst == "run" and missing < local:  # a gap ends here
            if missing.minute in minutes and missing.hour in hours:
                instants.add(at)
            missing += MINUTE
        previous = local
        at += MINUTE
    return sorted(instant for instant in instants if begin < instant <= end)


def start_window(folder, first, last, zones):
    """A service whose clock begins before the changes and runs 60 times as fast."""
    clock = TestClock(folder)
    offset = int((first - BEFORE - datetime.datetime.now(UTC)).total_seconds())
    clock.set(offset_s=offset)
    service = clock.service(folder, count=0)
    jobs = {}
    for zone in zones:
        for expression in EXPRESSIONS:
            for dst in ("run", "skip"):
                name = f"{zone} {expression[0]} {dst}"
                job = service.api.add(name, service.receiver.url("/" + segment(dst)), zone=zone,
                                      dst=dst, schedule=expression[0],
                                      catch_up={"mode": "all", "window": "2h", "limit": 1000})
                jobs[job["id"]] = (zone, expression, dst, instant_us(job["updated_at"]))
    clock.set(offset_s=offset, rate=RATE)
    return service, jobs, last + AFTER - datetime.timedelta(minutes=10)


def judge_window(service, jobs, end):
    """(owed, missed, extra, doubled, names of what is wrong) of one server."""
    fired = {}
    for record in service.requests():
        key = (record["job"], instant_us(record["scheduled_at"]))
        fired[key] = fired.get(key, 0) + 1
    wanted = set()
    for job, (zone, expression, dst, since) in jobs.items():
        begin = datetime.datetime.fromtimestamp(since / 1e6, UTC)
        floor = begin.replace(second=0, microsecond=0)
        wanted |= {(job, int(at.timestamp()) * 1_000_000)
                   for at in owed(zone, expression, dst, floor, end)}
    seen = {key for key in fired if key[1] <= int(end.timestamp()) * 1_000_000}
    wrong = [f"{jobs[job][0]} {jobs[job][1][0]} {jobs[job][2]} "
             f"{datetime.datetime.fromtimestamp(at / 1e6, UTC):%FT%TZ}"
             for job, at in sorted(wanted ^ seen)]
    doubled = sum(1 for count in fired.values() if count > 1)
    return len(wanted), len(wanted - seen), len(seen - wanted), doubled, wrong


def prove_dst(table, folder, given, only=None):
    """`only`: so many windows, for a short look."""
    point = f"F10 clock changes of {YEAR}, {len(ZONES)} zones, live at x{RATE}"
    try:
        with contextlib.ExitStack() as services:
            live = []
            for number, (first, last, zones) in enumerate(windows()[:only]):
                place = folder / str(number)
                place.mkdir()
                live.append(start_window(place, first, last, zones))
                services.callback(live[-1][0].close)
            longest = max(last - first for first, last, _ in windows()[:only])
            time.sleep((BEFORE + longest + AFTER).total_seconds() / RATE + 2)
            judged = [judge_window(*window) for window in live]
    except Impossible as why:
        table.skip(point, "the table exactly", str(why))
        return
    total, missed, extra, doubled = (sum(column) for column in list(zip(*judged))[:4])
    wrong = [text for window in judged for text in window[4]]
    for text in wrong[:20]:
        print("   ", text)
    table.add(f"{point}: owed; missed, extra, doubled", "0, 0, 0",
              f"{total} in {len(live)} servers; {missed}, {extra}, {doubled}",
              total > 0 and missed == extra == doubled == 0)


POINTS = {"fault-dst": prove_dst}
