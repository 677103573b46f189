"""A PostgreSQL server of a test's own, on loopback; it may be stopped and started while others use it.

It keeps its data over stops, but not over a crash of the machine (fsync is off).
"""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

from ports import ReservedPort
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
    """`settings` are of the server ("fsync=on"); with `standby_of` it follows another one."""

    def __init__(self, *settings, standby_of=None):
        self.settings = ("fsync=off", "max_connections=100", *settings)
        self.programs = need_postgresql()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cronally-e2e-postgres-"))
        self.identity = {}
        if os.getuid() == 0:  # it refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
            self.identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self.process = None
        self.databases = 0
        self.reserved = ReservedPort()
        if standby_of:
            self._run("pg_basebackup", "-d", standby_of.address("postgres"), "-D",
                      self.folder / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync")
        else:
            self._run("initdb", "-D", self.folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8",
                      "--no-locale", "--no-sync")

    def _run(self, name, *words):
        done = subprocess.run([self.programs / name, *words], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=60, cwd="/", env=clean_environment(),
                              **self.identity)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @property
    def port(self):
        return self.reserved.number

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), "-k",
                 self.folder, "-c", "listen_addresses=127.0.0.1",
                 *[word for setting in self.settings for word in ("-c", setting)]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", env=clean_environment(),
                **self.identity)
        wait_until(self._answers, 20,
                   what=lambda: "an answer of PostgreSQL\n" + (self.folder / "log").read_text()[-2000:])
        return self

    def _answers(self):
        assert self.process.poll() is None, (self.folder / "log").read_text()
        # By the socket in its folder: what answers there is this server and no other.
        asked = subprocess.run([self.programs / "pg_isready", "-q", "-h", self.folder, "-p",
                                str(self.port)], env=clean_environment(), timeout=10)
        return asked.returncode == 0

    def stop(self):
        """Ends every session at once, and leaves what is committed to the next start."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)
        self.reserved.release()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, database, user=USER):
        return f"postgres://{user}@127.0.0.1:{self.port}/{database}"

    def sql(self, statement, database="postgres"):
        """Rows of one statement, as texts."""
        out = self._run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d",
                        self.address(database), "-c", statement)
        return [line.split("|") for line in out.splitlines() if line]

    def value(self, statement, database="postgres"):
        return self.sql(statement, database)[0][0]

    def create_database(self):
        self.databases += 1
        name = f"cronally_{self.databases}"
        self.sql(f"CREATE DATABASE {name}")
        return name
