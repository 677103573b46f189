"""Clients that are slow, half open or many: they are told and closed, and the others do not notice."""

import json
import pathlib
import resource
import socket
import subprocess
import sys
import threading

import pytest
from client import Client
from processes import Server, wait_until

CROWD = pathlib.Path(__file__).with_name("slow_clients.py")
HEADER_S, BODY_S = 10, 30  # docs/limits.md
SLACK_S = 4
SLOW_S = BODY_S + SLACK_S + 1
CONNECTIONS_MAX = 1024


@pytest.fixture
def alone(tmp_path):
    """A server of this test alone: its connections are counted."""
    server = Server(tmp_path).start()
    yield server
    assert server.stop() == 0, server.log()[-3000:]


def keep_asking(server, until, failures):
    """A healthy client: writes and reads until told, over old and new connections."""
    client = Client(server, checks=False)
    number = 0
    while not until.is_set():
        number += 1
        if number % 3 == 0:
            client.close()
        body = {"name": f"healthy {number}", "schedule": "@never",
                "target": {"type": "http", "url": "http://127.0.0.1:9/"}}
        for answer in (client.send("POST", "/v2/jobs", body, timeout=5),
                       client.send("GET", f"/v2/jobs/healthy%20{number}", timeout=5)):
            if answer.status not in (200, 201):
                failures.append(answer)
        until.wait(0.05)
    client.close()
    return number


def test_slow_clients_are_told_and_closed(alone):
    crowd = subprocess.Popen(
        [sys.executable, str(CROWD), alone.address, str(SLOW_S),
         "--header", "80", "--body", "60", "--deaf", "40", "--idle", "20"],
        stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    assert json.loads(crowd.stdout.readline()) == {"ready": 200}
    failures, stop = [], threading.Event()
    asking = threading.Thread(target=keep_asking, args=(alone, stop, failures))
    asking.start()
    seen = json.loads(crowd.communicate(timeout=SLOW_S + 30)[0])
    stop.set()
    asking.join()
    assert not failures, failures[:3]
    for kind, count, limit in (("header", 80, HEADER_S), ("body", 60, BODY_S)):
        assert [end["status"] for end in seen[kind]] == [408] * count, kind
        late = [end["closed"] for end in seen[kind]]
        assert limit <= min(late) and max(late) <= limit + SLACK_S, (kind, min(late), max(late))
    assert all(end == {"closed": None, "status": None} for end in seen["idle"]), seen["idle"]


def test_above_the_limit_the_oldest_unfinished_connection_goes(alone):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * CONNECTIONS_MAX + 100:  # the API takes half of what is spare
        pytest.skip("this machine does not allow so many open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    host, port = alone.address.split(":")
    sockets = []
    try:
        for _ in range(CONNECTIONS_MAX + 1):
            sockets.append(socket.create_connection((host, int(port)), timeout=5))
            sockets[-1].sendall(b"GET /livez HTTP/1.1\r\nHo")
        assert sockets[0].recv(100) == b"", "the oldest is closed"
        # The others live: each can finish its request, the second and the newest too.
        for one in (sockets[1], sockets[CONNECTIONS_MAX // 2], sockets[-1]):
            one.sendall(b"st: h\r\n\r\n")
            assert one.recv(100).startswith(b"HTTP/1.1 200 OK")
        wait_until(lambda: alone.status_of("/livez") == 200, 5)
    finally:
        for one in sockets:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
