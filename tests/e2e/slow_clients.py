"""Clients that are slow or half open, many at once, in a process of their own.

    slow_clients.py ADDRESS SECONDS [--header N] [--body N] [--deaf N] [--idle N] [--again]

    header   sends a header, a byte a second
    body     sends a header and half of a body, then nothing
    deaf     asks for much, many times over, and never reads
    idle     connects and says nothing

Prints one JSON object at the end: for each kind, what became of each connection, {"closed": after
how many seconds or null, "status": of the answer that came, or null}. With --again, whoever is
closed comes back, so that the number stays. {"ready": N} is printed when all are connected.
"""

import argparse
import heapq
import json
import resource
import selectors
import socket
import sys
import time

HEADER = b"GET /livez HTTP/1.1\r\nHost: slow.test\r\nX-Slow: " + b"x" * 1000
BODY = (b"POST /v2/jobs HTTP/1.1\r\nHost: slow.test\r\nContent-Type: application/json\r\n"
        b"Content-Length: 1000\r\n\r\n" + b'{"name": "' + b"x" * 490)
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: slow.test\r\n\r\n" * 20
KINDS = ("header", "body", "deaf", "idle")


class Slow:
    """One connection; `turn` does what is due and tells when to come again."""

    def __init__(self, kind, address):
        self.kind = kind
        self.at = 0
        self.answer = b""
        self.closed = None
        self.socket = socket.socket()
        if kind == "deaf":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(address)
        self.socket.setblocking(False)
        self.begun = time.monotonic()

    def turn(self):
        """Seconds until the next turn, or None."""
        try:
            if self.kind == "header":
                self.at += self.socket.send(HEADER[self.at:self.at + 1])
                return 1.0
            if self.kind == "body":
                self.socket.send(BODY)
            if self.kind == "deaf":
                self.socket.send(LARGE)
                return 0.05 if time.monotonic() - self.begun < 2 else None
        except OSError:
            return None  # full, or closed: the reading side says which
        return None

    def hear(self):
        """Reads what came; True when the peer has closed."""
        try:
            piece = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            piece = b""
        self.answer += piece
        if piece:
            return False
        self.closed = time.monotonic() - self.begun
        return True

    def outcome(self):
        line = self.answer.split(b"\r\n")[0].decode("latin-1")
        status = int(line.split(" ")[1]) if line.startswith("HTTP/1.1 ") else None
        return {"closed": self.closed, "status": status}


class Crowd:
    def __init__(self, address, counts, again):
        self.address = address
        self.again = again
        self.done = {kind: [] for kind in KINDS}
        self.selector = selectors.DefaultSelector()
        self.turns = []
        self.number = 0
        for kind in KINDS:
            for _ in range(counts[kind]):
                self.add(kind)

    def add(self, kind):
        slow = Slow(kind, self.address)
        self.number += 1
        # Spread over a second, as they would be.
        heapq.heappush(self.turns, (time.monotonic() + self.number % 100 / 100, self.number, slow))
        if kind == "deaf":  # who does not read does not see the end either
            self.done[kind].append(slow)
        else:
            self.selector.register(slow.socket, selectors.EVENT_READ, slow)

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            wait = self.turns[0][0] - time.monotonic() if self.turns else 1.0
            for key, _ in self.selector.select(max(0.0, min(wait, end - time.monotonic()))):
                if key.data.hear():
                    self.ended(key)
            self.take_turns()
        for key in list(self.selector.get_map().values()):
            self.done[key.data.kind].append(key.data)

    def ended(self, key):
        slow = key.data
        self.selector.unregister(slow.socket)
        slow.socket.close()
        self.done[slow.kind].append(slow)
        if self.again:
            self.add(slow.kind)

    def take_turns(self):
        now = time.monotonic()
        while self.turns and self.turns[0][0] <= now:
            _, number, slow = heapq.heappop(self.turns)
            wait = slow.turn() if slow.closed is None else None
            if wait is not None:
                heapq.heappush(self.turns, (now + wait, number, slow))


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("address")
    arguments.add_argument("seconds", type=float)
    arguments.add_argument("--again", action="store_true")
    for kind in KINDS:
        arguments.add_argument(f"--{kind}", type=int, default=0)
    given = arguments.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if hard > 0 else soft, hard))
    host, port = given.address.split(":")
    crowd = Crowd((host, int(port)), vars(given), given.again)
    print(json.dumps({"ready": crowd.number}), flush=True)
    crowd.run(given.seconds)
    print(json.dumps({kind: [slow.outcome() for slow in crowd.done[kind]] for kind in KINDS}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
