"""The bench shows its own worth: what the databases keep and lose under each fault, without the
product.

    python3 -m cluster.bench --results FOLDER [--only NAME ...] [--soak COUNT --seed S]

in tests/e2e, as root, on Debian's Python. Three writers, one on each node's host, insert rows all
the time; what was acknowledged must be there at the end. The trials with asynchronous replication
must lose rows: they show that the bench would notice. Each trial leaves a folder with its inputs,
verdict and timeline; the same command goes on where it was cut off.
"""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import time

from cluster.checker import json_lines
from cluster.databases import PYTHON, Databases
from cluster.faults import FAILOVER_S, KINDS, Nemesis, Scene, schedule
from cluster.namespaces import NODES, Network
from cluster.proxies import CommitProxy
from cluster.timeline import Band, Lane, Mark, Timeline
from cluster.trials import Results
from faults import Impossible
from kill_run import now_us
from processes import clean_environment, wait_until

WRITER = pathlib.Path(__file__).resolve().parent / "writer.py"
PER_SECOND = 20
CALM_S = 3.0
MARKS = {"acknowledged": "good", "unknown": "late", "refused": "open"}


@dataclasses.dataclass(frozen=True)
class Trial:
    name: str
    kind: str
    synchronous: bool = True
    hold_s: float = None
    gap_max_s: float = FAILOVER_S
    loses: bool = False  # a negative control: it does not hold unless rows are lost
    until_failover: bool = False  # the fault ends when another primary has taken rows; 45 s longest


TRIALS = [
    Trial("primary_killed", "primary_killed", gap_max_s=10),
    Trial("primary_host_died", "primary_host_died"),
    Trial("primary_partitioned", "primary_partitioned"),
    Trial("primary_isolated", "primary_isolated"),
    Trial("primary_mute", "primary_mute"),
    Trial("primary_frozen", "primary_frozen"),
    Trial("patroni_frozen", "patroni_frozen"),
    Trial("standby_host_died", "standby_host_died"),
    Trial("standbys_died", "standbys_died"),
    Trial("etcd_majority_lost", "etcd_majority_lost", gap_max_s=100),
    Trial("sessions_struck", "sessions_struck", hold_s=20, gap_max_s=10),
    Trial("commit_cut", "commit_cut", hold_s=20, gap_max_s=10),
    Trial("databases_far", "databases_far"),
    Trial("lossy", "lossy"),
    Trial("node_slow", "node_slow"),
    Trial("flapping", "flapping"),
    Trial("node_killed", "node_killed", hold_s=5, gap_max_s=5),
    Trial("node_frozen", "node_frozen", gap_max_s=5),
    Trial("asynchronous_partitioned", "primary_partitioned", synchronous=False, loses=True),
    Trial("asynchronous_patroni_frozen", "patroni_frozen", synchronous=False, loses=True),
]


class Writer:
    """writer.py on a host, behind a CommitProxy of its own. Its log grows over restarts, as a
    node's data does."""

    def __init__(self, network, host, databases, folder, *more):
        self.network = network
        self.host = host
        self.databases = databases
        self.more = more
        self.log_file = folder / f"writer-{host}.jsonl"
        self.error_file = folder / f"writer-{host}.log"
        self.process = self.proxy = None
        self.cuts = []  # {t, cut} of all its proxies

    def spawn(self):
        """Starts both, also after the death of the host."""
        self.stop()
        targets = [f"{host.address}:5432" for host in self.databases.hosts.values()]
        self.proxy = CommitProxy(self.network, self.host, targets, self.cuts)
        command = self.network.command(
            self.host, PYTHON, WRITER, "--url", self.databases.url(self.proxy.addresses),
            "--name", self.host, "--per-second", PER_SECOND, "--log", self.log_file, *self.more)
        with open(self.error_file, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=clean_environment())
        return self

    def cut_next(self, mode):
        self.proxy.cut_next(mode)

    def delay(self, ms, jitter_ms):
        self.proxy.delay(ms, jitter_ms)

    def tries(self):
        """What it logged, whole lines only. One that was cut off has no `fate`."""
        return json_lines(self.log_file)

    def acknowledged(self, since):
        return sum(one["fate"] == "acknowledged" and one["t1"] >= since
                   for one in ended(self.tries()))

    def stop(self):
        for one in (self.process, self.proxy and self.proxy.process):
            if one:
                one.kill()
                one.wait()


def prepare(databases):
    """The table of the rows, empty."""
    databases.query("CREATE TABLE IF NOT EXISTS proof (key text PRIMARY KEY, writer text NOT NULL, "
                    "at timestamptz NOT NULL DEFAULT clock_timestamp())")
    databases.query("GRANT ALL ON proof TO cronally")
    databases.query("TRUNCATE proof")


def ended(tries):
    return [one for one in tries if "fate" in one]


def judge(tries, rows):
    """What the rows say of what the writers were told. Pure; `tries` of all writers together."""
    known = {one["key"] for one in tries}
    tries = ended(tries)
    told = {one["key"] for one in tries if one["fate"] == "acknowledged"}
    answered = sorted(one["t1"] for one in tries if one["fate"] == "acknowledged")
    gaps = [(after - before, before) for before, after in zip(answered, answered[1:])]
    gap, gap_at = max(gaps, default=(0, 0))
    fates = [one["fate"] for one in tries]
    return {"acknowledged": len(told), "lost": sorted(told - rows),
            "forged": sorted(rows - known),
            "unknown_tries": fates.count("unknown"), "refused_tries": fates.count("refused"),
            "gap_s": round(gap / 1e6, 2), "gap_at": gap_at}


def draw(title, tries_of, records, verdict):
    lost = set(verdict["lost"])
    lanes = []
    for name, tries in tries_of.items():
        marks = [Mark(one["t1"], "bad" if one["key"] in lost else MARKS[one["fate"]],
                      f"{one['key']} {one['fate']} {one['why']}") for one in ended(tries)]
        lanes.append(Lane(name, marks))
    ends = [one["t1"] for tries in tries_of.values() for one in ended(tries)]
    bands = [Band(record["t0"], record["t1"], f"{record['kind']} {' '.join(record['scope'])}")
             for record in records]
    return Timeline(title, min(ends), max(ends), bands, lanes).svg()


class Bench:
    """Network, databases and writers, for one trial after another."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.network = Network()
        self.stack.callback(self.network.close)
        self.databases = None

    def ready(self, synchronous):
        """Healthy databases in that mode."""
        if self.databases is None:
            self.databases = Databases(self.network, synchronous).start()
        elif self.databases.synchronous != synchronous:
            self.databases.set_synchronous(synchronous)
        self.databases.wait_healthy()
        prepare(self.databases)

    def run(self, folder, plan, synchronous=True):
        """Writers, and the faults that plan(nemesis) carries out. The verdict; inputs and picture
        lie in the folder."""
        self.ready(synchronous)
        scene = Scene(self.network, self.databases)
        with contextlib.ExitStack() as stack:
            stack.callback(self.databases.keep_logs, folder)
            for host in NODES:
                writer = Writer(self.network, host, self.databases, folder)
                stack.callback(writer.stop)
                scene.nodes[host] = scene.proxies[host] = writer.spawn()
            self._await_writers(scene)
            time.sleep(CALM_S)
            plan(Nemesis(scene, folder / "faults.jsonl"))
            self.databases.wait_healthy()
            self._await_writers(scene)
            time.sleep(CALM_S)
        tries_of = {host: writer.tries() for host, writer in scene.nodes.items()}
        rows = self.databases.query("SELECT key FROM proof")
        (folder / "rows.txt").write_text("\n".join(rows) + "\n")
        return self._verdict(folder, tries_of, set(rows))

    def _await_writers(self, scene):
        since = now_us()
        for host, writer in scene.nodes.items():
            wait_until(lambda writer=writer: writer.acknowledged(since), 60, step=0.1,
                       what=f"an acknowledged row of {host}")

    def _failover(self, scene):
        """Whether, since now, another primary has been elected and has taken a row of a client."""
        before, elected = self.databases.timeline(), []
        def done():
            if not elected and self.databases.timeline() > before:
                elected.append(now_us())
            return elected and any(writer.acknowledged(elected[0])
                                   for writer in scene.nodes.values())
        return done

    @staticmethod
    def _verdict(folder, tries_of, rows):
        verdict = judge([one for tries in tries_of.values() for one in tries], rows)
        records = json_lines(folder / "faults.jsonl")
        (folder / "timeline.svg").write_text(draw(folder.name, tries_of, records, verdict))
        return verdict

    def trial(self, folder, trial):
        def plan(nemesis):
            until = self._failover(nemesis.scene) if trial.until_failover else None
            nemesis.strike(trial.kind, trial.hold_s, until=until)
        verdict = self.run(folder, plan, trial.synchronous)
        whole = not verdict["lost"] and verdict["gap_s"] <= trial.gap_max_s
        verdict["holds"] = bool(verdict["lost"]) if trial.loses else whole
        verdict["holds"] = verdict["holds"] and not verdict["forged"]
        return verdict

    def soak(self, folder, seed, count):
        # Writers have no receivers and no orderly end.
        kinds = [kind for kind in KINDS if kind not in ("node_cut_from_receivers", "node_stopped")]
        plans = schedule(seed, count, kinds, quiet_s=5.0)
        verdict = self.run(folder, lambda nemesis: nemesis.carry_out(plans))
        verdict["holds"] = not verdict["lost"] and not verdict["forged"]
        return verdict

    def close(self):
        self.stack.close()
        if self.databases:
            self.databases.remove()


def line_of(name, verdict):
    said = "holds" if verdict["holds"] else "DOES NOT HOLD"
    return (f"{name}: {said}; acknowledged {verdict['acknowledged']}, lost {len(verdict['lost'])}, "
            f"unknown {verdict['unknown_tries']}, longest gap {verdict['gap_s']} s")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    arguments.add_argument("--results", required=True, help="the folder in which results gather")
    arguments.add_argument("--only", nargs="*", choices=[trial.name for trial in TRIALS],
                           default=[trial.name for trial in TRIALS])
    arguments.add_argument("--soak", type=int, default=0, help="so many random faults after them")
    arguments.add_argument("--seed", type=int, default=1, help="of the random faults")
    given = arguments.parse_args()
    results = Results(given.results)
    try:
        bench = Bench()
    except Impossible as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    holds = True
    try:
        for trial in TRIALS:
            if trial.name in given.only:
                verdict = results.run(trial.name, lambda folder, trial=trial:
                                      bench.trial(folder, trial), dataclasses.asdict(trial))
                print(line_of(trial.name, verdict), flush=True)
                holds = holds and verdict["holds"]
        if given.soak:
            name = f"soak-{given.seed}-{given.soak}"
            verdict = results.run(name, lambda folder: bench.soak(folder, given.seed, given.soak),
                                  {"seed": given.seed, "count": given.soak})
            print(line_of(name, verdict), flush=True)
            holds = holds and verdict["holds"]
    finally:
        bench.close()
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
