"""A PostgreSQL server of a test's own, on loopback, in a folder that ends with it.

It runs as the user postgres where the test is root, since PostgreSQL refuses root.
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile

from processes import clean_environment, wait_until

USER = "cronally"


def programs():
    """The folder of Debian's PostgreSQL programs, the newest version; None without any."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Postgres:
    """Started with these settings ("fsync=off"); `database()` makes databases in it."""

    def __init__(self, *settings, standby_of=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cronally-e2e-postgres-"))
        self.who = {}
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
            self.who = {"user": "postgres", "group": "postgres", "extra_groups": []}
        self.port = free_port()
        self.settings = settings
        self.process = None
        self.databases = 0
        if standby_of:
            self._run("pg_basebackup", "-h", "127.0.0.1", "-p", standby_of.port, "-U", USER,
                      "-D", self.folder / "data", "-R", "-X", "stream", "-c", "fast",
                      "--no-sync")
        else:
            self._run("initdb", "-D", self.folder / "data", "-U", USER, "-A", "trust", "-E", "UTF8",
                      "--no-locale", "--no-sync")
        self.start()

    def _run(self, program, *words):
        done = subprocess.run([programs() / program, *map(str, words)], capture_output=True,
                              text=True, cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=clean_environment(), timeout=120, **self.who)
        assert done.returncode == 0, done.stderr

    def start(self):
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder),
                    "port": str(self.port)}
        settings.update(setting.split("=", 1) for setting in self.settings)
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                [programs() / "postgres", "-D", self.folder / "data", *words], stdout=log,
                stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder, env=clean_environment(),
                **self.who)
        wait_until(self._answers, 30, what=lambda: "an answer of PostgreSQL:\n" + self.log())

    def _answers(self):
        assert self.process.poll() is None, self.log()
        return self._psql("postgres", "SELECT 1").returncode == 0

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def _psql(self, database, query):
        return subprocess.run(
            [programs() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-c", query,
             self.address(database)], capture_output=True, text=True, stdin=subprocess.DEVNULL,
            env=clean_environment(PGCONNECT_TIMEOUT="3"), timeout=60)

    def query(self, database, query):
        """The rows that a query answers, each a list of texts."""
        done = self._psql(database, query)
        assert done.returncode == 0, done.stderr
        return [line.split("|") for line in done.stdout.splitlines()]

    def value(self, database, query):
        return self.query(database, query)[0][0]

    def database(self):
        """A new, empty database; answers its name."""
        self.databases += 1
        name = f"test_{self.databases}"
        self.query("postgres", f"CREATE DATABASE {name}")
        return name

    def address(self, database, password=""):
        secret = ":" + password if password else ""
        return f"postgres://{USER}{secret}@127.0.0.1:{self.port}/{database}"

    def stop(self):
        """At once: nothing of it is kept."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)
        shutil.rmtree(self.folder, ignore_errors=True)
