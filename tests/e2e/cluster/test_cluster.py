"""Three nodes over three databases, struck while they work: the short set, some four minutes, as
root. The whole is `tools/prove cluster`.
"""

import json
import subprocess
import time

import pytest

from checker import instant_us
from cluster import felt
from cluster.databases import USER, need_everything
from cluster.world import Setting, World
from faults import Impossible
from kill_run import now_us
from processes import clean_environment, cronally_program

NODE_GAP_S = 6      # time to live of 5 s, and 1 s
FAILOVER_GAP_S = 40


@pytest.fixture(scope="module")
def world():
    try:
        need_everything()
        made = World()
    except Impossible as why:
        pytest.skip(f"no cluster in namespaces: {why}")
    yield made
    made.close()


def struck(world, folder, setting, plan, gap_max_s):
    """The verdict of a trial that must hold, and whose faults must have been felt."""
    verdict = world.trial(folder, setting, plan)
    assert verdict["holds"], json.dumps(verdict, indent=1)
    assert verdict["figures"]["must"] > 500
    assert 0.1 < felt.worst(verdict["felt"], "late_max_s") <= gap_max_s, verdict["felt"]
    return verdict


def test_a_node_that_dies_freezes_or_is_cut_off_costs_its_time_to_live_and_nothing_else(
        world, tmp_path):
    def plan(stage):
        for pick, (kind, hold_s) in enumerate([("node_killed", 2), ("node_frozen", 7),
                                               ("node_cut_from_databases", 7)]):
            stage.nemesis.strike(kind, hold_s, pick)
            stage.wait_ready()
            stage.wait_shared()
    verdict = struck(world, tmp_path, Setting("a node dies, freezes, is cut off", half_sent=True),
                     plan, NODE_GAP_S)
    assert verdict["clients"]["acknowledged"] > 5
    assert (tmp_path / "timeline.svg").read_text().count('class="band"') == 3


def test_a_primary_that_is_killed_and_commits_that_are_cut_lose_and_double_nothing(world, tmp_path):
    def plan(stage):
        stage.nemesis.strike("commit_cut", hold_s=8)
        time.sleep(1)
        stage.nemesis.strike("primary_killed", hold_s=8)
    verdict = struck(world, tmp_path, Setting("commits cut, primary killed", proxied=True), plan, 10)
    assert verdict["cuts"] >= 10


def test_a_primary_that_is_cut_off_is_followed_by_another(world, tmp_path):
    def plan(stage):
        before, elected = stage.databases.timeline(), []
        def done():
            if not elected and stage.databases.timeline() > before:
                elected.append(now_us())
            return elected and any(instant_us(one["scheduled_at"]) > elected[0]
                                   for one in stage.receiver.records()[-50:])
        stage.nemesis.strike("primary_partitioned", 45, until=done)
    struck(world, tmp_path, Setting("primary cut off"), plan, FAILOVER_GAP_S)


def looked_at(world, node):
    """What doctor says on a node's host: its exit status, and check -> its findings."""
    done = subprocess.run(
        world.network.command(node.host, cronally_program(), "doctor", "--json", "--data-dir",
                              node.data, "--database", world.databases.url()),
        capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
        env=clean_environment())
    findings = {}
    for finding in json.loads(done.stdout)["findings"]:
        findings.setdefault(finding["check"], []).append(finding)
    return done.returncode, findings


def test_doctor_tells_what_a_failover_loses(world, tmp_path):
    with world.stage(tmp_path, Setting("looked at", clients=False)) as stage:
        node = stage.nodes["n1"]
        world.databases.query("GRANT pg_monitor TO cronally", database=USER)
        status, said = looked_at(world, node)
        levels = {name: {finding["level"] for finding in said[name]}
                  for name in ("primary", "replication", "clock", "node", "shards", "key")}
        assert status == 0 and set.union(*levels.values()) == {"ok"}, said
        primary = world.databases.hosts[world.databases.primary()].address
        assert primary in said["primary"][0]["says"], said["primary"]
        assert world.databases.synchronous_standby() in said["replication"][0]["says"], said
        assert len(said["clock"]) == 3, said["clock"]

        world.databases.set_synchronous(False)
        status, said = looked_at(world, node)
        assert status == 0 and said["replication"][0]["level"] == "warning", said
        assert "synchronous_mode" in said["replication"][0]["remedy"], said
