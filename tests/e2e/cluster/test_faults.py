"""The nemesis, the proxy's reading of the protocol, the results' folder, and the judge of rows."""

import dataclasses
import json
import struct

import pytest

from cluster import faults
from cluster.bench import judge
from cluster.commit_proxy import Control, Frontend
from cluster.trials import Results

ACKNOWLEDGED = "acknowledged"


class Recorder:
    """Stands for network, databases, node and proxy: remembers what was called."""

    def __init__(self):
        self.calls = []
        self.hosts = {host: self for host in ("d1", "d2", "d3")}

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, *arguments))

    def primary(self):
        return "d2"

    def synchronous_standby(self):
        return "d3"

    def standbys_of(self, primary):
        return [host for host in self.hosts if host != primary]


@pytest.fixture
def scene():
    world = Recorder()
    return faults.Scene(world, world, {"n1": world, "n2": world}, {"n1": world})


UNDONE_BY = {"partition": "heal", "cut": "heal", "isolate": "heal", "lose": "heal",
             "slow": "heal", "freeze": "thaw", "freeze_patroni": "thaw_patroni"}


@pytest.mark.parametrize("kind", sorted(faults.KINDS))
def test_every_kind_undoes_what_it_did_and_is_logged(kind, scene, tmp_path, monkeypatch):
    monkeypatch.setattr(faults.time, "sleep", lambda seconds: None)
    log = tmp_path / "faults.jsonl"
    record = faults.Nemesis(scene, log).strike(kind, hold_s=0.001, pick=1)
    assert json.loads(log.read_text()) == record
    assert record["kind"] == kind and record["t0"] <= record["t1"] and record["scope"]
    calls = [call[0] for call in scene.network.calls]
    for done, undone in UNDONE_BY.items():
        if done in calls:
            assert undone in calls[calls.index(done):], calls
    for call in scene.network.calls:
        if call[0] in ("kill", "kill_etcd", "kill_patroni", "signal"):
            assert {"restart", "spawn", "start_etcd", "restart_patroni"} & set(calls), calls


def test_what_has_begun_is_ended_when_the_harness_is_stopped(scene, tmp_path, monkeypatch):
    def interrupted(seconds):
        raise KeyboardInterrupt
    monkeypatch.setattr(faults.time, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        faults.Nemesis(scene, tmp_path / "faults.jsonl").strike("primary_frozen")
    assert scene.network.calls[-1] == ("thaw", "d2")


def test_a_fault_may_hold_until_it_has_brought_something_about(scene, tmp_path):
    looks = iter([False, True])
    nemesis = faults.Nemesis(scene, tmp_path / "faults.jsonl")
    record = nemesis.strike("primary_frozen", until=lambda: next(looks))
    assert 300_000 < record["t1"] - record["t0"] < 5_000_000
    with pytest.raises(AssertionError):
        nemesis.strike("primary_frozen", hold_s=0.01, until=lambda: False)
    assert scene.network.calls[-1] == ("thaw", "d2")


def test_a_seed_chooses_the_same_faults_again():
    first = faults.schedule(7, 40)
    assert first == faults.schedule(7, 40) and first != faults.schedule(8, 40)
    assert first[:10] == faults.schedule(7, 10)
    assert len({plan.kind for plan in first}) >= 10
    assert all(5 <= plan.hold_s <= 45 for plan in first)


def test_a_pick_chooses_the_node(scene):
    assert [scene.node(pick) for pick in (0, 1, 2)] == ["n1", "n2", "n1"]


# ---- which message commits -----------------------------------------------------------------------

QUERY = lambda text: (b"Q", text + b"\0")
PARSE = lambda name, text: (b"P", name + b"\0" + text + b"\0" + struct.pack("!H", 0))
BIND = lambda name: (b"B", b"portal\0" + name + b"\0")
EXECUTE = (b"E", b"portal\0" + struct.pack("!I", 0))
SYNC = (b"S", b"")


@pytest.mark.parametrize("implicit,messages,commits", [
    (False, [QUERY(b"BEGIN"), QUERY(b"INSERT INTO t VALUES (1)"), QUERY(b"COMMIT")], [2]),
    (False, [QUERY(b"begin; insert into t values (1); commit;")], [0]),
    (False, [QUERY(b" end")], [0]),
    (False, [QUERY(b"ROLLBACK"), QUERY(b"SELECT 'COMMIT'")], []),
    (False, [PARSE(b"c", b"COMMIT"), SYNC, BIND(b"c"), EXECUTE, SYNC], [3]),
    (False, [PARSE(b"", b"COMMIT"), BIND(b""), EXECUTE, SYNC], [2]),
    (False, [PARSE(b"", b"COMMIT"), PARSE(b"", b"SELECT 1"), BIND(b""), EXECUTE, SYNC], []),
    (False, [PARSE(b"", b"INSERT"), BIND(b""), EXECUTE, SYNC], []),
    (True, [PARSE(b"", b"INSERT"), BIND(b""), EXECUTE, BIND(b""), EXECUTE, SYNC], [5]),
    (True, [PARSE(b"p", b"INSERT"), SYNC], []),
])
def test_the_proxy_knows_the_message_that_commits(implicit, messages, commits):
    control = Control()
    control.implicit = implicit
    frontend = Frontend(control)
    found = [place for place, message in enumerate(messages) if frontend.is_commit(*message)]
    assert found == commits


def test_an_order_of_the_proxy_is_carried_out_once():
    control = Control()
    control.order("cut after\n")
    assert [control.take(), control.take()] == ["after", None]
    for line in ("cut", "cut sideways", "implicit perhaps"):
        with pytest.raises(ValueError):
            control.order(line)


# ---- results -------------------------------------------------------------------------------------

def test_results_accumulate_and_what_was_cut_off_runs_anew(tmp_path):
    runs = []

    def trial(folder, holds=True):
        runs.append(folder.name)
        (folder / "inputs").write_text("x")
        return {"holds": holds}

    def cut_off(folder):
        trial(folder)
        raise KeyboardInterrupt

    results = Results(tmp_path)
    results.run("one", trial, {"seed": 3})
    with pytest.raises(KeyboardInterrupt):
        results.run("two", cut_off)
    again = Results(tmp_path)
    assert again.run("one", trial) == {"holds": True}
    assert again.run("two", lambda folder: trial(folder, holds=False)) == {"holds": False}
    assert again.run("two", trial) == {"holds": False}
    assert runs == ["one", "two", "two"]
    assert again.ended() == {"one": {"holds": True}, "two": {"holds": False}}
    assert (tmp_path / "two.cut-1" / "inputs").exists()
    assert again.state("one")["about"] == {"seed": 3} and again.state("three") is None


# ---- rows ----------------------------------------------------------------------------------------

@dataclasses.dataclass
class Told:
    key: str
    fate: str
    t1: int

    def line(self):
        return {"key": self.key, "fate": self.fate, "t0": self.t1 - 1, "t1": self.t1, "why": ""}


TRIES = [Told("a", ACKNOWLEDGED, 1_000_000), Told("b", "unknown", 2_000_000),
         Told("b", ACKNOWLEDGED, 9_500_000), Told("c", "refused", 9_600_000),
         Told("d", "unknown", 9_700_000), Told("e", ACKNOWLEDGED, 9_900_000)]


@pytest.mark.parametrize("rows,lost,forged", [
    ("abe", "", ""), ("abde", "", ""), ("ab", "e", ""), ("", "abe", ""), ("abef", "", "f"),
    ("abeg", "", "")])
def test_rows_are_judged_by_what_was_acknowledged(rows, lost, forged):
    begun = [{"key": "g", "t0": 9_900_000}]  # cut off before it knew
    verdict = judge([one.line() for one in TRIES] + begun, set(rows))
    assert (verdict["lost"], verdict["forged"]) == (list(lost), list(forged))
    assert verdict["acknowledged"] == 3 and verdict["unknown_tries"] == 2
    assert verdict["gap_s"] == 8.5 and verdict["gap_at"] == 1_000_000
