"""API v1: its table, and signatures that are none. Points of `tools/prove original`."""

import collections
import os
import pathlib
import subprocess
import time

from client import Client
from processes import ROOT, Server, clean_environment
from v1 import Account, mutated
from v1_table import cases, fault_of

WIRE_MUTATIONS = 5_000
MUTATIONS = 100_000


def prove_table(table, folder, given):
    server = Server(folder).start()
    try:
        account = Account.made_by(Client(server), server, "prove@example.com")
        counts, faults = collections.Counter(), collections.defaultdict(list)
        for case in cases(account):
            counts[case.group] += 1
            fault = fault_of(case, account)
            if fault:
                faults[case.group].append(fault)
        for group, count in counts.items():
            wrong = faults[group]
            figure = f"{count} exact" if not wrong else f"{len(wrong)} of {count}: {wrong[0][:200]}"
            table.add(f"v1, {group}", "each answer exact", figure, not wrong)
    finally:
        server.kill()


def prove_signatures(table, folder, given):
    program = core_test()
    began = time.monotonic()
    ran = subprocess.run([program, "--gtest_filter=V1Signature.*"], capture_output=True, text=True,
                         timeout=600, env=clean_environment())
    vectors, mutations = (f"[       OK ] V1Signature.{test}" in ran.stdout for test in (
        "IsThatOf2015", "OfAHundredThousandMutationsNoneIsTaken"))
    table.add("v1, the vectors of 2015", "6 of 6", "6 of 6" if vectors else ran.stdout[-300:], vectors)
    table.add("v1, mutated signatures", f"0 of {MUTATIONS} accepted",
              f"0 accepted in {time.monotonic() - began:.1f} s" if mutations else ran.stdout[-300:],
              mutations)
    server = Server(folder).start()
    try:
        account = Account.made_by(Client(server), server, "prove@example.com")
        accepted = mutated(account, WIRE_MUTATIONS, seed=20150619)
        table.add("v1, mutated requests on the wire", f"0 of {WIRE_MUTATIONS} accepted",
                  f"{accepted} accepted", accepted == 0)
    finally:
        server.kill()


def core_test():
    """The tests of the pure core, beside the program under test."""
    path = pathlib.Path(os.environ.get("CRONALLY_CORE_TEST", ROOT / "build/release/core_test"))
    assert os.access(path, os.X_OK), f"{path} is not built"
    return str(path)


POINTS = {"v1-table": prove_table, "v1-signatures": prove_signatures}
