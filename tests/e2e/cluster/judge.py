"""Judges a folder of a run, again if need be: `python3 -m cluster.judge FOLDER`, in tests/e2e.

Reads what cluster/checker.py names, writes verdict.json and timeline.svg beside it, prints the
verdict. Ends with 0 if everything holds.
"""

import json
import pathlib
import sys

from cluster import checker, timeline
from cluster.trials import write_json


def judge(folder):
    """The verdict, which the folder then has too."""
    folder = pathlib.Path(folder)
    record = checker.read(folder)
    said = checker.verdict(record)
    write_json(folder / "verdict.json", said)
    (folder / "timeline.svg").write_text(timeline.of_record(record).svg())
    return said


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python3 -m cluster.judge FOLDER")
    verdict = judge(sys.argv[1])
    print(json.dumps(verdict, indent=1, sort_keys=True))
    sys.exit(0 if verdict["holds"] else 1)
