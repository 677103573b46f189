"""A second server on the same data directory: it waits for the end of the first."""

import http.client
import json
import signal
import time

import kill_run
from client import Client
from processes import Receiver, Server, Standby


def asked(address, method, path):
    """Status, headers and body of a request without a token."""
    connection = http.client.HTTPConnection(address, timeout=5)
    connection.request(method, path)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def pair(tmp_path):
    first = Server(tmp_path / "first").start()
    return first, Standby(tmp_path / "second", first).start()


def end(*servers):
    for server in servers:
        if server.process and server.process.poll() is None:
            server.kill()


def test_it_answers_that_it_stands_by(tmp_path):
    first, second = pair(tmp_path)
    try:
        known = (first.data / "server.json").read_text()
        for method, path in (("GET", "/v2/jobs"), ("POST", "/v2/jobs"), ("DELETE", "/v2/jobs/a"),
                             ("GET", "/v2/runs/changes"), ("GET", "/nothing")):
            status, headers, body = asked(second.address, method, path)
            assert (status, json.loads(body)["code"]) == (503, "standby"), (path, body)
            assert headers["Retry-After"] == "1"
            assert headers["Content-Type"] == "application/problem+json"
        status, _, body = asked(second.address, "GET", "/readyz")
        assert status == 503 and "another server holds the data directory" in body
        assert asked(second.address, "GET", "/livez")[0] == 200
        status, _, body = asked(second.address, "GET", "/metrics")
        assert status == 200 and "cronally_ready 0" in body
        assert (first.data / "server.json").read_text() == known
        assert first.status_of("/readyz") == 200
    finally:
        end(first, second)


def test_it_takes_over_from_one_that_is_killed(tmp_path):
    first, second = pair(tmp_path)
    receiver = Receiver(tmp_path)
    try:
        with_first = Client(first)
        with_first.expect(201, "POST", "/v2/jobs", {
            "name": "tick", "schedule": "@every 1s",
            "target": {"type": "http", "url": receiver.url("/tick")}})
        receiver.wait_for(1, path="/tick")
        with_first.close()
        first.kill()
        killed = time.monotonic()
        second.wait_ready()
        assert time.monotonic() - killed <= 5
        assert json.loads((second.data / "server.json").read_text())["url"] == second.url
        before = len(receiver.records(path="/tick"))
        receiver.wait_for(before + 2, path="/tick")
        assert Client(second).expect(200, "GET", "/v2/jobs/tick").json["name"] == "tick"
        assert second.stop() == 0
        assert not (second.data / "server.json").exists()
    finally:
        end(first, second)
        receiver.stop()


def test_it_takes_over_from_one_that_stops_in_order_and_the_other_way_round(tmp_path):
    first, second = pair(tmp_path)
    third = Standby(tmp_path / "third", second)
    try:
        assert first.stop() == 0
        second.wait_ready()
        third.start()
        assert second.stop() == 0
        third.wait_ready()
        assert third.stop() == 0
    finally:
        end(first, second, third)


def test_it_stops_while_it_waits_and_leaves_everything_alone(tmp_path):
    first, second = pair(tmp_path)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            second.signal(number)
            assert second.process.wait(timeout=5) == 0, second.log()
            assert first.status_of("/readyz") == 200
            assert json.loads((first.data / "server.json").read_text())["url"] == first.url
            second.log_file.unlink()
            second.start()
    finally:
        end(first, second)


def test_alone_it_serves_at_once(tmp_path):
    server = Server(tmp_path, "--standby").start()
    try:
        assert Client(server).expect(200, "GET", "/v2/jobs").json["items"] == []
    finally:
        end(server)


def test_what_a_frozen_server_claimed_is_its_own(tmp_path):
    first, second = pair(tmp_path)
    try:
        first.signal(signal.SIGSTOP)
        time.sleep(1.5)
        assert asked(second.address, "GET", "/readyz")[0] == 503
        first.signal(signal.SIGCONT)
        assert first.status_of("/readyz") == 200
    finally:
        end(first, second)


def test_nothing_is_lost_or_doubled_when_servers_die_in_turn(tmp_path):
    result = kill_run.run(tmp_path, kills=5, seed=20261126, standby=True)
    assert result.ok(), str(result.findings)
    assert result.due > 400
