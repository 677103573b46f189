"""Three database hosts: Debian's etcd and PostgreSQL under Patroni 4 (PyPI), in d1, d2 and d3.

Every server runs as the user postgres, since PostgreSQL refuses root. Clients are trusted: nothing
outside the namespaces reaches them. Timing as measured for the proof: ttl 20 s, loop_wait 5 s,
retry_timeout 5 s, and a primary that died is not waited for.
"""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request

import yaml

from cluster.namespaces import DATABASE_HOSTS, NAME, kill_all, send, state_of, stop_all
from faults import Impossible, need_program
from processes import ROOT, clean_environment, wait_until

USER = "postgres"
FOLDER = pathlib.Path(os.environ.get("CRONALLY_CLUSTER_DIR", f"/var/lib/{NAME}"))
PYTHON = ROOT / "build/python/bin/python"
DATABASE = "cronally"
TTL_S = 20
LOOP_WAIT_S = 5
RETRY_TIMEOUT_S = 5
HEALTHY_MAX_S = 120


def postgresql_programs():
    """The folder of Debian's PostgreSQL programs, the newest version."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"),
                   key=lambda path: int(path.parts[-3]))
    if not found:
        raise Impossible("PostgreSQL is not installed (Debian's postgresql)")
    return found[-1].parent


def need_everything():
    """Raises Impossible where a program of the databases is missing."""
    need_program("etcd")
    need_program("setpriv")
    postgresql_programs()
    if not PYTHON.exists():
        raise Impossible("build/python is missing (Patroni): ./test makes it, or "
                         "`bash -c '. tools/install; python_environment'`")
    probe = subprocess.run([PYTHON, "-c", "import patroni, psycopg"], capture_output=True,
                           text=True)
    if probe.returncode != 0:
        raise Impossible("build/python has no Patroni: " + probe.stderr.strip()[-200:])


def answer(url, method="GET", body=None, timeout=2):
    """Status and JSON of an HTTP answer; (None, None) when nothing answers in time."""
    request = urllib.request.Request(url, method=method,
                                     data=None if body is None else json.dumps(body).encode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=timeout) as got:
            return got.status, json.loads(got.read() or b"null")
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError):
        return None, None


class DatabaseHost:
    """One host: its etcd, its Patroni, and through that its PostgreSQL. Logs lie in its folder."""

    def __init__(self, network, name, folder):
        self.network = network
        self.name = name
        self.address = network.address(name)
        self.folder = folder / name
        self.folder.mkdir(parents=True)
        shutil.chown(self.folder, USER, USER)
        self.data = self.folder / "data"
        self.etcd = None
        self.patroni = None

    def _start(self, name, *words):
        # With the right to read everything: the Python environment may lie where only root looks.
        command = self.network.command(self.name, *words, user=USER, may_read=True)
        with open(self.folder / f"{name}.log", "ab") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                    cwd=self.folder, env=clean_environment(HOME=str(self.folder)))

    def start_etcd(self):
        members = ",".join(f"{host}=http://{self.network.address(host)}:2380"
                           for host in DATABASE_HOSTS)
        client, peer = f"http://{self.address}:2379", f"http://{self.address}:2380"
        self.etcd = self._start(
            "etcd", need_program("etcd"), "--name", self.name, "--data-dir", self.folder / "etcd",
            "--listen-client-urls", client, "--advertise-client-urls", client,
            "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
            "--initial-cluster", members, "--initial-cluster-token", "cronally-e2e",
            # Longer than the defaults: two busy cores must not cost it its leader.
            "--heartbeat-interval", "250", "--election-timeout", "2500",
            # Not the default of 3.4: a member that comes back from a partition would end the reign
            # of etcd's leader, and with it, seconds after the heal, that of the primary.
            "--pre-vote")

    def start_patroni(self, synchronous):
        file = self.folder / "patroni.yml"
        file.write_text(yaml.safe_dump(self._configuration(synchronous)))
        self.patroni = self._start("patroni", PYTHON, "-m", "patroni", file)

    def _configuration(self, synchronous):
        trust = ["local all all trust", "host all all 10.88.0.0/24 trust",
                 "host replication all 10.88.0.0/24 trust"]
        return {
            "scope": "cronally", "name": self.name,
            "restapi": {"listen": f"{self.address}:8008",
                        "connect_address": f"{self.address}:8008"},
            "etcd3": {"hosts": [f"{self.network.address(host)}:2379" for host in DATABASE_HOSTS]},
            "bootstrap": {
                "dcs": {"ttl": TTL_S, "loop_wait": LOOP_WAIT_S, "retry_timeout": RETRY_TIMEOUT_S,
                        "primary_start_timeout": 0, "maximum_lag_on_failover": 1 << 20,
                        "synchronous_mode": synchronous,
                        "postgresql": {"use_pg_rewind": True, "use_slots": True}},
                "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
            "postgresql": {
                "listen": f"{self.address}:5432", "connect_address": f"{self.address}:5432",
                "data_dir": str(self.data), "bin_dir": str(postgresql_programs()),
                "pgpass": str(self.folder / "pgpass"), "pg_hba": trust,
                "authentication": {"superuser": {"username": USER},
                                   "replication": {"username": USER}, "rewind": {"username": USER}},
                "parameters": {"unix_socket_directories": str(self.folder),
                               "shared_buffers": "64MB", "max_connections": 100,
                               "wal_keep_size": "128MB", "synchronous_commit": "on",
                               # A primary that steps down waits so long for standbys out of reach.
                               "wal_sender_timeout": "10s", "wal_receiver_timeout": "10s"}},
            "watchdog": {"mode": "off"}}

    def log(self, name):
        file = self.folder / f"{name}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def postmaster(self):
        """The pid of PostgreSQL's first process; None while there is none."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if state_of(pid) not in (None, "Z", "X") else None

    def kill_postgresql(self):
        """kill -9 to the first process; its children follow."""
        pid = self.postmaster()
        if pid is None:
            raise AssertionError(f"{self.name} runs no PostgreSQL")
        send(pid, signal.SIGKILL)

    def freeze_patroni(self):
        stop_all(lambda: [self.patroni.pid])

    def thaw_patroni(self):
        send(self.patroni.pid, signal.SIGCONT)

    def kill_patroni(self):
        """kill -9 to Patroni and to its PostgreSQL; etcd lives."""
        kill_all(lambda: [self.patroni.pid])
        self.patroni.wait()
        if self.postmaster() is not None:
            self.kill_postgresql()
            wait_until(lambda: self.postmaster() is None, 10, what="the death of PostgreSQL")

    def kill_etcd(self):
        kill_all(lambda: [self.etcd.pid])
        self.etcd.wait()

    def reap(self):
        """Takes note of the ends of processes that died with the host."""
        for process in (self.etcd, self.patroni):
            if process:
                process.wait(10)


class Databases:
    """The three hosts as one cluster. start() returns when it is healthy."""

    def __init__(self, network, synchronous=True, folder=FOLDER):
        need_everything()
        self.network = network
        self.synchronous = synchronous
        self.strict = False  # synchronous_mode_strict: rather no writes than writes to one alone
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.hosts = {name: DatabaseHost(network, name, folder) for name in DATABASE_HOSTS}

    def start(self):
        for host in self.hosts.values():
            host.start_etcd()
        for host in self.hosts.values():
            wait_until(lambda host=host: self._etcd_healthy(host), 30, step=0.1,
                       what=lambda host=host: "health of etcd\n" + host.log("etcd")[-2000:])
        for host in self.hosts.values():
            host.start_patroni(self.synchronous)
        self.wait_healthy()
        self.query("CREATE ROLE cronally LOGIN", database=USER)
        self.query("CREATE DATABASE cronally OWNER cronally", database=USER)
        return self

    def _etcd_healthy(self, host):
        with self.network.inside():
            status, body = answer(f"http://{host.address}:2379/health")
        return status == 200 and body.get("health") == "true"

    def keep_logs(self, folder):
        """Copies what the servers said into a folder."""
        for host in self.hosts.values():
            for file in host.folder.glob("*.log"):
                shutil.copy(file, folder / f"{host.name}-{file.name}")

    def remove(self):
        """Removes their files, once the network is closed."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self, name):
        """Starts the servers of a host that died, on the files that it left."""
        host = self.hosts[name]
        host.reap()
        with contextlib.suppress(FileNotFoundError):  # a pid of before the death means nothing
            (host.data / "postmaster.pid").unlink()
        host.start_etcd()
        host.start_patroni(self.synchronous)

    def restart_patroni(self, name):
        """Starts Patroni of a host again, and with it its PostgreSQL."""
        with contextlib.suppress(FileNotFoundError):
            (self.hosts[name].data / "postmaster.pid").unlink()
        self.hosts[name].start_patroni(self.synchronous)

    # ---- what Patroni says ----------------------------------------------------------------------

    def members(self):
        """name -> {role, state, timeline …}, as the Patroni sees it that knows the newest timeline:
        one that was cut off goes on saying what it last knew."""
        views = []
        with self.network.inside():
            for host in self.hosts.values():
                status, body = answer(f"http://{host.address}:8008/cluster")
                if status == 200:
                    views.append({member["name"]: member for member in body["members"]})
        newest = lambda view: max((member.get("timeline") or 0 for member in view.values()),
                                  default=0)
        return max(views, key=newest, default={})

    def timeline(self):
        """The newest timeline; it grows with each new primary."""
        return max((member.get("timeline") or 0 for member in self.members().values()), default=0)

    def primary(self):
        """The name of the host that Patroni calls leader and whose PostgreSQL takes writes."""
        def found():
            for name, member in self.members().items():
                if member["role"] in ("leader", "master") and member["state"] == "running":
                    if self._ask(name, "SELECT pg_is_in_recovery()") == "f":
                        return name
            return None
        return wait_until(found, HEALTHY_MAX_S, step=0.2, what="a primary")

    def standbys_of(self, primary):
        return [name for name in self.hosts if name != primary]

    def synchronous_standby(self):
        """The standby that every acknowledged commit has reached."""
        return next(name for name, member in self.members().items()
                    if member["role"] == "sync_standby")

    def healthy(self):
        """One leader, two standbys that stream on its timeline, one of them synchronous if
        asked."""
        members = self.members()
        if len(members) != len(self.hosts):
            return False
        leaders = [member for member in members.values() if member["role"] == "leader"]
        others = [member for member in members.values() if member["role"] != "leader"]
        wanted = ["replica", "sync_standby"] if self.synchronous else ["replica", "replica"]
        return (len(leaders) == 1 and leaders[0]["state"] == "running"
                and sorted(member["role"] for member in others) == wanted
                and all(member["state"] == "streaming" for member in others)
                and len({member.get("timeline") for member in members.values()}) == 1
                and self._ask(leaders[0]["name"], "SELECT pg_is_in_recovery()") == "f")

    def wait_healthy(self, timeout=HEALTHY_MAX_S):
        wait_until(self.healthy, timeout, step=0.3, what=self._state)

    def _state(self):
        ends = [f"--- {host.name}\n{host.log('patroni')[-1500:]}" for host in self.hosts.values()]
        return f"health of the databases: {self.members()}\n" + "\n".join(ends)

    def _configure(self, **settings):
        """Changes Patroni's settings of the running cluster."""
        name = self.primary()
        with self.network.inside():
            status, _ = answer(f"http://{self.network.address(name)}:8008/config", "PATCH",
                               settings, timeout=10)
        if status != 200:
            raise AssertionError(f"Patroni did not take the change: {status}")
        self.wait_healthy()

    def set_strict(self, strict):
        """Changes synchronous_mode_strict, if need be; Patroni reads it within its loop."""
        if self.strict != strict:
            self._configure(synchronous_mode_strict=strict)
            self.strict = strict
            time.sleep(2 * LOOP_WAIT_S)

    def set_synchronous(self, synchronous):
        """Changes synchronous_mode of the running cluster, and waits until it holds."""
        self.synchronous = synchronous
        self._configure(synchronous_mode=synchronous)
        wanted = "t" if synchronous else "f"
        wait_until(lambda: self._ask(self.primary(), "SELECT current_setting("
                                     "'synchronous_standby_names') <> ''") == wanted, 30, step=0.3,
                   what="synchronous_standby_names")

    def wait_replayed(self):
        """Until every standby has replayed what is committed now."""
        (position,) = self.query("SELECT pg_current_wal_lsn()", database=USER)
        for name in self.standbys_of(self.primary()):
            wait_until(lambda name=name: self._ask(
                name, f"SELECT pg_last_wal_replay_lsn() >= '{position}'") == "t", 30, step=0.1,
                what=f"replay on {name}")

    # ---- SQL ------------------------------------------------------------------------------------

    def url(self, addresses=None):
        """The connection string over all three hosts, for a client that writes."""
        hosts = addresses or [f"{host.address}:5432" for host in self.hosts.values()]
        return (f"postgresql://cronally@{','.join(hosts)}/{DATABASE}"
                "?target_session_attrs=read-write&connect_timeout=2&sslmode=disable&gssencmode=disable")

    def _psql(self, name, sql, database):
        with self.network.inside():
            return subprocess.run(
                [postgresql_programs() / "psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1",
                 "-h", self.network.address(name), "-U", USER, "-d", database, "-c", sql],
                capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
                env=clean_environment(PGCONNECT_TIMEOUT="2", PGOPTIONS="-c statement_timeout=15s"))

    def terminate_backends(self):
        """Ends the sessions of the clients and what they are doing, COMMIT too."""
        self.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                   "WHERE usename = 'cronally'", database=USER)

    def cancel_statements(self):
        """Cancels what the clients are doing. A COMMIT that waits for its standby then succeeds
        with a warning."""
        self.query("SELECT pg_cancel_backend(pid) FROM pg_stat_activity "
                   "WHERE usename = 'cronally' AND state = 'active'", database=USER)

    def _ask(self, name, sql):
        """One value of one host; None when it does not answer."""
        try:
            done = self._psql(name, sql, USER)
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def query(self, sql, database=DATABASE):
        """Lines of the answer of the primary; the columns are parted by |."""
        done = self._psql(self.primary(), sql, database)
        if done.returncode != 0:
            raise AssertionError(f"psql: {done.stderr.strip()[:300]}")
        return done.stdout.splitlines()
