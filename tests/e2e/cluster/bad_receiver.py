"""A receiver whose answers are bad for whoever reads them, on a host of its own.

    bad_receiver.py --mode drip|redirect|flood|tls --address A --log FILE [--to URL] [--certificate
    FILE]                                                                          prints its port

`drip`: the head of the answer comes one byte a second. `redirect`: 301 and 307 in turn, to the URL.
`flood`: 200 with a body of 100 MB. `tls`: 200, under a certificate that nobody trusts. A line of its
log is {t_us, sent} of one answer: the bytes that the kernel took of it before the sender had enough,
or it was whole. One piece of 64 KiB, of which the kernel took a part, is not counted.
"""

import argparse
import asyncio
import itertools
import json
import socket
import ssl
import time

FLOOD_BYTES = 100_000_000
PIECE = b"x" * 65_536
SEND_BUFFER = 65_536


def head(status, *fields):
    lines = [f"HTTP/1.1 {status} x", *fields, "", ""]
    return "\r\n".join(lines).encode()


async def drip(to):
    for byte in head(200, "Content-Length: 0"):
        yield bytes([byte])
        await asyncio.sleep(1)


async def redirect(to, statuses=itertools.cycle((301, 307))):
    yield head(next(statuses), f"Location: {to}", "Content-Length: 0")


async def flood(to):
    yield head(200, f"Content-Length: {FLOOD_BYTES}")
    for start in range(0, FLOOD_BYTES, len(PIECE)):
        yield PIECE[:FLOOD_BYTES - start]


async def tls(to):
    yield head(200, "Content-Length: 0")


MODES = {"drip": drip, "redirect": redirect, "flood": flood, "tls": tls}


class BadReceiver:
    def __init__(self, mode, log, to):
        self.answer = MODES[mode]
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.to = to

    async def serve(self, reader, writer):
        """One request for each connection; what its body has in it does not matter."""
        sent = 0
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF,
                                                       SEND_BUFFER)
            writer.transport.set_write_buffer_limits(0)
            async for piece in self.answer(self.to):
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
        except (OSError, asyncio.IncompleteReadError):
            pass
        self.log.write(json.dumps({"t_us": time.time_ns() // 1000, "sent": sent}) + "\n")
        writer.close()


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--mode", choices=sorted(MODES), required=True)
    arguments.add_argument("--address", required=True)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--to", default="", help="where redirects lead")
    arguments.add_argument("--certificate", help="with its key, as PEM: speaks TLS")
    given = arguments.parse_args()
    context = None
    if given.certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(given.certificate)
    bad = BadReceiver(given.mode, given.log, given.to)
    server = await asyncio.start_server(bad.serve, given.address, 0, backlog=1024,
                                        ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
