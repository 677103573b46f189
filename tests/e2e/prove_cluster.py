"""The cluster, proven: nodes and databases killed, frozen, cut off and restarted under load.

    prove_cluster.py --results FOLDER [--only POINT ...] [--kills N] [--soak N --seed S]

As root, on Debian's Python. Each trial leaves a folder in FOLDER with its inputs, the receivers'
logs, the ledger, the faults, the verdict and a timeline; the same command goes on where it was cut
off, and `--again TRIAL` repeats one, keeping the old folder beside. docs/proof.md has the results.
"""

import dataclasses
import pathlib
import random
import signal
import sys
import time

import proving
from checker import instant_us
from cluster import felt, figures, receivers, upgrade
from cluster.fault_trials import ASYNCHRONOUS, TRIALS, FAILOVER_GAP_S
from cluster.faults import KINDS, schedule
from cluster.trials import Results
from cluster.workload import every, SECOND
from cluster.world import Setting, World, judged
from faults import Impossible
from kill_run import now_us
from processes import wait_until

KILLS = 150
ROUND = 25
COLD_STARTS = 20
COLD_S = 2.0
SOAK_PART = 5
LEADER_JOBS = 50
LEADER_OTHERS = ("Dkron 4.0.9: 154-194 lost at each death, as many on SIGTERM; Quartz: none lost, "
                 "11.5 s late, with recovery 11 doubled; River: 17 s of all; Temporal: 11-14 s late")
SAFE = "lost, doubled, early, stale fences …"


class Proof:
    """Results, and one World for all points: it is made when the first trial needs it."""

    def __init__(self, folder, again):
        self.results = Results(folder)
        self.again = set(again)
        self.world_ = None

    def world(self):
        if self.world_ is None:
            self.world_ = World()
        return self.world_

    def trial(self, name, run, about=None):
        """run(world, folder) unless it has ended before; the verdict."""
        self._aside(name)
        return self.results.run(name, lambda folder: run(self.world(), folder), about)

    def alone(self, name, run):
        """The same for a trial that needs no bench: run(None, folder)."""
        self._aside(name)
        return self.results.run(name, lambda folder: run(None, folder))

    def _aside(self, name):
        if name in self.again:
            self.again.discard(name)
            self.results.set_aside(name)

    def folder(self, name):
        return self.results.folder / name

    def leave_world(self):
        """Ends the bench, before something that needs the processors alone."""
        if self.world_:
            self.world_.close()
            self.world_ = None


JUDGED = ("holds", "counts", "findings", "reported", "figures", "felt", "over")


def judge_again(results):
    """Judges all folders anew, after a change of the checker."""
    trials = {trial.name: trial for trial in [*TRIALS, ASYNCHRONOUS]}
    def judge(folder, old):
        verdict = judged(folder, {name: old[name] for name in old if name not in JUDGED})
        trial = trials.get(folder.name)
        return trial.judged(verdict) if trial else verdict
    for name in results.ended():
        if (results.folder / name / "recv.jsonl").exists():
            results.judge_again(name, judge)


def safety(verdict):
    """The checker's counts as a figure, and what else went wrong."""
    parts = [str(verdict["counts"] or 0)]
    for name in ("over", "fallen", "odd"):
        if verdict.get(name):
            parts.append(f"{name}: {str(verdict[name])[:120]}")
    shown = verdict["figures"]
    return (f"{'; '.join(parts)} ({shown['must']} due, {shown['requests']} requests, "
            f"{verdict['reported'].get('repeated', 0)} repeated)")


def possible(function):
    """Turns Impossible into a skipped row."""
    def guarded(table, folder, given):
        try:
            function(table, folder, given)
        except Impossible as why:
            table.skip(function.__name__.removeprefix("prove_"), "shown", str(why))
    return guarded


# ---- kills and freezes of nodes -----------------------------------------------------------------

def strike_nodes(stage, count, seed):
    """Kills and freezes, one after another, each when shards are shared again."""
    chance = random.Random(seed)
    ttl_s = stage.node_ttl_s
    for _ in range(count):
        kind = chance.choice(("node_killed", "node_frozen", "node_frozen", "node_frozen_briefly"))
        if chance.random() < 0.5:
            kind = "node_killed"
        longest = {"node_killed": ttl_s + 2, "node_frozen": ttl_s + 4,
                   "node_frozen_briefly": 0.6 * ttl_s}[kind]
        shortest = {"node_killed": 0.2, "node_frozen": ttl_s + 0.5, "node_frozen_briefly": 0.2}[kind]
        struck = time.monotonic()
        stage.nemesis.strike(kind, chance.uniform(shortest, longest), chance.randrange(1 << 16))
        stage.wait_ready()
        # A brief one is felt until the lease of who was killed has ended.
        time.sleep(max(0.0, struck + ttl_s + 1 - time.monotonic()))
        stage.wait_shared()
        time.sleep(chance.uniform(0.5, 1.5))


def kill_round(proof, ttl_s, number, count):
    seed = int(ttl_s * 1000) + number
    setting = Setting(f"{count} kills and freezes of nodes, time to live {ttl_s:g} s, {number}",
                      ttl_s=ttl_s, seed=seed)
    return proof.trial(f"kills-ttl-{ttl_s:g}-{number:02d}", lambda world, folder: world.trial(
        folder, setting, lambda stage: strike_nodes(stage, count, seed)), {"count": count})


@possible
def prove_kills(table, folder, given):
    for ttl_s in (5.0, 2.0):
        if given.ttl and ttl_s not in given.ttl:
            continue
        rounds = range(1, -(-given.kills // ROUND) + 1)
        verdicts = [kill_round(given.proof, ttl_s, number, min(ROUND, given.kills)) for number in
                    rounds]
        strikes = [one for verdict in verdicts for one in verdict["felt"]]
        p99 = felt.pooled_p99_s([given.proof.folder(f"kills-ttl-{ttl_s:g}-{number:02d}")
                                 for number in rounds])
        label = f"time to live {ttl_s:g} s, {len(strikes)} kills and freezes of nodes"
        table.add(f"{label}: {SAFE}", "0", figures.added(verdicts),
                  all(verdict["holds"] for verdict in verdicts))
        table.add(f"{label}: lateness p99 of what was due meanwhile", f"<= {ttl_s + 1:g} s",
                  f"{p99:.2f} s; at most {felt.worst(strikes, 'late_max_s'):.2f} s",
                  p99 <= ttl_s + 1)


# ---- handing over -------------------------------------------------------------------------------

@possible
def prove_handover(table, folder, given):
    """One node ends in order, ten times, each in turn."""
    def plan(stage):
        for number in range(10):
            stage.nemesis.strike("node_stopped", pick=number)
            stage.wait_ready()
            stage.wait_shared()
            time.sleep(1)
    verdict = given.proof.trial("handover", lambda world, folder: world.trial(
        folder, Setting("SIGTERM to a node, ten times"), plan))
    longest = felt.worst(verdict["felt"], "late_max_s")
    table.add(f"graceful stop, 10 times: {SAFE}", "0", safety(verdict), verdict["holds"])
    table.add("graceful stop: longest lateness", "<= 1 s", f"{longest:.2f} s", longest <= 1)


# ---- the fault list -----------------------------------------------------------------------------

@possible
def prove_faults(table, folder, given):
    for trial in TRIALS:
        if given.trials and trial.name not in given.trials:
            continue
        add_fault(table, trial, given.proof.trial(trial.name, trial.run))


def add_fault(table, trial, verdict):
    felt_ = verdict["felt"]
    bounds = {"gap": trial.gap_max_s, "after the end": trial.after_max_s, "p99": trial.p99_max_s,
              "punctual": trial.punctual_min}
    said = ", ".join(f"{name} {value}" for name, value in bounds.items() if value is not None)
    table.add(trial.title, "0; " + (said or "reported"),
              f"{safety(verdict)}; silence {felt.worst(felt_, 'silence_s')} s, lateness p99 "
              f"{felt.worst(felt_, 'late_p99_s')}, max {felt.worst(felt_, 'late_max_s')} s, after "
              f"{felt.worst(felt_, 'after_s')} s"
              + (f"; API {verdict['probe']}" if "probe" in verdict else ""), verdict["holds"])


# ---- cold start ---------------------------------------------------------------------------------

def beats(receiver, count=LEADER_JOBS):
    """Jobs that are due each second, at moments spread over it."""
    base = now_us() // SECOND * SECOND
    return [every(f"beat {number}", 1, receiver.url("/beat"), base + number * SECOND // count)
            for number in range(count)]


def cold_start(stage, kill):
    """All nodes end, and begin at one moment. Seconds until the first request, until all shards
    work (a request of every job), and until they are shared."""
    for node in stage.nodes.values():
        node.signal(signal.SIGKILL if kill else signal.SIGTERM)
    for node in stage.nodes.values():
        node.process.wait(40)
    if kill:
        time.sleep(stage.node_ttl_s + 0.5)  # until the leases of the dead have ended
    before = len(stage.receiver.records())
    begun = now_us()
    for node in stage.nodes.values():
        node.spawn()
    def all_jobs():
        fresh = stage.receiver.records()[before:]
        punctual = {one["job"]: one["t_us"] for one in reversed(fresh)
                    if instant_us(one["scheduled_at"]) >= begun}
        return punctual if len(punctual) == LEADER_JOBS else None
    punctual = wait_until(all_jobs, 60, step=0.05, what="a request of every job")
    first = min(one["t_us"] for one in stage.receiver.records()[before:])
    stage.wait_ready()
    stage.wait_shared()
    return {"first_s": (first - begun) / SECOND, "all_s": (max(punctual.values()) - begun) / SECOND,
            "shared_s": (now_us() - begun) / SECOND, "killed": kill}


@possible
def prove_cold(table, folder, given):
    def run(world, folder):
        seen = []
        with world.stage(folder, Setting("cold starts", bodies=beats, clients=False)) as stage:
            for number in range(COLD_STARTS):
                seen.append(cold_start(stage, kill=number % 2 == 1))
            verdict = {"starts": seen, "fallen": [status for node in stage.nodes.values()
                                                  for status in node.fallen]}
        verdict["holds"] = (not verdict["fallen"]
                            and all(one["first_s"] <= COLD_S for one in seen))
        return verdict
    verdict = given.proof.trial("cold", run)
    starts = verdict["starts"]
    longest = lambda name: max(one[name] for one in starts)
    table.add(f"all nodes started at one moment, {len(starts)} times: until the first request, "
              "longest", f"<= {COLD_S:g} s", f"{longest('first_s'):.2f} s",
              longest("first_s") <= COLD_S, "Dkron: three servers started together elect nobody")
    table.add("all nodes started at one moment: until all 50 jobs of each second run again",
              "reported", f"{longest('all_s'):.2f} s")
    table.add("all nodes started at one moment: servers that ended by themselves", "0",
              str(len(verdict["fallen"])), not verdict["fallen"])


# ---- the leader's death -------------------------------------------------------------------------

@possible
def prove_leader(table, folder, given):
    """What was done to others: 50 jobs each second, and the death of a node, of each in turn."""
    for kind, words in (("node_killed", "kill -9"), ("node_stopped", "SIGTERM")):
        def plan(stage, kind=kind):
            for pick in range(len(stage.nodes)):
                stage.nemesis.strike(kind, pick=pick)
                stage.wait_ready()
                stage.wait_shared()
                time.sleep(1)
        setting = Setting(f"50 jobs each second, {words} of each node", bodies=beats, clients=False)
        verdict = given.proof.trial(f"leader-{kind}", lambda world, folder: world.trial(
            folder, setting, plan))
        table.add(f"50 jobs each second, {words} of each of three nodes: lost, doubled", "0",
                  f"{safety(verdict)}; at most {felt.worst(verdict['felt'], 'late_max_s')} s late",
                  verdict["holds"], LEADER_OTHERS)


# ---- negative controls --------------------------------------------------------------------------

@possible
def prove_controls(table, folder, given):
    """With asynchronous replication the database forgets claims that were sent: the proof must see
    it, and the nodes' journals must keep it from becoming a second delivery."""
    verdict = given.proof.trial(ASYNCHRONOUS.name, ASYNCHRONOUS.run)
    counts = verdict["counts"]
    forgotten = sum(counts.get(kind, 0) for kind in ("forged", "unaccounted", "lost"))
    table.add("control, asynchronous replication: runs or jobs that the database forgot", "> 0",
              f"{forgotten} ({counts})", forgotten > 0)
    doubled = counts.get("doubled", 0)
    table.add("asynchronous replication: doubled all the same", "0 (the journal)", str(doubled),
              doubled == 0)


def freeze_each(stage):
    """Each node in turn, so long that others have its shards when it wakes."""
    for pick in range(len(stage.nodes)):
        stage.nemesis.strike("node_frozen", 2 * stage.node_ttl_s, pick)
        stage.wait_ready()
        stage.wait_shared()
        time.sleep(1)


@possible
def prove_fences(table, folder, given):
    """The same trial twice: nodes that trust their leases for ever, over a store that does not look
    at fences, must double, and the proof must see it; the product must not."""
    for name, unfenced, words in (
            ("control-unfenced", True, "control, leases trusted for ever and fences not checked"),
            ("control-fenced", False, "the same with the product")):
        setting = Setting(f"{words}: each node frozen", unfenced=unfenced, clients=False)
        verdict = given.proof.trial(name, lambda world, folder, setting=setting: world.trial(
            folder, setting, freeze_each))
        counts = {kind: verdict["counts"].get(kind, 0) for kind in ("doubled", "fence_down")}
        table.add(f"{words}, three nodes frozen in turn: doubled, fences that went down",
                  "> 0" if unfenced else "0", f"{counts['doubled']}, {counts['fence_down']} "
                  f"({safety(verdict)})", all(counts.values()) if unfenced else verdict["holds"])


# ---- soak ---------------------------------------------------------------------------------------

@possible
def prove_soak(table, folder, given):
    """Random faults by seed, in parts, so that it can be cut off and go on."""
    plans = schedule(given.seed, given.soak, tuple(KINDS), hold_s=(4.0, 25.0), quiet_s=6.0)
    parts = [plans[start:start + SOAK_PART] for start in range(0, len(plans), SOAK_PART)]
    verdicts = []
    begun = time.monotonic()
    for number, part in enumerate(parts, 1):
        setting = Setting(f"soak, seed {given.seed}, part {number} of {len(parts)}", proxied=True,
                          seed=given.seed + number)
        def plan(stage, part=part):
            for one in part:
                stage.nemesis.carry_out([one])
                stage.wait_ready()
                stage.wait_shared()
        verdicts.append(given.proof.trial(
            f"soak-{given.seed}-{given.soak}-{number:02d}",
            lambda world, folder, setting=setting, plan=plan: world.trial(folder, setting, plan),
            {"plans": [dataclasses.asdict(one) for one in part]}))
    strikes = [one for verdict in verdicts for one in verdict["felt"]]
    table.add(f"soak, {len(strikes)} random faults by seed {given.seed}: {SAFE}", "0",
              figures.added(verdicts), all(verdict["holds"] for verdict in verdicts))
    table.add("soak: longest lateness", f"within each fault's bound, <= {FAILOVER_GAP_S} s and more "
              "where it lasts longer", f"{felt.worst(strikes, 'late_max_s'):.1f} s in "
              f"{(time.monotonic() - begun) / 60:.0f} minutes")


POINTS = {"kills": prove_kills, "handover": prove_handover, "faults": prove_faults,
          "cold": prove_cold, "leader": prove_leader, "controls": prove_controls,
          "fences": prove_fences,
          **{name: possible(point)
             for name, point in {**upgrade.POINTS, **figures.POINTS,
                                 **receivers.POINTS}.items()},
          "soak": prove_soak}


def main():
    arguments = proving.parser(POINTS, __doc__.split("\n", 1)[0])
    arguments.add_argument("--results", default="build/proof",
                           help="the folder in which results gather; build/proof without it")
    arguments.add_argument("--kills", type=int, default=KILLS, help="of nodes, for each time to live")
    arguments.add_argument("--ttl", type=float, nargs="*", help="only these times to live, 5 and 2")
    arguments.add_argument("--trials", nargs="*", help="only these of the fault list")
    arguments.add_argument("--again", nargs="*", default=[], help="trials to repeat")
    arguments.add_argument("--soak", type=int, default=40, help="so many random faults")
    arguments.add_argument("--seed", type=int, default=1, help="of the random faults")
    arguments.add_argument("--judge", action="store_true", help="judge what there is anew, first")
    given = arguments.parse_args()
    given.proof = Proof(pathlib.Path(given.results).resolve(), given.again)
    if given.judge:
        judge_again(given.proof.results)
    try:
        return proving.prove(POINTS, given)
    finally:
        given.proof.leave_world()


if __name__ == "__main__":
    sys.exit(main())
