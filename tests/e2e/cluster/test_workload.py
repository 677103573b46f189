"""The standard load, the clients that change jobs, the slow reader, and the figures of a fault."""

import itertools
import json
import socket
import subprocess
import time

import pytest

import checker as base
from cluster import fault_trials, felt, nodes, oracle
from cluster.faults import KINDS
from cluster.recording import NotSent, Recording, owners, schedule_of
from cluster.test_checker import KILLED, SECOND, clean
from cluster.trials import Results
from cluster.workload import Clients, standard
from processes import wait_until


class Where:
    def url(self, path):
        return "http://r1:1" + path


def test_the_standard_load_has_every_kind_of_job_and_about_forty_occurrences_a_second():
    bodies = standard(Where(), Where())
    assert len({body["name"] for body in bodies}) == len(bodies) > 100
    assert {body["catch_up"]["mode"] for body in bodies} == {"all", "latest", "skip"}
    assert sum(body.get("delivery") == "at_most_once" for body in bodies) == 4
    assert len({body.get("zone") for body in bodies}) > 10
    begin = base.instant_us("2026-03-01T00:00:00Z")
    due = 0
    for body in bodies:
        schedule = schedule_of(body)
        if "every" in schedule:
            due += 60 * SECOND / schedule["every"]
        else:
            due += len(oracle.due(schedule["cron"], schedule["zone"], begin, begin + 60 * SECOND))
    assert 30 <= due / 60 <= 50


IDS = itertools.count()


class Api:
    """Answers by a script: a status, or an exception, for each request."""

    def __init__(self, script):
        self.script = script
        self.asked = []

    def send(self, method, path, body=None, timeout=30):
        self.asked.append((method, path))
        said = self.script(method)
        if isinstance(said, Exception):
            raise said
        return type("Answer", (), {"status": said, "json": {"id": f"j{next(IDS)}"}})()


def clients_of(script, folder, count):
    """Clients until they have asked `count` times, and the lines that were recorded."""
    apis = []
    recording = Recording(folder, SECOND)
    clients = Clients(recording, lambda host: apis.append(Api(script)) or apis[-1], ["n1", "n2"],
                      "http://r1:1/", seed=3)
    try:
        wait_until(lambda: sum(len(api.asked) for api in apis) >= count, 30, what="requests")
    finally:
        clients.stop()
    file = folder / "spec.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    return clients, [json.loads(line) for line in lines], [one for api in apis for one in api.asked]


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    monkeypatch.setattr("cluster.workload.CLIENT_PAUSE_S", (0.0, 0.005))


def test_clients_make_every_kind_of_change_and_record_it(tmp_path):
    clients, lines, asked = clients_of(lambda method: 201, tmp_path, 200)
    assert {method for method, _ in asked} == {"POST", "PATCH", "DELETE"}
    assert {path.rsplit("/", 1)[1] for _, path in asked} >= {"pause", "resume", "jobs"}
    assert len(lines) == len(asked) and clients.odd() == []
    assert clients.counts() == {"acknowledged": len(asked), "unknown": 0, "not_sent": 0}


def test_a_change_of_unknown_fate_is_kept_as_such_and_its_job_left_alone(tmp_path):
    clients, lines, asked = clients_of(
        lambda method: 201 if method == "POST" else TimeoutError(), tmp_path, 200)
    unknown = [line for line in lines if line["ack_hi"] is None]
    assert unknown and clients.counts()["unknown"] == len(unknown)
    for line in unknown:
        later = [one for one in lines if one.get("job") == line["job"]
                 and one["ack_lo"] > line["ack_lo"]]
        assert later == []


def test_a_request_that_did_not_leave_is_not_recorded(tmp_path):
    clients, lines, asked = clients_of(lambda method: ConnectionRefusedError(), tmp_path, 20)
    assert lines == [] and clients.counts()["not_sent"] == len(asked)
    with pytest.raises(NotSent):
        Recording(tmp_path, SECOND).create(Api(lambda method: ConnectionRefusedError()), {
            "name": "x", "schedule": "@never"})


def test_an_answer_that_nobody_should_meet_is_told(tmp_path):
    clients, _, _ = clients_of(lambda method: 500, tmp_path, 10)
    assert len(clients.odd()) >= 10


def test_owners_are_read_off_the_attempts():
    runs = [{"id": "r", "attempts": [{"node": "a", "fence": 3}, {"node": None, "fence": 4}]}]
    assert owners(runs) == [{"node": "a", "run": "r", "fence": 3}]


# ---- the slow reader -----------------------------------------------------------------------------

@pytest.fixture
def slow(tmp_path):
    log = tmp_path / "slow.jsonl"
    process = subprocess.Popen(
        ["/usr/bin/python3", nodes.SLOW_READER, "--address", "127.0.0.1", "--log", log,
         "--rate", "40000"], stdout=subprocess.PIPE, text=True)
    port = int(process.stdout.readline())
    yield port, lambda: [json.loads(line) for line in log.read_text().splitlines()]
    process.kill()
    process.wait()
    process.stdout.close()


def request(fence, size):
    return (f"POST /slow HTTP/1.1\r\nHost: x\r\nCronally-Run: r\r\nCronally-Job: j\r\n"
            f"Cronally-Scheduled-At: 2026-01-01T00:00:00Z\r\nCronally-Attempt: 1\r\n"
            f"Cronally-Fence: {fence}\r\nContent-Length: {size}\r\n\r\n").encode()


def exchange(port, fence, size, sent=None):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as peer:
        peer.sendall(request(fence, size) + b"x" * (size if sent is None else sent))
        if sent is None:
            return peer.recv(100).split(b" ")[1]
    return None


def test_a_slow_reader_takes_its_time_and_refuses_a_stale_fence(slow):
    port, log = slow
    begun = time.monotonic()
    assert exchange(port, 7, 20_000) == b"200"
    assert time.monotonic() - begun > 0.4
    assert exchange(port, 6, 10) == b"409"
    exchange(port, 8, 20_000, sent=100)
    wait_until(lambda: len(log()) == 3, what="three lines")
    assert [(line["fence"], line["status"]) for line in log()] == [(7, 200), (6, 409), (8, 0)]


# ---- what was felt -------------------------------------------------------------------------------

def test_a_fault_is_felt_as_late_as_it_was():
    (one,) = felt.of_record(clean())
    assert one["kind"] == "node_killed" and one["scope"] == ["n1"]
    assert one["late_max_s"] == 4.84 and one["punctual"] < 1
    assert one["after_s"] == 0  # all was there before it came back
    assert 4.8 < one["silence_s"] < 6
    assert felt.worst([one, {"kind": "x"}], "late_max_s") == 4.84


def test_what_comes_after_the_end_of_a_fault_is_counted_from_there():
    late = [(KILLED + SECOND, 12 * SECOND)]
    (fault,) = clean().faults
    assert felt.of_fault(fault, late, [])["after_s"] == 4.0


@pytest.mark.parametrize("figures,over", [
    ({"silence_s": 3, "late_max_s": 5.9}, 0), ({"silence_s": 3, "late_max_s": 6.1}, 1),
    ({"silence_s": 7, "late_max_s": 6.1}, 2)])
def test_a_trial_has_bounds_of_its_own(figures, over):
    trial = next(one for one in fault_trials.TRIALS if one.name == "F13-node-killed")
    verdict = trial.judged({"holds": True, "felt": [figures]})
    assert len(verdict["over"]) == over and verdict["holds"] == (over == 0)


def test_trials_have_names_of_their_own_and_known_kinds():
    names = [trial.name for trial in fault_trials.TRIALS]
    assert len(set(names)) == len(names)
    assert {trial.kind for trial in fault_trials.TRIALS} <= set(KINDS)


def test_a_trial_that_is_repeated_is_kept_beside(tmp_path):
    results = Results(tmp_path)
    results.run("one", lambda folder: {"holds": False})
    assert results.set_aside("one") and not results.set_aside("two")
    assert results.run("one", lambda folder: {"holds": True})["holds"]
    assert results.aside("one") == 1
    assert results.ended() == {"one": {"holds": True}}
