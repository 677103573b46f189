"""A PostgreSQL server that forgets: a copy of its files from before is put back in their place.

On loopback, as the user postgres where we are root, without fsync: what it loses is lost on
purpose.
"""

import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

from faults import Impossible, need_program
from ports import ReservedPort
from processes import clean_environment, wait_until

USER = "postgres"
DATABASE = "cronally"


def programs():
    """The folder of Debian's PostgreSQL programs, the newest version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise Impossible("PostgreSQL is not installed (Debian's postgresql)")
    return found[-1].parent


class Forgetful:
    """One server with an empty database `cronally`, running."""

    def __init__(self):
        self.programs = programs()
        # Not in the test's own folder, where the server's user may not look.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="cronally-forgetful-"))
        if os.getuid() == 0:
            shutil.chown(self.folder, USER, USER)
        self.data = self.folder / "data"
        self.saved = self.folder / "saved"
        self.reserved = ReservedPort()
        self.port = self.reserved.number
        self.process = None
        self._run("initdb", "-D", self.data, "-U", USER, "-A", "trust", "-E", "UTF8",
                  "--no-locale", "--no-sync")
        self.start()
        self._run("createdb", *self._where(), DATABASE)

    @property
    def url(self):
        return f"postgres://{USER}@127.0.0.1:{self.port}/{DATABASE}?connect_timeout=2"

    def _where(self):
        return ["-h", "127.0.0.1", "-p", str(self.port), "-U", USER]

    def _words(self, name, *words):
        command = [str(word) for word in (self.programs / name, *words)]
        if os.getuid() != 0:
            return command
        user = pwd.getpwnam(USER)
        return [need_program("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
                "--clear-groups", "--pdeathsig=QUIT", *command]

    def _run(self, name, *words):
        done = subprocess.run(self._words(name, *words), capture_output=True, text=True,
                              timeout=60, cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=clean_environment())
        if done.returncode != 0:
            raise AssertionError(f"{name} failed: {done.stderr[-1000:]}")
        return done.stdout

    def query(self, sql):
        return self._run("psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", *self._where(), "-d",
                         DATABASE, "-c", sql).strip()

    def start(self):
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(
                self._words("postgres", "-D", self.data, "-k", self.folder, "-p", self.port,
                            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                env=clean_environment())
        wait_until(self._answers, 30, step=0.05, what=lambda: "the database\n" + self._log())

    def _log(self):
        return (self.folder / "server.log").read_text()[-2000:]

    def _answers(self):
        assert self.process.poll() is None, self._log()
        # By the socket in its folder: what answers there is this server and no other.
        ready = subprocess.run(self._words("pg_isready", "-q", "-h", self.folder, "-p", self.port),
                               timeout=10, env=clean_environment())
        return ready.returncode == 0

    def kill(self):
        """At once, as when the machine goes."""
        self.process.send_signal(3)  # SIGQUIT
        self.process.wait(30)

    def save(self):
        """Copies the files of the running server, as a backup does."""
        shutil.rmtree(self.saved, ignore_errors=True)
        self._run("pg_basebackup", *self._where(), "-D", self.saved, "-c", "fast", "-X", "stream",
                  "--no-sync")

    def put_back(self, promoted=True):
        """Kills the server and starts it on the saved files, on a new timeline if `promoted`: what
        was committed since is forgotten."""
        if self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.data)
        shutil.copytree(self.saved, self.data, symlinks=True)
        for path in (self.data, *self.data.rglob("*")):
            if os.getuid() == 0:
                shutil.chown(path, USER, USER)
        if promoted:
            signal = self.data / "standby.signal"
            signal.touch()
            if os.getuid() == 0:
                shutil.chown(signal, USER, USER)
        self.start()
        if promoted:
            self.query("SELECT pg_promote(true, 30)")

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.reserved.release()
        shutil.rmtree(self.folder, ignore_errors=True)
