"""A PostgreSQL server of a test's own, on loopback; it may be stopped and started while others use it.

It keeps its data over stops, but not over a crash of the machine (fsync is off).
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile

import pytest

from processes import clean_environment, wait_until

USER = "cronally"


def programs():
    """The folder of Debian's PostgreSQL programs, the newest version; None where there is none."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def need_postgresql():
    """Skips the test where PostgreSQL is not installed."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian's postgresql)")
    return found


class Postgres:
    def __init__(self):
        self.programs = need_postgresql()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cronally-e2e-postgres-"))
        self.identity = {}
        if os.getuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.process = None
        self.databases = 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._run("initdb", "-D", self.folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")

    def _run(self, name, *words):
        done = subprocess.run([self.programs / name, *words], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, cwd="/", env=clean_environment(),
                              **self.identity)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k",
                 self.folder, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c",
                 "max_connections=100"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=clean_environment(),
                **self.identity)
        wait_until(self._answers, 20, what="an answer of PostgreSQL")
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        asked = subprocess.run([self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p",
                                str(self.port)], env=clean_environment(), timeout=10)
        return asked.returncode == 0

    def stop(self):
        """Ends every session at once."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(20)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database, user=USER):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres"):
        """Rows of one statement, as texts."""
        out = self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                        self.address(database), "-c", statement)
        return [line.split("|") for line in out.splitlines() if line]

    def create_database(self):
        self.databases += 1
        name = f"cronally_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return name
