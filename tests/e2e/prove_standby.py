"""A standby, killed for: nothing is lost or doubled, and the gap is short.

    prove_standby.py [--only POINT ...]
"""

import sys

import kill_run
import proving

KILLS = 50


def prove_standby(table, folder, given):
    result = kill_run.run(folder, KILLS, 1, standby=True)
    counts = result.findings.counts()
    table.add(f"standby: kill -9 of the first, {KILLS} times under 200 occurrences/s: lost, doubled, "
              "early, unaccounted", "0",
              f"{counts or 0} ({result.due} due, {result.requests} requests, "
              f"{result.findings.repeated} repeated; a bare sync took {result.slowest_sync_ms:.1f} ms "
              "at most)", not counts)
    table.add("standby: takeover, from the death to readiness, longest", "<= 1 s",
              f"{result.start_ms_max:.0f} ms", result.start_ms_max <= 1000)
    table.add("standby: servers that ended by themselves", "0", str(result.ended_by_itself),
              result.ended_by_itself == 0)
    table.add("standby: the file at the end", "ok", result.integrity, result.integrity == "ok")


POINTS = {"standby": prove_standby}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
