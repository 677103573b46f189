"""A node of Cronally on a host, receivers on another, and faults between: recorded, judged, drawn.

Each node has a SQLite of its own here, so the bounds are those of one server that starts again.
"""

import json
import time

import pytest

import kill_run
from client import Client
from cluster import judge
from cluster.faults import Nemesis, Scene
from cluster.namespaces import RECEIVERS, Network
from cluster.nodes import HostReceiver, Node
from cluster.recording import Recording, schedule_of
from checker import instant_text
from faults import Impossible

JOBS = 20
WINDOW_US = 300_000


@pytest.fixture(scope="module")
def network():
    try:
        made = Network(("n1", "n2", RECEIVERS))
    except Impossible as why:
        pytest.skip(f"no network namespaces: {why}")
    with made.inside():
        yield made
    made.close()


def body_of(number, url, base):
    return {"name": f"job {number}", "schedule": "@every 1s",
            "anchor": instant_text(base + number * 20_000),
            "target": {"type": "http", "url": url, "timeout": "3s"},
            "retry": {"attempts": 5, "backoff_min": "50ms", "backoff_max": "500ms",
                      "age_max": "1m"},  # a time-out of 3 s is no reason to give up one of each second
            "catch_up": {"mode": "all", "window": "1h", "limit": 1000}}


class World:
    """A node on n1, a receiver on r1, and the recording of what becomes of its jobs."""

    def __init__(self, network, folder):
        self.receiver = HostReceiver(network, RECEIVERS, folder)
        self.node = Node(network, "n1", folder / "n1", "--log-level", "warning")
        self.node.start()
        self.api = Client(self.node, checks=False)
        self.recording = Recording(folder, WINDOW_US)
        base = kill_run.now_us() // 1_000_000 * 1_000_000
        self.jobs = [self.recording.create(self.api, body_of(number, self.receiver.url("/n"), base))
                     for number in range(JOBS)]
        self.nemesis = Nemesis(Scene(network, nodes={"n1": self.node}), folder / "faults.jsonl")

    def finish(self, title):
        self.node.wait_ready()
        api = Client(self.node, checks=False)
        spans = lambda: [(*span, "skipped") for span in kill_run.spans_of(self.node)]
        self.recording.finish(api, self.receiver.records, spans, title)

    def close(self):
        if self.node.process.poll() is None:
            self.node.kill()
        self.receiver.stop()


@pytest.fixture
def world(network, tmp_path):
    world = World(network, tmp_path)
    yield world
    world.close()
    network.heal()


def test_a_node_that_dies_is_frozen_and_is_stopped_loses_and_doubles_nothing(world, tmp_path):
    time.sleep(2)
    world.nemesis.strike("node_killed", hold_s=1)
    world.node.wait_ready()
    time.sleep(3)
    world.nemesis.strike("node_frozen", hold_s=2)
    time.sleep(3)
    world.nemesis.strike("node_stopped", hold_s=0.2)
    world.node.wait_ready()
    time.sleep(3)
    edited, paused, deleted = world.jobs[:3]
    world.recording.edit(world.api, edited, schedule="*/2 * * * * *")
    world.recording.pause(world.api, paused)
    world.recording.delete(world.api, deleted)
    time.sleep(2)
    world.recording.resume(world.api, paused)
    time.sleep(2)
    world.finish("one node dies, freezes and stops")
    verdict = judge.judge(tmp_path)
    assert verdict["holds"], json.dumps(verdict, indent=1)
    assert verdict["figures"]["must"] > JOBS * 10
    assert verdict["figures"]["late_ms_all"]["max"] > 1000  # the faults were felt
    assert (tmp_path / "timeline.svg").read_text().count('class="band"') == 3


def test_receivers_out_of_reach_are_reached_when_the_network_heals(world, tmp_path):
    world.nemesis.scene.node_ttl_s = 1.0  # no lease here: it may take 2 s after the heal
    time.sleep(2)
    world.nemesis.strike("node_cut_from_receivers", hold_s=2)
    time.sleep(4)
    world.finish("receivers out of reach")
    verdict = judge.judge(tmp_path)
    assert verdict["holds"], json.dumps(verdict, indent=1)
    assert verdict["figures"]["late_ms_all"]["max"] > 500


def test_what_the_checker_is_told_of_a_job():
    anchor = "2026-01-01T00:00:00Z"
    assert schedule_of({"schedule": "@every 1m30s", "anchor": anchor})["every"] == 90_000_000
    assert schedule_of({"schedule": "@at 2026-01-01T00:00:00Z"}) == {"at": [1767225600000000]}
    assert schedule_of({"schedule": "@never"}) is None
    assert schedule_of({"schedule": "0 9 * * *", "zone": "Europe/Riga"}) == {
        "cron": "0 9 * * *", "zone": "Europe/Riga", "dst": "run"}
