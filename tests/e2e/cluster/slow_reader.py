"""A receiver that reads slowly, so that a delivery is half sent for seconds; on a host of its own.

    slow_reader.py --address A --log FILE [--rate BYTES]     prints its port

Its log has the lines of tests/support/receiver, with the instant of the first byte, and when it was
answered. A request of
which not all came has status 0. One whose fence is below one that this run has shown before is
refused with 409, as `Cronally-Fence` is meant to be used.
"""

import argparse
import asyncio
import json
import socket
import time

PIECE = 4096


class Reader:
    def __init__(self, log, rate):
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.rate = rate
        self.fences = {}  # run -> the greatest fence that it has shown

    async def serve(self, reader, writer):
        try:
            while await self.one(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass
        writer.close()

    async def one(self, reader, writer):
        """One request; False when there is none."""
        first = await reader.read(1)
        if not first:
            return False
        at = time.time_ns() // 1000
        head = first + await reader.readuntil(b"\r\n\r\n")
        words, *lines = head.decode("latin-1").strip().split("\r\n")
        fields = {name.lower(): value.strip()
                  for name, _, value in (line.partition(":") for line in lines)}
        run, fence = fields["cronally-run"], int(fields["cronally-fence"])
        seen = self.fences[run] = max(fence, self.fences.get(run, fence))
        size = int(fields.get("content-length", "0"))
        status = 0
        try:
            await self.body(reader, size)
            status = 200 if fence >= self.fences[run] else 409
        finally:
            self.log.write(json.dumps({
                "t_us": at, "answered_us": time.time_ns() // 1000, "run": run, "job": fields["cronally-job"],
                "scheduled_at": fields["cronally-scheduled-at"],
                "attempt": int(fields["cronally-attempt"]), "fence": fence,
                "path": words.split(" ")[1], "method": words.split(" ")[0], "status": status,
                "sig": "none", "body_bytes": size, "seen": seen}) + "\n")
        writer.write(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        return True

    async def body(self, reader, left):
        while left > 0:
            piece = await reader.read(min(PIECE, left))
            if not piece:
                raise asyncio.IncompleteReadError(b"", left)
            left -= len(piece)
            await asyncio.sleep(len(piece) / self.rate)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--port", type=int, default=0)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--rate", type=int, default=64_000, help="bytes a second")
    given = arguments.parse_args()
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * PIECE)
    listener.bind((given.address, given.port))
    # The stream's own buffer is small too: what is not read stays with the sender.
    server = await asyncio.start_server(Reader(given.log, given.rate).serve, sock=listener,
                                        limit=2 * PIECE)
    print(listener.getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
