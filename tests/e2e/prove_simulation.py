"""The simulation in depth: many worlds by seed, and every known mistake caught.

    prove_simulation.py [--only POINT ...] [--seeds N]

Needs SIM_TEST, the program built from tests/sim. Works on all processors.
"""

import concurrent.futures
import os
import re
import subprocess
import sys
import time

import proving

SIM_TEST = os.environ.get("SIM_TEST", "build/release/tests/sim/sim_test")
PORTION = 25  # worlds of one process
TRIES = 500
MINUTES = 10  # of each world


def run(*arguments):
    done = subprocess.run([SIM_TEST, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    return done.returncode, done.stdout + done.stderr


def pool():
    return concurrent.futures.ThreadPoolExecutor(os.cpu_count())


def prove_worlds(table, folder, given):
    """Each world has its own nodes, clocks, faults and edits; none may break a promise."""
    begun = time.monotonic()
    with pool() as workers:
        done = list(workers.map(lambda first: run("--seeds", min(PORTION, given.seeds + 1 - first),
                                                  "--from", first),
                                range(1, given.seeds + 1, PORTION)))
    took = time.monotonic() - begun
    sums = {}
    for _, said in done:
        for number, what in re.findall(r"(\d+) ([a-z ]+?)(?=[,:\n])", said):
            sums[what] = sums.get(what, 0) + int(number)
    broken = [line for _, said in done for line in said.splitlines() if line.startswith("seed ")]
    for line in broken[:20]:
        print(f"  {line}", file=sys.stderr)
    # A process that died tells no objection, and is none the less one.
    silent = sum(code not in (0, 1) for code, _ in done)
    worlds = sums.get("worlds", 0)
    table.add("worlds in which a promise is broken", "0 of all",
              f"{len({line.split(',')[0] for line in broken})} of {worlds}",
              not broken and silent == 0 and worlds == given.seeds)
    table.add(f"{given.seeds} worlds of {MINUTES} minutes", "<= 5 min on 2 cores",
              f"{took:.0f} s, {worlds * MINUTES * 60 / took:,.0f} times as fast as life",
              took <= 300 if given.seeds == 2000 else None)
    table.add("runs in them", "about 2/s", f"{sums.get('runs', 0):,}, "
              f"{sums.get('runs', 0) / max(1, worlds * MINUTES * 60):.1f}/s", None)
    for what in ("requests", "crashes", "freezes", "cuts", "drains", "shards granted", "edits",
                 "doubtful commits", "skipped spans", "times forgotten", "runs put back"):
        table.add(f"{what} in them", "> 0", f"{sums.get(what, 0):,}", sums.get(what, 0) > 0)


def prove_canaries(table, folder, given):
    """Each mistake is made in one world after another until the checks see it."""
    count = int(re.search(r"(\d+) canaries", run("--canaries", 1)[1])[1])
    with pool() as workers:
        told = list(workers.map(lambda number: run("--canary", number, "--tries", TRIES)[1],
                                range(1, count + 1)))
    done = [match for said in told
            for match in re.findall(r'^canary "(.*)" (P\d+): (.*)$', said, re.M)]
    for name, promise, said in done:
        seed = re.match(r"seed (\d+),", said)
        table.add(f"mistake: {name}", f"caught by {promise} within {TRIES} worlds",
                  f"in world {seed[1]}" if seed else "not caught", seed is not None)
    table.add("mistakes that were made", f">= 12, all {count}", str(len(done)),
              len(done) == count >= 12)


POINTS = {"worlds": prove_worlds, "canaries": prove_canaries}


def main():
    arguments = proving.parser(POINTS, __doc__.split("\n", 1)[0])
    arguments.add_argument("--seeds", type=int, default=2000)
    return proving.prove(POINTS, arguments.parse_args())


if __name__ == "__main__":
    sys.exit(main())
