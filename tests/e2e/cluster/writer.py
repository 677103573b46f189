"""A client of the databases without the product: it inserts rows, and logs what it was told.

    writer.py --url URL --name W --log FILE [--per-second 20] [--once]

One row is one transaction, BEGIN, INSERT, COMMIT, in three messages. The log says that a try
begins, and then what became of it: `acknowledged`, `refused` (nothing was committed) or `unknown`
(COMMIT was sent and not answered, or answered with the warning that it may not have been
replicated). An unknown fate is resolved as the product does it: the same transaction again, which
changes nothing where the row is there already (not with --once). A transaction has 5 s, then its
connection is left; it is never cancelled.

Runs on the Python of build/python (psycopg). Ends by a signal.
"""

import argparse
import itertools
import json
import select
import time

import psycopg
from psycopg import pq

DEADLINE_S = 5.0
INSERT = "INSERT INTO proof (key, writer) VALUES ('{}', '{}') ON CONFLICT (key) DO NOTHING"


def now_us():
    return time.time_ns() // 1000


class Failed(Exception):
    """The server said no, is gone, or did not answer in time; the text says which."""


class Session:
    """One connection. Each ask() has what is left of the transaction's time."""

    def __init__(self, url):
        self.warnings = []
        self.connection = pq.PGconn.connect(url.encode())
        self.connection.notice_handler = self._notice
        if self.connection.status != pq.ConnStatus.OK:
            text = self.connection.get_error_message()
            self.connection.finish()
            raise Failed(text)

    def _notice(self, result):
        severity = result.error_field(pq.DiagnosticField.SEVERITY_NONLOCALIZED)
        if severity == b"WARNING":
            message = result.error_field(pq.DiagnosticField.MESSAGE_PRIMARY)
            self.warnings.append(message.decode(errors="replace"))

    def ask(self, sql, until):
        """The command tag of the answer."""
        try:
            self.connection.send_query(sql.encode())
            last = None
            while True:
                while self.connection.is_busy():
                    self._read(until)
                result = self.connection.get_result()
                if result is None:
                    return self._tag(last)
                last = result
        except psycopg.Error as error:
            raise Failed(str(error).strip()) from None

    def _read(self, until):
        left = until - time.monotonic()
        if left <= 0 or not select.select([self.connection.socket], [], [], left)[0]:
            raise Failed("no answer in time")
        self.connection.consume_input()

    @staticmethod
    def _tag(result):
        if result is None or result.status != pq.ExecStatus.COMMAND_OK:
            raise Failed(result.get_error_message().strip() if result else "no answer")
        return (result.command_status or b"").decode()

    def close(self):
        self.connection.finish()


class Writer:
    def __init__(self, url, name, log, repeats=True):
        self.url = url
        self.name = name
        self.repeats = repeats
        self.log = open(log, "a", encoding="utf-8", buffering=1)
        self.session = None

    def write(self, key):
        """Tries until the row is acknowledged, or once."""
        for number in itertools.count(1):
            began = now_us()
            self._note(key=key, t0=began)
            fate, why = self._try(key)
            self._note(key=key, number=number, t0=began, t1=now_us(), fate=fate, why=why)
            if fate != "acknowledged":
                self._leave()
            if fate == "acknowledged" or not self.repeats:
                return
            time.sleep(0.05)

    def _note(self, **what):
        self.log.write(json.dumps(what) + "\n")

    def _try(self, key):
        until = time.monotonic() + DEADLINE_S
        try:
            if self.session is None:
                self.session = Session(self.url)
                until = time.monotonic() + DEADLINE_S
            self.session.warnings.clear()
            self.session.ask("BEGIN", until)
            self.session.ask(INSERT.format(key, self.name), until)
        except Failed as error:
            return "refused", str(error)[:200]
        try:
            tag = self.session.ask("COMMIT", until)
        except Failed as error:
            return "unknown", str(error)[:200]
        if self.session.warnings:
            return "unknown", self.session.warnings[0][:200]
        return ("acknowledged", "") if tag == "COMMIT" else ("refused", tag)

    def _leave(self):
        if self.session:
            self.session.close()
            self.session = None


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--url", required=True)
    arguments.add_argument("--name", required=True)
    arguments.add_argument("--log", required=True)
    arguments.add_argument("--per-second", type=float, default=20)
    arguments.add_argument("--once", action="store_true", help="repeat nothing")
    given = arguments.parse_args()
    writer = Writer(given.url, given.name, given.log, repeats=not given.once)
    born = time.time_ns() // 1_000_000
    step = 1 / given.per_second
    following = time.monotonic()
    for number in itertools.count():
        writer.write(f"{given.name}-{born}-{number}")
        following = max(following + step, time.monotonic())
        time.sleep(max(0.0, following - time.monotonic()))


if __name__ == "__main__":
    main()
