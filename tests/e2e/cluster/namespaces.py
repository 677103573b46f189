"""Hosts on one machine: network namespaces on a bridge, which can be cut, frozen and killed.

    hub   10.88.0.1    the bridge; the harness stands here and sees everything, whatever is cut
    n1-n3 10.88.0.11-  nodes of Cronally
    d1-d3 10.88.0.21-  database hosts
    r1    10.88.0.31   receivers

Nothing is made in the machine's own network: the harness goes into the hub with `inside`. All names
begin with PREFIX. One Network of a NAME is there at a time (a lock); it first removes what a harness
that crashed has left, processes too. CRONALLY_CLUSTER gives another NAME, so that two benches can
stand side by side. Needs root, ip and iptables; Impossible says what is missing.
"""

import contextlib
import ctypes
import fcntl
import os
import pathlib
import signal
import subprocess

from faults import Impossible, need_program, need_root
from processes import wait_until

NAME = os.environ.get("CRONALLY_CLUSTER", "cronally-e2e")
PREFIX = NAME + "-"
HUB = "hub"
ADDRESSES = {HUB: "10.88.0.1",
             "n1": "10.88.0.11", "n2": "10.88.0.12", "n3": "10.88.0.13",
             "d1": "10.88.0.21", "d2": "10.88.0.22", "d3": "10.88.0.23",
             "r1": "10.88.0.31"}
NODES = ("n1", "n2", "n3")
DATABASE_HOSTS = ("d1", "d2", "d3")
RECEIVERS = "r1"
NAMES = pathlib.Path("/run/netns")
LOCK = pathlib.Path(f"/run/{NAME}.lock")
LOCK_WAIT_S = 600
CLONE_NEWNET = 0x40000000  # linux/sched.h


def ip(*words):
    done = subprocess.run([need_program("ip"), *words], capture_output=True, text=True)
    if done.returncode != 0:
        raise Impossible(f"ip {' '.join(words)}: {done.stderr.strip()[:200]}")
    return done.stdout


def state_of(pid):
    """The letter of proc(5): T stopped, Z zombie …; None when the process is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return None


def send(pid, number):
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def pids_in(namespace):
    """Processes of a namespace by its full name, without this one."""
    return [int(pid) for pid in ip("netns", "pids", namespace).split() if int(pid) != os.getpid()]


def stop_all(pids, timeout=5):
    """SIGSTOP to what pids() says, until all have stopped: what was forked meanwhile too."""
    def stopped():
        moving = [pid for pid in pids() if state_of(pid) not in ("T", "Z", "X", None)]
        for pid in moving:
            send(pid, signal.SIGSTOP)
        return not moving
    wait_until(stopped, timeout, step=0.01, what="the freeze")


def kill_all(pids, timeout=10):
    """kill -9 to what pids() says, until nothing but zombies is left."""
    def dead():
        living = [pid for pid in pids() if state_of(pid) not in ("Z", "X", None)]
        for pid in living:
            send(pid, signal.SIGKILL)
        return not living
    wait_until(dead, timeout, step=0.01, what="the death of all processes")


def remove_leftovers():
    """Ends the processes of every namespace with our prefix and removes it."""
    if not NAMES.is_dir():
        return
    for path in sorted(NAMES.glob(PREFIX + "*")):
        with contextlib.suppress(Impossible):  # a name whose namespace is gone
            kill_all(lambda name=path.name: pids_in(name))
        ip("netns", "delete", path.name)


class Network:
    """The hosts, connected. close() ends every process in them and removes them."""

    def __init__(self, hosts=tuple(ADDRESSES)):
        need_root()
        need_program("ip")
        self.iptables_program = need_program("iptables")
        self.hosts = [HUB, *[host for host in hosts if host != HUB]]
        self.cuts = []  # (host, program, words) that undo each rule in force
        self.lock = self._locked()
        try:
            remove_leftovers()
            self._make()
        except BaseException:
            self.close()
            raise

    def _locked(self):
        handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        def taken():
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                return False
        try:
            wait_until(taken, LOCK_WAIT_S, step=0.2, what=f"the lock {LOCK} (another run has it)")
        except BaseException:
            os.close(handle)
            raise
        return handle

    def _make(self):
        for host in self.hosts:
            ip("netns", "add", PREFIX + host)
            ip("-n", PREFIX + host, "link", "set", "lo", "up")
        hub = PREFIX + HUB
        ip("-n", hub, "link", "add", "br0", "type", "bridge")
        ip("-n", hub, "addr", "add", self.address(HUB) + "/24", "dev", "br0")
        ip("-n", hub, "link", "set", "br0", "up")
        for host in self.hosts[1:]:
            ip("link", "add", "eth0", "netns", PREFIX + host,
               "type", "veth", "peer", "name", host, "netns", hub)
            ip("-n", hub, "link", "set", host, "master", "br0", "up")
            ip("-n", PREFIX + host, "addr", "add", self.address(host) + "/24", "dev", "eth0")
            ip("-n", PREFIX + host, "link", "set", "eth0", "up")

    @staticmethod
    def address(host):
        return ADDRESSES[host]

    @staticmethod
    def command(host, *words, user=None, group=None, may_read=False):
        """The words of a command that runs on a host, as an unprivileged user (and its group, of
        the same name unless said) if one is named; with `may_read` that user may read every file.
        The process that is started so becomes the command itself: its pid is the command's."""
        drop = [] if user is None else [
            need_program("setpriv"), f"--reuid={user}", f"--regid={group or user}",
            "--clear-groups", "--no-new-privs"]
        if may_read:
            drop += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [need_program("ip"), "netns", "exec", PREFIX + host, *drop, *map(str, words)]

    @contextlib.contextmanager
    def inside(self, host=HUB):
        """This thread, and what it starts, stands on that host."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        away = os.open(NAMES / (PREFIX + host), os.O_RDONLY)
        try:
            if libc.setns(away, CLONE_NEWNET) != 0:
                raise Impossible(f"setns: {os.strerror(ctypes.get_errno())}")
            try:
                yield self
            finally:
                if libc.setns(home, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "cannot go back to the machine's network")
        finally:
            os.close(home)
            os.close(away)

    # ---- the wires ------------------------------------------------------------------------------

    def _run(self, host, program, *words):
        done = subprocess.run(self.command(host, program, *words), capture_output=True, text=True)
        if done.returncode != 0:
            raise Impossible(f"{program}: {done.stderr.strip()[:200]}")

    def _drop(self, host, *which):
        """What comes in on a host and fits is lost."""
        rule = ("INPUT", *which, "-j", "DROP")
        self._run(host, self.iptables_program, "-w", "-A", *rule)
        self.cuts.append((host, self.iptables_program, "-w", "-D", *rule))

    def cut(self, source, sink):
        """What `source` sends to `sink` is lost on the way; the other way goes on."""
        self._drop(sink, "-s", self.address(source))

    def swallow(self, host, port):
        """What comes in on a TCP port of a host is lost."""
        self._drop(host, "-p", "tcp", "--dport", str(port))

    def partition(self, some, others):
        """Nothing passes between the hosts of the two groups, either way."""
        for one in some:
            for other in others:
                for host, peer in ((one, other), (other, one)):
                    self._drop(host, "-s", self.address(peer))

    def isolate(self, host):
        """Nothing passes between this host and any other; the harness in the hub still sees it."""
        self.partition([host], [peer for peer in self.hosts if peer not in (HUB, host)])

    def lose(self, host, peers, share):
        """A share of the packets between a host and its peers is lost, either way."""
        chance = ("-m", "statistic", "--mode", "random", "--probability", str(share))
        for peer in peers:
            self._drop(host, "-s", self.address(peer), *chance)
            self._drop(peer, "-s", self.address(host), *chance)

    def slow(self, host, rate):
        """A host sends no faster than that, in the words of tc(8): 8kbit."""
        tc = need_program("tc")
        self._run(host, tc, "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", rate,
                  "burst", "1600", "latency", "400ms")
        self.cuts.append((host, tc, "qdisc", "del", "dev", "eth0", "root"))

    def heal(self):
        """Removes every cut, loss and limit."""
        while self.cuts:
            self._run(*self.cuts[-1])
            self.cuts.pop()

    # ---- the processes --------------------------------------------------------------------------

    def pids(self, host):
        return pids_in(PREFIX + host)

    def freeze(self, host):
        """Every process of the host stands still, as on a machine that was suspended."""
        stop_all(lambda: self.pids(host))

    def thaw(self, host):
        for pid in self.pids(host):
            send(pid, signal.SIGCONT)

    def kill(self, host):
        """Every process of the host dies at once, as at a power cut (its files stay)."""
        kill_all(lambda: self.pids(host))

    def close(self):
        """Removes everything; a second call does nothing."""
        if self.lock is None:
            return
        try:
            remove_leftovers()
        finally:
            os.close(self.lock)
            self.lock = None

