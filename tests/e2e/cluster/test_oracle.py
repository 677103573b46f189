"""The oracle against cronsim's answers, and the rules in which Cronally differs from it on
purpose."""

import datetime

import pytest

from cluster import oracle
from processes import ROOT

GOLDEN = ROOT / "tests/golden"
DAYS_MAX = 4  # rows that span more would take long: the oracle looks at every minute


def rows(name):
    lines = (GOLDEN / name).read_text().splitlines()
    return [line.split("\t") for line in lines if line and not line.startswith("#")]


def microseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e6)


def answers():
    """(expression, zone, from, seconds since 1970): cronsim's, or ours where that differs."""
    ours = {(row[1], row[2], row[3]): row[5] for row in rows("differences.tsv")
            if row[0] == "cronsim"}
    for expression, zone, begin, answer in rows("cronsim.tsv"):
        answer = ours.get((expression, zone, begin), answer)
        if answer == "refused":
            continue
        seconds = [int(word) for word in answer.split()]
        if seconds and seconds[-1] * 1_000_000 - microseconds(begin) <= DAYS_MAX * 86_400_000_000:
            yield expression, zone, begin, seconds


def test_it_agrees_with_cronsim_and_the_listed_differences():
    compared = 0
    for expression, zone, begin, seconds in answers():
        try:
            found = oracle.due(expression, zone, microseconds(begin), seconds[-1] * 1_000_000)
        except oracle.Unknown:
            continue
        compared += 1
        assert [at // 1_000_000 for at in found] == seconds, (expression, zone, begin)
    assert compared >= 150


@pytest.mark.parametrize("expression,dst,begin,found", [
    # a gap: Riga, 28 March 2021, 03:00 to 04:00
    ("30 3 * * *", "run", "2021-03-27T23:00:00Z", ["01:00:00"]),
    ("30 3 * * *", "skip", "2021-03-27T23:00:00Z", []),
    ("*/20 3,4 * * *", "run", "2021-03-27T23:00:00Z", ["01:00:00", "01:20:00", "01:40:00"]),
    # an overlap: 31 October 2021, 03:00 to 04:00 twice
    ("30 3 * * *", "run", "2021-10-30T23:00:00Z", ["00:30:00"]),
    ("30 * * * *", "run", "2021-10-30T23:00:00Z", ["23:30:00", "00:30:00", "01:30:00", "02:30:00"]),
    ("*/30 0 3 * * *", "run", "2021-10-30T23:00:00Z", ["00:00:00", "00:00:30"]),
])
def test_clock_changes(expression, dst, begin, found):
    begin = microseconds(begin)
    instants = oracle.due(expression, "Europe/Riga", begin, begin + 4 * 3600 * 1_000_000, dst)
    shown = [datetime.datetime.fromtimestamp(at / 1e6, oracle.UTC) for at in instants]
    assert [f"{at:%T}" for at in shown] == found


@pytest.mark.parametrize("text", [
    "", "* * *", "60 * * * *", "*/0 * * * *", "5-1 * * * *", "H * * * *", "0 0 L * *",
    "0 0 * * MON#2", "0 0 ? * 1", "@hourly"])
def test_what_it_does_not_know_is_refused(text):
    with pytest.raises(oracle.Unknown):
        oracle.parse(text)
