"""Stands between a client and a database, and cuts the connection at a COMMIT when told to.

    commit_proxy.py LISTEN_PORT=ADDRESS:PORT ...     on 127.0.0.1; prints `ready`

It reads PostgreSQL's wire protocol (version 3, without TLS: an SSLRequest is answered with N). Told
`cut before`, `cut during` or `cut after` on standard input, it cuts the next commit that it sees,
once:

    before   COMMIT does not reach the server: nothing is committed
    during   COMMIT is passed on, and the client is cut off at once: the fate is open
    after    the server has answered; the answer does not reach the client: it is committed

Told `delay MS JITTER`, every message takes MS ± JITTER milliseconds, each way, and none overtakes
another; `delay 0 0` ends that.

A commit is a query COMMIT or END, alone, by a prepared statement, or (after `implicit on`) the Sync
that ends a pipeline outside of a transaction block. A cut is a reset, to the client and (after what
was passed on) to the server. Each one is printed: {"t": microseconds, "cut": MODE}.
"""

import asyncio
import json
import random
import re
import socket
import struct
import sys
import time

COMMIT = re.compile(rb"\s*(COMMIT|END)\b", re.I)
PLAIN_REQUESTS = (80877103, 80877104)  # SSLRequest, GSSENCRequest: no, and the client goes on
MODES = ("before", "during", "after")


class Control:
    """What was asked for. `take` hands the order out once."""

    def __init__(self):
        self.mode = None
        self.implicit = False
        self.delay_ms = self.jitter_ms = 0.0

    def order(self, line):
        words = line.split()
        if len(words) == 2 and words[0] == "cut" and words[1] in MODES:
            self.mode = words[1]
        elif words in (["implicit", "on"], ["implicit", "off"]):
            self.implicit = words[1] == "on"
        elif len(words) == 3 and words[0] == "delay":
            self.delay_ms, self.jitter_ms = float(words[1]), float(words[2])
        else:
            raise ValueError(f"commit_proxy: {line!r} is not known")

    def delay_s(self):
        """How long the next message takes."""
        return max(0.0, random.uniform(self.delay_ms - self.jitter_ms,
                                       self.delay_ms + self.jitter_ms)) / 1000

    def take(self):
        mode, self.mode = self.mode, None
        return mode


def commit_in(text):
    return bool(COMMIT.match(text))


class Frontend:
    """Follows what the client says, to know which message commits."""

    def __init__(self, control):
        self.control = control
        self.commits = set()  # names of prepared statements that are COMMIT
        self.executed = False
        self.bound_commit = False
        self.rounds = 1  # answers ReadyForQuery that are due: one for the start

    def is_commit(self, kind, body):
        """Whether this message, once at the server, commits."""
        self.rounds += kind in (b"Q", b"S")
        if kind == b"Q":
            return any(commit_in(part) for part in body.rstrip(b"\0").split(b";"))
        if kind == b"P":
            name, query = body.split(b"\0")[:2]
            (self.commits.add if commit_in(query) else self.commits.discard)(name)
        elif kind == b"B":
            self.bound_commit = body.split(b"\0")[1] in self.commits
        elif kind == b"E":
            self.executed = True
            return self.bound_commit
        elif kind == b"S":
            executed, self.executed = self.executed, False
            return executed and self.control.implicit
        return False


async def read_message(reader):
    """Kind, body and the bytes of one message."""
    head = await reader.readexactly(5)
    body = await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)
    return head[:1], body, head + body


def reset(writer):
    """Closes with a reset, so that the peer learns it at once."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Line:
    """One direction: messages come out as they were put in, each after its delay."""
    WAITING_MAX = 10_000

    def __init__(self, control, writer):
        self.control = control
        self.writer = writer
        self.waiting = asyncio.Queue(self.WAITING_MAX)

    async def put(self, message):
        at = asyncio.get_running_loop().time() + self.control.delay_s()
        await self.waiting.put((at, message))

    async def run(self):
        loop = asyncio.get_running_loop()
        while True:
            at, message = await self.waiting.get()
            if at > loop.time():
                await asyncio.sleep(at - loop.time())
            self.writer.write(message)
            await self.writer.drain()
            self.waiting.task_done()


class Pair:
    """A client's connection and the one to its database."""

    def __init__(self, control, client, server):
        self.control = control
        self.client_reader, self.client_writer = client
        self.server_reader, self.server_writer = server
        self.to_server = Line(control, self.server_writer)
        self.to_client = Line(control, self.client_writer)
        self.frontend = Frontend(control)
        self.rounds = 0  # ReadyForQuery so far
        self.cut_at = None  # the round whose commit is to be cut at its answer

    async def start_up(self):
        while True:
            size = await self.client_reader.readexactly(4)
            body = await self.client_reader.readexactly(struct.unpack("!I", size)[0] - 4)
            if struct.unpack("!I", body[:4])[0] not in PLAIN_REQUESTS:
                return await self.to_server.put(size + body)
            await self.to_client.put(b"N")

    async def forward(self):
        await self.start_up()
        while True:
            kind, body, whole = await read_message(self.client_reader)
            mode = self.control.take() if self.frontend.is_commit(kind, body) else None
            if mode == "before":
                return self.cut(mode)
            if mode == "after":
                self.cut_at = self.frontend.rounds
            await self.to_server.put(whole)
            if mode == "during":
                await self.to_server.waiting.join()
                return self.cut(mode)

    async def back(self):
        while True:
            kind, body, whole = await read_message(self.server_reader)
            self.rounds += kind == b"Z"
            if self.cut_at is not None and self.committed(kind, body):
                return self.cut("after")
            await self.to_client.put(whole)

    def committed(self, kind, body):
        """CommandComplete of a COMMIT, or ReadyForQuery after an implicit one."""
        return ((kind == b"C" and body.startswith(b"COMMIT"))
                or (kind == b"Z" and self.rounds >= self.cut_at))

    def cut(self, mode):
        print(json.dumps({"t": time.time_ns() // 1000, "cut": mode}), flush=True)
        reset(self.client_writer)
        # The server has all that was passed on; an orderly end makes it read that first.
        self.server_writer.close()

    async def run(self):
        tasks = [asyncio.ensure_future(work) for work in (
            self.forward(), self.back(), self.to_server.run(), self.to_client.run())]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.client_writer.close()
        self.server_writer.close()


def handler(control, address, port):
    async def handle(reader, writer):
        try:
            server = await asyncio.wait_for(asyncio.open_connection(address, port), 5)
        except (OSError, asyncio.TimeoutError):
            return reset(writer)
        await Pair(control, (reader, writer), server).run()
    return handle


async def main(routes):
    control = Control()
    for route in routes:
        listen, target = route.split("=")
        address, port = target.rsplit(":", 1)
        await asyncio.start_server(handler(control, address, int(port)), "127.0.0.1", int(listen))
    print("ready", flush=True)
    loop = asyncio.get_running_loop()
    while True:
        line = await loop.run_in_executor(None, sys.stdin.readline)
        if not line:
            return
        control.order(line)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
