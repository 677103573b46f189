"""When a cron expression is due, from Python's zoneinfo alone: what the product is judged by.

It shares no code with the product and knows less: five fields, or six with the second first;
numbers, names, lists, ranges and steps. Anything else is refused, so that nothing is judged by a
guess. The rules for clock changes are those of docs/schedules.md: a schedule whose minute or hour
is `*` or `*/1` follows real time; any other fires once for each local time, in the first pass of an
overlap, and for a time that a gap leaves out at the gap's end (`dst: run`) or not at all (`dst:
skip`).

due("30 9 * * 1-5", "Europe/Riga", begin, end) is the ascending list of instants in (begin, end], in
microseconds since 1970.
"""

import dataclasses
import datetime
import re
import zoneinfo

UTC = datetime.timezone.utc
MINUTE = datetime.timedelta(minutes=1)
MARGIN = datetime.timedelta(hours=4)  # longer than any overlap or gap of a clock change
SECOND_US = 1_000_000
MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()
DAYS = "SUN MON TUE WED THU FRI SAT".split()
ANY = ("*", "*/1")


class Unknown(ValueError):
    """An expression that this oracle does not judge."""


def numbers(field, low, high, names=(), first_name=0):
    """The set of values that a field allows."""
    allowed = set()
    for part in field.split(","):
        match = re.fullmatch(r"(\*|([0-9A-Z]+)(?:-([0-9A-Z]+))?)(?:/([0-9]+))?", part.upper())
        if not match:
            raise Unknown(f"{part!r} in a field")
        whole, first, last, step = match.groups()
        if whole == "*":
            begin, end = low, high
        else:
            begin = value_of(first, names, first_name)
            end = value_of(last, names, first_name) if last else high if step else begin
        if not low <= begin <= end <= high or step == "0":
            raise Unknown(f"{part!r} in a field")
        allowed.update(range(begin, end + 1, int(step or 1)))
    return allowed


def value_of(text, names, first_name):
    if text in names:
        return names.index(text) + first_name
    if not text.isdigit():
        raise Unknown(f"{text!r} in a field")
    return int(text)


@dataclasses.dataclass(frozen=True)
class Expression:
    seconds: frozenset
    minutes: frozenset
    hours: frozenset
    days: frozenset
    months: frozenset
    weekdays: frozenset  # 0 is Sunday
    real_time: bool
    both_days: bool      # a day must fit both day fields, since one begins with *

    def on(self, day):
        """Whether anything is due on this local date."""
        of_month = day.day in self.days
        of_week = day.isoweekday() % 7 in self.weekdays
        fits = (of_month and of_week) if self.both_days else (of_month or of_week)
        return fits and day.month in self.months

    def at(self, local):
        """Whether anything is due in this local minute."""
        return local.minute in self.minutes and local.hour in self.hours and self.on(local.date())


def parse(text):
    fields = text.split()
    if len(fields) == 5:
        fields = ["0", *fields]
    if len(fields) != 6:
        raise Unknown(f"{text!r} has not five or six fields")
    second, minute, hour, day, month, weekday = fields
    return Expression(
        frozenset(numbers(second, 0, 59)), frozenset(numbers(minute, 0, 59)),
        frozenset(numbers(hour, 0, 23)), frozenset(numbers(day, 1, 31)),
        frozenset(numbers(month, 1, 12, MONTHS, 1)),
        frozenset(number % 7 for number in numbers(weekday, 0, 7, DAYS)),
        real_time=minute in ANY or hour in ANY,
        both_days=day.startswith("*") or weekday.startswith("*"))


def due(text, zone, begin, end, dst="run"):
    """Instants in (begin, end], ascending, all in microseconds."""
    expression = parse(text)
    info = zoneinfo.ZoneInfo(zone)
    floor = datetime.datetime.fromtimestamp(begin // (60 * SECOND_US) * 60, UTC)
    first_of = set()  # local minutes that have been seen
    found = set()
    previous = None
    seconds = (end - begin) // SECOND_US + 60 + 2 * MARGIN.total_seconds()
    for step in range(int(seconds // 60) + 1):
        at = floor - MARGIN + step * MINUTE
        local = at.astimezone(info).replace(tzinfo=None)
        whole = int(at.timestamp()) * SECOND_US
        if expression.at(local) and (expression.real_time or local not in first_of):
            found.update(whole + second * SECOND_US for second in expression.seconds)
        first_of.add(local)
        missing = previous + MINUTE if previous else local
        while not expression.real_time and dst == "run" and missing < local:  # a gap ends here
            if expression.at(missing):
                found.add(whole)
            missing += MINUTE
        previous = local
    return sorted(instant for instant in found if begin < instant <= end)
