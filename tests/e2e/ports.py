"""Ports of loopback for servers that a test starts and that cannot listen on port 0.

Not of the range that the kernel gives to outgoing connections (32768 to 60999, ip(7)): one of those
may come to lie on a port between any two moments at which its server listens.
tests/conformance/reserved_port.h does the same.
"""

import os
import socket

FIRST = 10_000
COUNT = 20_000

_asked = os.getpid() * 37  # processes that start together begin apart


class ReservedPort:
    """Nobody else who asks here gets `number` until release(), also while no server listens on it."""

    def __init__(self):
        global _asked
        for _ in range(COUNT):
            _asked += 1
            self.number = FIRST + _asked % COUNT
            # A name without a file (unix(7), "abstract"): it goes with the process.
            self._mark = socket.socket(socket.AF_UNIX)
            try:
                self._mark.bind(f"\0cronally-test-port-{self.number}")
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    probe.bind(("127.0.0.1", self.number))
                return
            except OSError:
                self.release()
        raise AssertionError("loopback has no free port")

    def release(self):
        self._mark.close()
