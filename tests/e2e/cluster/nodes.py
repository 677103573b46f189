"""Cronally on the hosts: `cronally serve` on n1, n2 and n3, receivers on r1.

Like Server and Receiver of ../processes.py, which they are; the harness must stand in the hub
(Network.inside) to reach them. With `database` a node is one of a cluster; without, it has a SQLite
of its own in its home.
"""

import base64
import json
import os
import pathlib
import signal
import subprocess

from cluster.proxies import CommitProxy
from faults import hooks_program
from processes import Receiver, Server, clean_environment, cronally_program, receiver_program

PORT = 8787
SLOW_READER = pathlib.Path(__file__).resolve().parent / "slow_reader.py"
BAD_RECEIVER = SLOW_READER.with_name("bad_receiver.py")


class Node(Server):
    """A node on a host. Its home keeps its data over deaths."""

    def __init__(self, network, host, home, *arguments, database=None, program=None,
                 environment=None):
        self.host = host
        more = [] if database is None else ["--database", database]
        super().__init__(home, "--listen", f"{network.address(host)}:{PORT}", *more, *arguments,
                         program=network.command(host, program or cronally_program()),
                         environment=environment)

    def spawn(self):
        """Starts it, also after the death of its host."""
        if self.process is not None:
            self.process.wait(10)
        return super().spawn()


def new_secrets():
    """The key and the admin's token of a new cluster."""
    token = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=")
    return {"master.key": os.urandom(32), "admin-token": b"cronally_" + token + b"\n"}


class ClusterNode(Node):
    """A node of a cluster. With `proxied` a CommitProxy stands between it and the databases. One
    that is `unfenced` trusts its leases whatever happens, and so does its store (the hooks build)."""

    def __init__(self, network, host, folder, databases, ttl_s, proxied=False, unfenced=False):
        self.network = network
        self.targets = [f"{one.address}:5432" for one in databases.hosts.values()]
        self.proxied = proxied
        self.proxy = None
        self.cuts = []      # {t, cut} of all its proxies
        self.fallen = []    # exit statuses of processes that nobody killed or stopped
        addresses = CommitProxy.addresses_of(self.targets) if proxied else None
        super().__init__(network, host, folder / host, "--lease-ttl", f"{ttl_s:g}s",
                         "--log-level", "info", "--log-format", "json",
                         database=databases.url(addresses),
                         program=hooks_program() if unfenced else None,
                         environment={"CRONALLY_TEST_UNFENCED": "1"} if unfenced else None)

    def spawn(self):
        self.note_end()
        if self.proxied:
            self.stop_proxy()
            self.proxy = CommitProxy(self.network, self.host, self.targets, self.cuts)
        return super().spawn()

    def note_end(self):
        """Notes how the process ended, if it has."""
        if self.process is not None:
            status = self.process.poll()
            if status not in (None, 0, -signal.SIGKILL):
                self.fallen.append(status)

    def keep_secrets(self, secrets):
        """What a cluster's nodes have in common besides the database, before the first start."""
        for name, value in secrets.items():
            file = self.data / name
            file.write_bytes(value)
            file.chmod(0o600)

    def ids(self):
        """The ids that its processes have had, by its log, the present one last."""
        found = []
        for line in self.log().splitlines():
            if '"message":"serving"' in line:
                found.append(json.loads(line)["node"])
        return found

    def cut_next(self, mode):
        self.proxy.cut_next(mode)

    def delay(self, ms, jitter_ms):
        self.proxy.delay(ms, jitter_ms)

    def stop_proxy(self):
        if self.proxy:
            self.proxy.process.kill()
            self.proxy.process.wait()


class HostReceiver(Receiver):
    """A receiver on a host, reached by every other."""

    def __init__(self, network, host, home, *arguments, name="receiver", program=None):
        self.host = network.address(host)
        super().__init__(home, "--address", self.host, *arguments, name=name,
                         program=network.command(host, program or receiver_program()))


class ScriptReceiver(Receiver):
    """A receiver in Python on a host."""

    def __init__(self, network, host, home, script, *arguments, name):
        self.host = network.address(host)
        self.log_file = pathlib.Path(home) / f"{name}.jsonl"
        self.process = subprocess.Popen(
            network.command(host, "/usr/bin/python3", script, "--address", self.host, "--log",
                            self.log_file, *arguments),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment())
        self.port = int(self.process.stdout.readline())


class SlowReader(ScriptReceiver):
    """slow_reader.py on a host."""

    def __init__(self, network, host, home, name="slow"):
        super().__init__(network, host, home, SLOW_READER, name=name)


class BadReceiver(ScriptReceiver):
    """bad_receiver.py on a host."""

    def __init__(self, network, host, home, mode, *arguments):
        super().__init__(network, host, home, BAD_RECEIVER, "--mode", mode, *arguments,
                         name=f"bad-{mode}")
