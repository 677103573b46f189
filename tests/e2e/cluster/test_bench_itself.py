"""The bench without the product: databases that replicate synchronously keep every acknowledged
row, asynchronous ones lose some, and the gap of each failover is measured. About three minutes, as
root.

The whole is `python3 -m cluster.bench --results FOLDER`.
"""

import subprocess

import pytest

import kill_run
from cluster import bench as benches
from cluster.bench import Bench, Trial, Writer, ended
from cluster.databases import need_everything
from faults import Impossible
from processes import wait_until


@pytest.fixture(scope="module")
def bench():
    try:
        need_everything()
        bench = Bench()
    except Impossible as why:
        pytest.skip(f"no databases in namespaces: {why}")
    yield bench
    bench.close()


def test_a_primary_that_is_killed_costs_seconds_and_no_row(bench, tmp_path):
    trial = Trial("primary_killed", "primary_killed", hold_s=6, gap_max_s=10)
    verdict = bench.trial(tmp_path, trial)
    assert verdict["holds"], verdict
    assert verdict["acknowledged"] > 200 and verdict["gap_s"] > 0.5
    assert (tmp_path / "timeline.svg").read_text().startswith("<svg")


def test_a_commit_that_is_cut_is_there_or_not_as_the_cut_says(bench, tmp_path):
    """One writer that repeats nothing: before it nothing is committed, after it everything."""
    bench.ready(synchronous=True)
    writer = Writer(bench.network, "n1", bench.databases, tmp_path, "--once")
    try:
        writer.spawn()
        for number, mode in enumerate(["before", "after", "during"] * 4, 1):
            writer.cut_next(mode)
            wait_until(lambda number=number: len(writer.cuts) == number, 20, what=f"cut {number}")
        wait_until(lambda: len(unknown(writer)) == 12, 20, what="twelve unknown fates")
    finally:
        writer.stop()
    rows = set(bench.databases.query("SELECT key FROM proof"))
    fates = {"before": [], "during": [], "after": []}
    for cut in writer.cuts:
        (one,) = [one for one in unknown(writer) if one["t0"] <= cut["t"] <= one["t1"]]
        fates[cut["cut"]].append(one["key"] in rows)
    assert fates["before"] == [False] * 4 and fates["after"] == [True] * 4
    assert len(fates["during"]) == 4
    assert {one["key"] for one in ended(writer.tries()) if one["fate"] == "acknowledged"} <= rows


def test_a_delay_holds_each_way_and_ends(bench, tmp_path):
    """A transaction is three exchanges, so 100 ms each way make it at least 0.6 s."""
    bench.ready(synchronous=True)
    writer = Writer(bench.network, "n1", bench.databases, tmp_path).spawn()
    took = lambda one: (one["t1"] - one["t0"]) / 1e6
    try:
        wait_until(lambda: len(ended(writer.tries())) > 3, 20, what="rows")
        writer.delay(100, 0)
        far = kill_run.now_us()
        wait_until(lambda: any(one["t0"] > far for one in ended(writer.tries())), 20, what="rows")
        writer.delay(0, 0)
        near = kill_run.now_us()
        wait_until(lambda: sum(one["t0"] > near for one in ended(writer.tries())) > 3, 20,
                   what="rows")
    finally:
        writer.stop()
    tries = ended(writer.tries())
    assert all(0.6 < took(one) < 3 for one in tries if far < one["t0"] and one["t1"] < near)
    assert min(took(one) for one in tries if one["t0"] > near) < 0.3
    assert {one["fate"] for one in tries} == {"acknowledged"}


def unknown(writer):
    return [one for one in ended(writer.tries()) if one["fate"] == "unknown"]


def test_a_partitioned_primary_acknowledges_nothing_that_is_lost(bench, tmp_path):
    trial = Trial("primary_partitioned", "primary_partitioned", until_failover=True)
    verdict = bench.trial(tmp_path, trial)
    assert verdict["holds"], verdict
    assert verdict["lost"] == [] and 5 < verdict["gap_s"] <= benches.FAILOVER_S


def test_the_same_partition_loses_rows_when_replication_is_asynchronous(bench, tmp_path):
    """The negative control: a bench that saw nothing lost here would see nothing lost anywhere."""
    trial = Trial("asynchronous", "primary_partitioned", synchronous=False, loses=True,
                  until_failover=True)
    verdict = bench.trial(tmp_path, trial)
    assert verdict["holds"], verdict
    assert len(verdict["lost"]) >= 10 and verdict["forged"] == []


def test_servers_run_unprivileged(bench):
    bench.ready(synchronous=bench.databases.synchronous if bench.databases else True)
    for name in bench.databases.hosts:
        pids = ",".join(map(str, bench.network.pids(name)))
        users = subprocess.run(["ps", "-o", "user=", "-p", pids], capture_output=True, text=True)
        assert set(users.stdout.split()) == {"postgres"}
