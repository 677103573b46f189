#!/usr/bin/env python3
"""Asks croniter or cronsim (PyPI) the questions of cases.tsv.

    python3 -m venv V && V/bin/pip install croniter==7.0.0 cronsim==2.8
    python3 make_cases.py
    PYTHONTZPATH=$PWD/zoneinfo V/bin/python ask_python.py croniter > croniter.tsv
    PYTHONTZPATH=$PWD/zoneinfo V/bin/python ask_python.py cronsim > cronsim.tsv

Output: expression, zone, from, fires (seconds since 1970, parted by blanks), or "refused" when the
package does not take the expression; "end" is put after the last fire when it finds no more."""

import sys
from datetime import datetime, timezone
from itertools import islice
from zoneinfo import ZoneInfo


def fires_of_croniter(expression, start, count):
    from croniter import croniter
    # A sixth or seventh field: the second goes first, as ours does; day rule as Vixie's.
    found = croniter(expression, start, second_at_beginning=True, implement_cron_bug=True,
                     max_years_between_matches=200)
    return [found.get_next(datetime) for _ in range(count)]


def fires_of_cronsim(expression, start, count):
    from cronsim import CronSim
    return list(islice(CronSim(expression, start), count))


def main():
    ask = {"croniter": fires_of_croniter, "cronsim": fires_of_cronsim}[sys.argv[1]]
    for line in open("cases.tsv", encoding="ascii"):
        expression, zone, start, count = line.rstrip("\n").split("\t")
        at = datetime.fromisoformat(start.replace("Z", "+00:00")).astimezone(ZoneInfo(zone))
        try:
            fires = [str(int(fire.astimezone(timezone.utc).timestamp()))
                     for fire in ask(expression, at, int(count))]
            if len(fires) < int(count):
                fires.append("end")
        except Exception:  # each package has errors of its own
            fires = ["refused"]
        print(expression, zone, start, " ".join(fires), sep="\t")


main()
