"""Hosts, for real: what is cut, frozen and killed, and that nothing is left of a harness that
died."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from cluster import namespaces
from cluster.namespaces import HUB, NAMES, PREFIX, Network, state_of
from faults import Impossible
from processes import wait_until

PORT = 7000


# First, since it needs the lock that the fixture below takes.
CRASHES = """
import subprocess, sys, os
sys.path.insert(0, {folder!r})
from cluster.namespaces import Network
network = Network()
child = subprocess.Popen(network.command("n1", "sleep", "1000"), stdout=subprocess.DEVNULL,
                         stderr=subprocess.DEVNULL)
while child.pid not in network.pids("n1"):
    pass
network.freeze("n1")
print(child.pid, flush=True)
os._exit(1)
"""


def test_a_later_start_removes_what_a_crashed_harness_left():
    folder = os.path.dirname(os.path.dirname(os.path.abspath(namespaces.__file__)))
    crashed = subprocess.run([sys.executable, "-c", CRASHES.format(folder=folder)],
                             capture_output=True, text=True, timeout=60)
    if "Impossible" in crashed.stderr:
        pytest.skip(crashed.stderr.strip().split("\n")[-1])
    left = int(crashed.stdout)
    assert state_of(left) == "T" and (NAMES / (PREFIX + "n1")).exists()
    with contextlib.closing(Network()) as network:
        assert state_of(left) in (None, "Z") and network.pids("n1") == []
    assert not list(NAMES.glob(PREFIX + "*"))


@pytest.fixture(scope="module")
def network():
    try:
        made = Network()
    except Impossible as why:
        pytest.skip(f"no network namespaces: {why}")
    yield made
    made.close()
    assert not list(NAMES.glob(PREFIX + "*"))


class Echo:
    """Answers each connection on a host with one byte."""

    def __init__(self, network, host):
        with network.inside(host):
            self.socket = socket.create_server((network.address(host), PORT))
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.socket.accept()
                with contextlib.suppress(OSError):
                    peer.sendall(b"x")
                peer.close()

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self.thread.join()


@pytest.fixture
def echo(network):
    echo = Echo(network, "d1")
    yield echo
    network.heal()
    echo.close()


def reaches(network, source, sink="d1"):
    with network.inside(source):
        try:
            with socket.create_connection((network.address(sink), PORT), timeout=0.4) as peer:
                return peer.recv(1) == b"x"
        except OSError:
            return False


def reached_from(network):
    return {host for host in (HUB, "n1", "d2", "r1") if reaches(network, host)}


@pytest.mark.parametrize("cut,left", [
    (lambda network: None, {HUB, "n1", "d2", "r1"}),
    (lambda network: network.partition(["d1", "d3"], ["n1"]), {HUB, "d2", "r1"}),
    (lambda network: network.cut("n1", "d1"), {HUB, "d2", "r1"}),
    (lambda network: network.cut("d1", "n1"), {HUB, "d2", "r1"}),
    (lambda network: network.isolate("d1"), {HUB}),
    (lambda network: network.isolate("d2"), {HUB, "n1", "r1"}),
])
def test_what_is_cut_and_that_it_heals(network, echo, cut, left):
    cut(network)
    assert reached_from(network) == left
    network.heal()
    assert reached_from(network) == {HUB, "n1", "d2", "r1"}


def test_one_way_is_one_way(network):
    """Datagrams pass in the direction that is not cut."""
    network.cut("n1", "n2")
    try:
        received = {}
        for source, sink in (("n1", "n2"), ("n2", "n1")):
            with network.inside(sink):
                listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                listener.bind((network.address(sink), PORT))
            listener.settimeout(0.3)
            with network.inside(source), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
                sender.sendto(b"x", (network.address(sink), PORT))
            with contextlib.suppress(TimeoutError):
                received[source] = listener.recv(1)
            listener.close()
        assert received == {"n2": b"x"}
    finally:
        network.heal()


def datagrams(network, source, sink, count, size=100):
    """How many of `count` arrive, and in what time, in seconds."""
    with network.inside(sink):
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind((network.address(sink), PORT))
    listener.settimeout(1)
    begun, arrived, last = time.monotonic(), 0, 0.0
    with network.inside(source), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"x" * size, (network.address(sink), PORT))
    with listener, contextlib.suppress(TimeoutError):
        while arrived < count:
            listener.recv(size)
            arrived, last = arrived + 1, time.monotonic() - begun
    return arrived, last


def test_a_share_of_the_packets_is_lost(network):
    network.lose("n1", ["d1"], 0.5)
    # As many as fit into a socket that nobody reads yet.
    arrived = {sink: datagrams(network, "n1", sink, 200)[0] for sink in ("d1", "d2")}
    network.heal()
    assert 44 < arrived["d1"] < 156 and arrived["d2"] == 200  # eight standard deviations
    assert datagrams(network, "n1", "d1", 200)[0] == 200


def test_a_slow_host_sends_no_faster_than_it_may(network):
    network.slow("n1", "80kbit")  # 10,000 bytes a second, of which 4,000 wait at most
    arrived, seconds = datagrams(network, "n1", "d1", 4, size=1000)
    network.heal()
    assert arrived == 4 and seconds > 0.2
    assert datagrams(network, "n1", "d1", 4, size=1000)[1] < 0.2


def busy_family(network, host):
    """A process with a child, both at work; returns it."""
    family = subprocess.Popen(network.command(host, "sh", "-c", "while :; do sleep 0.01; done"))
    wait_until(lambda: len(network.pids(host)) >= 1, what="a process on the host")
    return family


def test_a_frozen_host_stands_still_and_goes_on(network):
    family = busy_family(network, "n3")
    network.freeze("n3")
    assert {state_of(pid) for pid in network.pids("n3")} <= {"T", "Z"}
    assert state_of(family.pid) == "T"
    network.thaw("n3")
    wait_until(lambda: state_of(family.pid) != "T", what="the thaw")
    network.kill("n3")
    assert family.wait(5) == -signal.SIGKILL and not network.pids("n3")


def test_a_frozen_host_can_be_killed(network):
    family = busy_family(network, "n3")
    network.freeze("n3")
    network.kill("n3")
    assert family.wait(5) == -signal.SIGKILL


def test_a_user_is_unprivileged(network):
    done = subprocess.run(network.command("n1", "id", "-un", user="nobody", group="nogroup"),
                          capture_output=True, text=True)
    assert done.stdout == "nobody\n", done.stderr


def test_the_machines_own_network_is_untouched(network):
    here = os.readlink("/proc/thread-self/ns/net")
    with network.inside("n1"):
        assert os.readlink("/proc/thread-self/ns/net") != here
    assert os.readlink("/proc/thread-self/ns/net") == here
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True).stdout
    assert "br0" not in links and "eth0@" not in links
