"""The nemesis: what happens to nodes and databases, chosen by a seed, and the log of when it did.

A kind of fault is a class with `begin` (returns its scope: the hosts that it struck), `hold` (what
goes on meanwhile) and `end`, after which everything can recover. The log has one JSON line for
each, as the checker reads it: {t0, t1, kind, scope, lateness, recovery, unrecorded, allow_missed},
in microseconds; checker.Fault says what they mean.
"""

import dataclasses
import json
import random
import signal
import time

from cluster.namespaces import DATABASE_HOSTS, NODES, RECEIVERS
from faults import Impossible
from kill_run import now_us
from processes import wait_until

SECOND = 1_000_000
FAILOVER_S = 40  # DESIGN P7: database failover
NODE_TTL_S = 5


@dataclasses.dataclass
class Scene:
    """What the nemesis may touch."""
    network: object
    databases: object = None
    nodes: dict = dataclasses.field(default_factory=dict)  # host -> what its `spawn()` starts again
    proxies: dict = dataclasses.field(default_factory=dict)  # host -> CommitProxy, or like one
    node_ttl_s: float = NODE_TTL_S

    def node(self, pick):
        """One of the hosts that have a node, by a number."""
        hosts = sorted(self.nodes)
        if not hosts:
            raise Impossible("no node is in this scene")
        return hosts[pick % len(hosts)]


class Fault:
    """A kind. `lateness_s`: how long after its begin the work may be late; None: until its end.
    `recovery_s`: how long after its end. `unrecorded_s`: how long after its begin an answer may
    stay unrecorded; None: until its end and recovery."""
    hold_s = 45.0
    lateness_s = FAILOVER_S
    recovery_s = 10.0
    unrecorded_s = None
    allow_missed = False

    def __init__(self, scene, pick=0):
        self.scene = scene
        self.pick = pick

    def begin(self):
        raise NotImplementedError

    def hold(self, seconds):
        time.sleep(seconds)

    def end(self):
        self.scene.network.heal()


# ---- nodes ---------------------------------------------------------------------------------------

class OfANode(Fault):
    """Its shards move to others within the time to live and a second."""
    hold_s = 12.0
    recovery_s = 2.0

    def __init__(self, scene, pick=0):
        super().__init__(scene, pick)
        self.lateness_s = self.unrecorded_s = scene.node_ttl_s + 1

    def begin(self):
        self.host = self.scene.node(self.pick)
        self.strike()
        return [self.host]


class NodeKilled(OfANode):
    """F13."""

    def __init__(self, scene, pick=0):
        super().__init__(scene, pick)
        self.unrecorded_s = 0

    def strike(self):
        self.scene.network.kill(self.host)

    def end(self):
        self.scene.nodes[self.host].spawn()


class NodeStopped(OfANode):
    """F33: SIGTERM, and a new one when it has ended. Shards are handed over within a second."""
    hold_s = 2.0

    def __init__(self, scene, pick=0):
        super().__init__(scene, pick)
        self.lateness_s, self.unrecorded_s = 1.0, 0

    def strike(self):
        self.scene.nodes[self.host].signal(signal.SIGTERM)

    def end(self):
        self.scene.nodes[self.host].stop()
        self.scene.nodes[self.host].spawn()


class NodeFrozen(OfANode):
    """F14: longer than the time to live, then it goes on."""

    def strike(self):
        self.scene.network.freeze(self.host)

    def end(self):
        self.scene.network.thaw(self.host)


class NodeFrozenBriefly(NodeFrozen):
    """F14: shorter than the time to live."""
    hold_s = 3.0


class NodeCutFromDatabases(OfANode):
    """F15."""

    def strike(self):
        self.scene.network.partition([self.host], DATABASE_HOSTS)


class NodeCutFromReceivers(OfANode):
    """F15: it keeps its shards; attempts fail, and what is late depends on their retries. A request
    that the node gave up may still arrive when its kernel sends again, and go unrecorded."""

    def __init__(self, scene, pick=0):
        super().__init__(scene, pick)
        self.lateness_s = self.unrecorded_s = None
        self.recovery_s = 2 * scene.node_ttl_s

    def strike(self):
        self.scene.network.partition([self.host], [RECEIVERS])


class NodeDeafToDatabases(OfANode):
    """F15, one way: what the databases answer is lost."""

    def strike(self):
        for host in DATABASE_HOSTS:
            self.scene.network.cut(host, self.host)


class NodeIsolated(OfANode):
    def strike(self):
        self.scene.network.isolate(self.host)


class NodesCutFromDatabases(Fault):
    """F16: all of them."""
    hold_s = 60.0
    lateness_s = None

    def begin(self):
        self.scene.network.partition(NODES, DATABASE_HOSTS)
        return list(NODES)


class Flapping(Fault):
    """F17: a node and the databases, cut for 2 s, whole for 2 s."""
    hold_s = 60.0
    lateness_s = None
    TURN_S = 2.0

    def begin(self):
        self.host = self.scene.node(self.pick)
        return [self.host]

    def hold(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.scene.network.partition([self.host], DATABASE_HOSTS)
            time.sleep(self.TURN_S)
            self.scene.network.heal()
            time.sleep(self.TURN_S)


class Lossy(Fault):
    """F28: between a node and the databases every tenth packet is lost."""
    hold_s = 30.0
    lateness_s = None
    SHARE = 0.1

    def begin(self):
        self.host = self.scene.node(self.pick)
        self.scene.network.lose(self.host, DATABASE_HOSTS, self.SHARE)
        return [self.host]


class DatabasesFar(Fault):
    """F28: every message between nodes and databases takes 200 ± 100 ms, each way."""
    hold_s = 30.0
    lateness_s = None
    DELAY_MS, JITTER_MS = 200, 100

    def begin(self):
        if not self.scene.proxies:
            raise Impossible("no proxy is in this scene")
        for proxy in self.scene.proxies.values():
            proxy.delay(self.DELAY_MS, self.JITTER_MS)
        return sorted(self.scene.proxies)

    def end(self):
        for proxy in self.scene.proxies.values():
            proxy.delay(0, 0)


class DatabasesDistant(DatabasesFar):
    """F28: a round trip takes 200 ± 100 ms."""
    DELAY_MS, JITTER_MS = 100, 50


class NodeSlow(Fault):
    """F28: what a node sends goes at 8 kbit/s."""
    hold_s = 30.0
    lateness_s = None
    RATE = "8kbit"

    def begin(self):
        self.host = self.scene.node(self.pick)
        self.scene.network.slow(self.host, self.RATE)
        return [self.host]


# ---- databases -----------------------------------------------------------------------------------

class OfThePrimary(Fault):
    def begin(self):
        self.host = self.scene.databases.primary()
        self.strike()
        return [self.host]

    @property
    def database_host(self):
        return self.scene.databases.hosts[self.host]


class PrimaryKilled(OfThePrimary):
    """F18: kill -9 of PostgreSQL; Patroni lives."""
    hold_s = 15.0
    lateness_s = 10

    def strike(self):
        self.database_host.kill_postgresql()

    def end(self):
        pass


class PrimaryHostDied(OfThePrimary):
    """F19: PostgreSQL, Patroni and etcd of its host, at once."""

    def strike(self):
        self.scene.network.kill(self.host)

    def end(self):
        self.scene.databases.restart(self.host)


class PrimaryPartitioned(OfThePrimary):
    """F20: from the other database hosts. Clients reach both sides, and that is what makes it bad:
    who still writes to the old primary gets acknowledgements where replication is asynchronous."""

    def strike(self):
        self.scene.network.partition([self.host], self.scene.databases.standbys_of(self.host))


class PrimaryIsolated(OfThePrimary):
    """F20: from everybody."""

    def strike(self):
        self.scene.network.isolate(self.host)


class PrimaryMute(OfThePrimary):
    """F20, one way: what it sends to the other database hosts is lost."""

    def strike(self):
        for other in self.scene.databases.standbys_of(self.host):
            self.scene.network.cut(self.host, other)


class PrimaryFrozen(OfThePrimary):
    """F21: all of its host stands still, while the kernel keeps its connections open."""

    def strike(self):
        self.scene.network.freeze(self.host)

    def end(self):
        self.scene.network.thaw(self.host)


class PatroniFrozen(OfThePrimary):
    """F22: the primary's Patroni alone; PostgreSQL goes on and knows of nothing. The outage begins
    when another primary follows, and lasts as a failover does from there."""
    lateness_s = 20 + FAILOVER_S  # Patroni's ttl, and then

    def strike(self):
        self.database_host.freeze_patroni()

    def end(self):
        self.database_host.thaw_patroni()


class StandbyHostDied(Fault):
    """F23: the synchronous one. Writes wait until Patroni has named the other."""
    hold_s = 30.0

    def begin(self):
        self.host = self.scene.databases.synchronous_standby()
        self.scene.network.kill(self.host)
        return [self.host]

    def end(self):
        self.scene.databases.restart(self.host)


class StandbysDied(Fault):
    """F23: PostgreSQL and Patroni of both; etcd lives. The primary goes on alone, or under
    synchronous_mode_strict takes no write until one is back."""
    hold_s = 30.0
    lateness_s = None
    recovery_s = 40.0

    def begin(self):
        databases = self.scene.databases
        self.hosts = databases.standbys_of(databases.primary())
        for host in self.hosts:
            databases.hosts[host].kill_patroni()
        return self.hosts

    def end(self):
        for host in self.hosts:
            self.scene.databases.restart_patroni(host)


class EtcdMajorityLost(Fault):
    """F25: two of three. The primary must step down, since nobody can say that it is one."""
    hold_s = 60.0
    lateness_s = None
    recovery_s = 40.0

    def begin(self):
        self.hosts = list(DATABASE_HOSTS[:2])
        for host in self.hosts:
            self.scene.databases.hosts[host].kill_etcd()
        return self.hosts

    def end(self):
        for host in self.hosts:
            self.scene.databases.hosts[host].start_etcd()


class SessionsStruck(Fault):
    """F27: every half second statements are cancelled, or sessions ended, by an operator's hand."""
    hold_s = 10.0
    lateness_s = None
    recovery_s = 2.0
    STEP_S = 0.5

    def begin(self):
        self.chance = random.Random(self.pick)
        return [self.scene.databases.primary()]

    def hold(self, seconds):
        until = time.monotonic() + seconds
        databases = self.scene.databases
        while time.monotonic() < until:
            self.chance.choice((databases.terminate_backends, databases.cancel_statements))()
            time.sleep(self.STEP_S)

    def end(self):
        pass


class CommitCut(Fault):
    """F26: connections end at a COMMIT, before it, during it or after it, one every half second."""
    hold_s = 6.0
    lateness_s = None
    recovery_s = 2.0
    STEP_S = 0.5

    def begin(self):
        self.chance = random.Random(self.pick)
        if not self.scene.proxies:
            raise Impossible("no proxy is in this scene")
        return sorted(self.scene.proxies)

    def hold(self, seconds):
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            host = self.chance.choice(sorted(self.scene.proxies))
            self.scene.proxies[host].cut_next(self.chance.choice(("before", "during", "after")))
            time.sleep(self.STEP_S)

    def end(self):
        pass


KINDS = {"node_killed": NodeKilled, "node_stopped": NodeStopped, "node_frozen": NodeFrozen,
         "node_frozen_briefly": NodeFrozenBriefly,
         "node_cut_from_databases": NodeCutFromDatabases,
         "node_deaf_to_databases": NodeDeafToDatabases,
         "node_cut_from_receivers": NodeCutFromReceivers, "node_isolated": NodeIsolated,
         "nodes_cut_from_databases": NodesCutFromDatabases, "flapping": Flapping,
         "lossy": Lossy, "node_slow": NodeSlow, "databases_far": DatabasesFar,
         "databases_distant": DatabasesDistant,
         "primary_killed": PrimaryKilled, "primary_host_died": PrimaryHostDied,
         "primary_partitioned": PrimaryPartitioned, "primary_isolated": PrimaryIsolated,
         "primary_mute": PrimaryMute, "primary_frozen": PrimaryFrozen,
         "patroni_frozen": PatroniFrozen, "standby_host_died": StandbyHostDied,
         "standbys_died": StandbysDied,
         "etcd_majority_lost": EtcdMajorityLost, "sessions_struck": SessionsStruck,
         "commit_cut": CommitCut}


@dataclasses.dataclass(frozen=True)
class Plan:
    """One fault to come."""
    kind: str
    pick: int
    hold_s: float
    quiet_s: float  # after it, and after the databases are healthy


def schedule(seed, count, kinds=tuple(KINDS), hold_s=(5.0, 45.0), quiet_s=30.0):
    """`count` faults; the same seed gives the same ones."""
    chance = random.Random(seed)
    return [Plan(kind=chance.choice(kinds), pick=chance.randrange(1 << 16),
                 hold_s=round(chance.uniform(*hold_s), 1), quiet_s=quiet_s) for _ in range(count)]


class Nemesis:
    """Carries faults out, one after another, and logs them."""

    def __init__(self, scene, log_file):
        self.scene = scene
        self.log_file = log_file

    def strike(self, kind, hold_s=None, pick=0, until=None):
        """One fault from begin to end; its record. With `until` it holds until that is true, and
        `hold_s` longest. What has begun is ended whatever happens."""
        fault = KINDS[kind](self.scene, pick)
        t0 = now_us()
        try:
            scope = fault.begin()
        except BaseException:
            self.scene.network.heal()  # what it had begun with
            raise
        took = now_us() - t0  # to strike: its effects begin somewhere in this time
        try:
            seconds = fault.hold_s if hold_s is None else hold_s
            if until is None:
                fault.hold(seconds)
            else:
                wait_until(until, seconds, step=0.3, what=f"what {kind} was to bring about")
        finally:
            fault.end()
        record = {"t0": t0, "t1": now_us(), "kind": kind, "scope": scope,
                  "lateness": in_us(fault.lateness_s, took), "recovery": in_us(fault.recovery_s),
                  "unrecorded": in_us(fault.unrecorded_s, took),
                  "allow_missed": fault.allow_missed}
        with open(self.log_file, "a", encoding="utf-8") as log:
            log.write(json.dumps(record) + "\n")
        return record

    def carry_out(self, plans):
        """A whole schedule; after each fault the databases become healthy, and then it is quiet."""
        for plan in plans:
            self.strike(plan.kind, plan.hold_s, plan.pick)
            if self.scene.databases:
                self.scene.databases.wait_healthy()
            time.sleep(plan.quiet_s)


def in_us(seconds, more=0):
    return None if seconds is None else round(seconds * SECOND) + more
