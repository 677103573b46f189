"""Cronally on the hosts: `cronally serve` on n1, n2 and n3, receivers on r1.

Like Server and Receiver of ../processes.py, which they are; the harness must stand in the hub
(Network.inside) to reach them. With `database` a node is one of a cluster; without, it has a SQLite
of its own in its home.
"""

from processes import Receiver, Server, cronally_program, receiver_program

PORT = 8787


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


class HostReceiver(Receiver):
    """A receiver on a host, reached by every other."""

    def __init__(self, network, host, home, *arguments, name="receiver", program=None):
        self.host = network.address(host)
        super().__init__(home, "--address", self.host, *arguments, name=name,
                         program=network.command(host, program or receiver_program()))
