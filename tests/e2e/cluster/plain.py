"""One PostgreSQL on this machine (synchronous_commit=on, no standby) and nodes on loopback beside
it, for figures: nothing is cut or frozen here.
"""

import os
import pathlib
import shutil
import subprocess
import tempfile

import load
from checker import instant_text
from client import Client
from cluster.databases import USER, postgresql_programs
from cluster.namespaces import NAME
from cluster.nodes import new_secrets
from faults import need_program, need_root
from ports import ReservedPort
from processes import Receiver, Server, clean_environment, wait_until


class OnePostgres:
    """Runs as the user postgres, in a folder of its own under /var/lib."""

    def __init__(self, folder=f"/var/lib/{NAME}-one"):
        need_root()
        self.folder = pathlib.Path(folder)
        self.reserved = ReservedPort()
        self.port = self.reserved.number
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        shutil.chown(self.folder, USER, USER)
        programs = postgresql_programs()
        self._as_user(programs / "initdb", "-D", self.folder / "data", "-E", "UTF8", "--locale",
                      "C.UTF-8", "--auth", "trust", "--no-instructions", check=True)
        log = open(self.folder / "log", "ab")
        os.chmod(self.folder / "log", 0o666)
        self.process = subprocess.Popen(
            self._words(programs / "postgres", "-D", self.folder / "data", "-p", self.port,
                        "-c", "listen_addresses=127.0.0.1", "-c", "synchronous_commit=on",
                        "-c", "fsync=on", "-c", f"unix_socket_directories={self.folder}",
                        "-c", "shared_buffers=256MB", "-c", "max_wal_size=2GB"),
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
            env=clean_environment())
        self.psql = programs / "psql"
        wait_until(lambda: self.query("SELECT 1") == ["1"], 30, step=0.1,
                   what=lambda: "PostgreSQL\n" + (self.folder / "log").read_text()[-2000:])
        self.query("CREATE ROLE cronally LOGIN")
        self.fresh()

    @staticmethod
    def _words(*words):
        return [need_program("setpriv"), f"--reuid={USER}", f"--regid={USER}", "--clear-groups",
                *map(str, words)]

    def _as_user(self, *words, check=False):
        return subprocess.run(self._words(*words), capture_output=True, text=True, check=check,
                              cwd=self.folder, env=clean_environment())

    def query(self, sql, database=USER):
        done = self._as_user(self.psql, "-X", "-A", "-t", "-h", self.folder, "-p", self.port, "-d",
                             database, "-c", sql)
        return done.stdout.splitlines() if done.returncode == 0 else None

    def fresh(self):
        """An empty database."""
        self.query("DROP DATABASE IF EXISTS cronally WITH (FORCE)")
        assert self.query("CREATE DATABASE cronally OWNER cronally") is not None

    @property
    def url(self):
        return f"postgresql://cronally@127.0.0.1:{self.port}/cronally?sslmode=disable"

    def cpu_seconds(self):
        """Processor time of all its processes so far, of those that have ended too."""
        ticks = 0
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rsplit(")", 1)[1].split()
            except OSError:  # ended meanwhile
                continue
            if stat.parent.name == str(self.process.pid):
                ticks += sum(map(int, fields[11:15]))  # and those of its children that have ended
            elif fields[1] == str(self.process.pid):
                ticks += sum(map(int, fields[11:13]))
        return ticks / load.TICKS

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.reserved.release()
        shutil.rmtree(self.folder, ignore_errors=True)


class Nodes:
    """`count` nodes over one PostgreSQL, ready, with its shards shared."""

    def __init__(self, postgres, folder, count, *arguments):
        postgres.fresh()
        self.postgres = postgres
        self.all = []
        secrets = new_secrets()
        try:
            for number in range(count):
                node = Server(pathlib.Path(folder) / f"node-{number}", "--database", postgres.url,
                              "--log-level", "warning", *arguments)
                for name, value in secrets.items():
                    (node.data / name).write_bytes(value)
                    (node.data / name).chmod(0o600)
                self.all.append(node)
                node.start()
            wait_until(self.shared, 30, step=0.1, what="shards shared")
        except BaseException:
            self.close()
            raise

    def shared(self):
        said = self.postgres.query("SELECT count(DISTINCT holder), count(*) FILTER (WHERE holder IS "
                                   "NULL) FROM cronally.shard_lease", "cronally")
        return said == [f"{len(self.all)}|0"]

    def api(self, number=0):
        return Client(self.all[number], checks=False)

    def close(self):
        for node in self.all:
            if node.process and node.process.poll() is None:
                node.kill()


def spread(receiver, jobs, path, base):
    """`jobs` jobs every second, spread evenly over it."""
    return [{"name": f"{path} {number}", "schedule": "@every 1s",
             "anchor": instant_text(base + number * 1_000_000 // jobs),
             "target": {"type": "http", "url": receiver.url(path)}} for number in range(jobs)]


def with_nodes(count, work):
    """work(nodes, receiver, folder) on one PostgreSQL."""
    postgres = OnePostgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            nodes = Nodes(postgres, folder, count)
            receiver = Receiver(folder)
            try:
                return work(nodes, receiver, pathlib.Path(folder))
            finally:
                receiver.stop()
                nodes.close()
    finally:
        postgres.close()
