"""The trials of the fault list, F13 to F28 and F33: what is done, for how long, and what may be felt.

Each runs under the standard load (workload.py) with three nodes, and the checker judges it: lost,
doubled, early, late, stale fences and all the rest 0. The bounds here come on top.
"""

import dataclasses
import time

from cluster import felt
from cluster.world import Setting

NODE_GAP_S = 6      # time to live of 5 s, and 1 s
FAILOVER_GAP_S = 40
CATCH_UP_S = 5
ANSWER_MAX_S = 6    # 503 after 5 s, and the way


@dataclasses.dataclass(frozen=True)
class Trial:
    """`gap_max_s`: of silence and lateness. `after_max_s`: how long after the fault's end what was
    owed before may still come. `punctual_min`: the share that comes within a second."""
    name: str
    title: str
    kind: str
    hold_s: float = None
    pick: int = 0
    gap_max_s: float = None
    after_max_s: float = None
    p99_max_s: float = None
    punctual_min: float = None
    answers: bool = False   # the API must answer within ANSWER_MAX_S, whatever it answers
    times: int = 1
    setting: dict = dataclasses.field(default_factory=dict)

    def run(self, world, folder):
        setting = Setting(title=self.title, probes=self.answers, **self.setting)
        return self.judged(world.trial(folder, setting, self.plan))

    def plan(self, stage):
        for number in range(self.times):
            if number:
                stage.wait_ready()
                stage.wait_shared()
                time.sleep(1)
            stage.nemesis.strike(self.kind, self.hold_s, self.pick + number)
            stage.databases.wait_healthy()

    def judged(self, verdict):
        """The verdict with the bounds of this trial; `over` names those that were broken."""
        felt_ = verdict["felt"]
        over = []
        def bound(name, value, limit):
            if limit is not None and value > limit:
                over.append(f"{name} {value} > {limit}")
        bound("silence_s", felt.worst(felt_, "silence_s"), self.gap_max_s)
        bound("late_max_s", felt.worst(felt_, "late_max_s"), self.gap_max_s)
        bound("after_s", felt.worst(felt_, "after_s"), self.after_max_s)
        bound("late_p99_s", felt.worst(felt_, "late_p99_s"), self.p99_max_s)
        if self.punctual_min is not None:
            late = 1 - min(one.get("punctual", 0) for one in felt_)
            bound("late_share", round(late, 4), round(1 - self.punctual_min, 4))
        if self.answers:
            bound("answer_max_s", verdict["probe"]["answer_max_s"], ANSWER_MAX_S)
            if verdict["probe"]["odd"]:
                over.append(f"answers {verdict['probe']['odd']}")
        verdict["over"] = over
        verdict["holds"] = verdict["holds"] and not over
        return verdict


def of_node(name, title, kind, **more):
    return Trial(name, title, kind, **{"gap_max_s": NODE_GAP_S, **more})


def of_primary(name, title, kind, **more):
    return Trial(name, title, kind, **{"gap_max_s": FAILOVER_GAP_S, **more})


TRIALS = [
    of_node("F13-node-killed", "F13: kill -9 of a node", "node_killed", times=3),
    of_node("F14-node-frozen-3s", "F14: a node frozen for 3 s, a delivery half sent",
            "node_frozen_briefly", setting={"half_sent": True}),
    of_node("F14-node-frozen-30s", "F14: a node frozen for 30 s, a delivery half sent",
            "node_frozen", hold_s=30.0, setting={"half_sent": True}),
    of_node("F15-node-cut-from-databases", "F15: a node cut off from the databases",
            "node_cut_from_databases", pick=1),
    of_node("F15-node-deaf-to-databases", "F15: what databases answer a node is lost",
            "node_deaf_to_databases", pick=2),
    Trial("F15-node-cut-from-receivers", "F15: a node cut off from the receivers",
          "node_cut_from_receivers", after_max_s=10),
    Trial("F16-nodes-cut-from-databases", "F16: all nodes cut off from the databases for 60 s",
          "nodes_cut_from_databases", after_max_s=CATCH_UP_S, answers=True),
    Trial("F17-flapping", "F17: a node and the databases, cut 2 s, whole 2 s, for 60 s",
          "flapping", punctual_min=0.95),
    Trial("F18-primary-killed", "F18: kill -9 of the primary's PostgreSQL", "primary_killed",
          gap_max_s=10),
    of_primary("F19-primary-host-died", "F19: the primary's host dies", "primary_host_died"),
    of_primary("F20-primary-partitioned", "F20: the primary cut off from its peers for 45 s",
               "primary_partitioned"),
    of_primary("F20-primary-isolated", "F20: the primary cut off from everybody for 45 s",
               "primary_isolated"),
    of_primary("F20-primary-mute", "F20: what the primary sends to its peers is lost for 45 s",
               "primary_mute"),
    of_primary("F21-primary-frozen", "F21: the primary's host frozen for 45 s", "primary_frozen"),
    of_primary("F22-patroni-frozen", "F22: the primary's Patroni frozen for 45 s",
               "patroni_frozen"),
    of_primary("F23-standby-died", "F23: the synchronous standby's host dies",
               "standby_host_died"),
    of_primary("F23-standbys-died", "F23: both standbys die, the primary goes on alone",
               "standbys_died"),
    Trial("F23-standbys-died-strict", "F23: both standbys die, strict: nothing is written",
          "standbys_died", after_max_s=45, answers=True, setting={"strict": True}),
    Trial("F25-etcd-majority-lost", "F25: two of three etcd dead for 60 s", "etcd_majority_lost",
          after_max_s=30, answers=True),
    Trial("F26-commit-cut", "F26: 200 connections cut before, during and after COMMIT",
          "commit_cut", hold_s=105.0, gap_max_s=10, setting={"proxied": True}),
    Trial("F27-sessions-struck", "F27: statements cancelled, sessions ended, every 0.5 s for 20 s",
          "sessions_struck", hold_s=20.0, gap_max_s=10),
    of_node("F28-lossy", "F28: a node loses 10 % of the packets from and to the databases",
            "lossy"),
    Trial("F28-databases-distant", "F28: databases a round trip of 200 ± 100 ms away",
          "databases_distant", p99_max_s=3, setting={"proxied": True}),
    Trial("F28-databases-far", "F28: databases 200 ± 100 ms away, each way", "databases_far",
          p99_max_s=3, setting={"proxied": True}),
    of_node("F28-node-slow", "F28: a node sends at 8 kbit/s", "node_slow"),
    Trial("F33-rolling-restart", "F33: SIGTERM to one node after another", "node_stopped",
          gap_max_s=1, times=3),
]
ASYNCHRONOUS = Trial("F24-asynchronous", "F24: asynchronous replication, the primary cut off",
                     "primary_partitioned", setting={"synchronous": False})
