"""The product on the bench: three nodes over the databases, under the standard load, struck by
faults, recorded and judged.

    with World() as world:
        verdict = world.trial(folder, Setting(title="…"), lambda scene: scene.nemesis.strike("…"))

A trial begins with an empty database and leaves a folder: what cluster/checker.py reads, its
verdict, the timeline as SVG, and what nodes and databases said.
"""

import contextlib
import dataclasses
import json
import signal
import threading
import time

from client import Client
from cluster import checker, felt, judge
from cluster.databases import DATABASE, USER, Databases
from cluster.faults import Nemesis, Scene
from cluster.namespaces import NODES, RECEIVERS, Network
from cluster.nodes import ClusterNode, HostReceiver, SlowReader, new_secrets
from cluster.recording import Recording
from cluster.trials import write_json
from cluster.workload import CLIENT_ANSWER_MAX_S, Clients, standard
from kill_run import now_us
from processes import wait_until

SECOND = 1_000_000
WINDOW_US = SECOND  # DESIGN P6: without faults nothing is later
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
CALM_S = 3.0
SETTLED_MAX_S = 60
SPANS = ("SELECT j.id, s.after, s.until, s.reason FROM cronally.skipped_span s "
         "JOIN cronally.job j USING (job_no)")
SHARES = "SELECT DISTINCT holder FROM cronally.shard_lease"


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a trial runs with."""
    title: str
    ttl_s: float = 5.0
    nodes: tuple = NODES
    synchronous: bool = True
    strict: bool = False       # synchronous_mode_strict
    proxied: bool = False      # a CommitProxy before each node
    half_sent: bool = False    # a job whose receiver reads slowly
    unfenced: bool = False     # the control: nodes and store heed no lease (the hooks build)
    probes: bool = False       # somebody waits long for the API's answers
    bodies: object = None      # bodies(receiver): other jobs than the standard load's
    clients: bool = True
    seed: int = 1


class Probe:
    """Creates a job that never fires, on each node in turn, and waits for whatever is answered."""
    EVERY_S = 0.4
    PATIENCE_S = 20

    def __init__(self, api_of, hosts):
        self.seen = []   # {host, took_s, status}; status None: nothing listened or no answer
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(api_of, host), daemon=True)
                        for host in hosts]
        for thread in self.threads:
            thread.start()

    def _run(self, api_of, host):
        number = 0
        api = None
        while not self.stopping.wait(self.EVERY_S):
            number += 1
            begun = time.monotonic()
            status = None
            try:
                api = api or api_of(host)
                body = {"name": f"probe {host} {number}", "schedule": "@never",
                        "target": {"type": "http", "url": "http://10.88.0.31:9/"}}
                status = api.send("POST", "/v2/jobs", body, timeout=self.PATIENCE_S).status
            except Exception:  # a node that is down, or no answer at all
                api = None
            self.seen.append({"host": host, "took_s": round(time.monotonic() - begun, 3),
                              "status": status})

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(self.PATIENCE_S + 5)

    def figures(self):
        refused = [one for one in self.seen if one["status"] == 503]
        took = sorted(one["took_s"] for one in refused)
        return {"asked": len(self.seen), "refused_503": len(refused),
                "refused_after_s": {"p50": took[len(took) // 2] if took else 0,
                                    "above_5.2": sum(value > 5.2 for value in took)},
                "answer_max_s": max((one["took_s"] for one in self.seen), default=0),
                "without_answer": sum(one["status"] is None for one in self.seen),
                "odd": sorted({one["status"] for one in self.seen} - {None, 201, 503})}


class Stage(Scene):
    """A trial while it runs: nodes, receivers, load, and the nemesis."""

    def __init__(self, world, folder, setting):
        super().__init__(world.network, world.databases, node_ttl_s=setting.ttl_s)
        self.setting = setting
        self.folder = folder
        self.nemesis = Nemesis(self, folder / "faults.jsonl")
        self.nodes = {host: ClusterNode(self.network, host, folder, self.databases, setting.ttl_s,
                                        setting.proxied, setting.unfenced) for host in setting.nodes}
        self.proxies = dict(self.nodes) if setting.proxied else {}
        self.receiver = self.slow = self.clients = self.probe = None
        self.recording = Recording(folder, WINDOW_US, CLIENT_ANSWER_MAX_S)

    # ---- begin ----------------------------------------------------------------------------------

    def start(self):
        """Nodes up, shards shared, load running."""
        self.receiver = HostReceiver(self.network, RECEIVERS, self.folder, "--secret", SECRET)
        if self.setting.half_sent:
            self.slow = SlowReader(self.network, RECEIVERS, self.folder)
        self.start_nodes()
        first = self.setting.nodes[0]
        self.api_of(first).expect(200, "PATCH", "/v2/account", {"signing_secret": SECRET})
        # Early in a second: what is due at the next one is then not due at once.
        time.sleep(1.1 - time.time() % 1)
        bodies = self.setting.bodies or (lambda receiver: standard(receiver, self.slow))
        self.recording.create_all(self.api_of(first), bodies(self.receiver))
        if self.setting.clients:
            self.clients = Clients(self.recording, self.api_of, list(self.setting.nodes),
                                   self.receiver.url("/client"), self.setting.seed)
        if self.setting.probes:
            self.probe = Probe(self.api_of, list(self.setting.nodes))
        time.sleep(CALM_S)

    def start_nodes(self):
        """All at one moment, over an empty database."""
        secrets = new_secrets()
        for node in self.nodes.values():
            node.keep_secrets(secrets)
        for node in self.nodes.values():
            node.spawn()
        self.wait_ready()
        self.wait_shared()

    def api_of(self, host):
        return Client(self.nodes[host], checks=False)

    def shared(self):
        """Every node that is up holds shards, and nobody else does."""
        ids = {node.ids()[-1] for node in self.nodes.values() if node.ids()}
        return len(ids) == len(self.nodes) and set(self.databases.query(SHARES)) == ids

    def wait_shared(self):
        wait_until(self.shared, SETTLED_MAX_S, step=0.25,
                   what=lambda: f"shards shared: {self.databases.query(SHARES)}, "
                                f"{[node.ids()[-1:] for node in self.nodes.values()]}")

    def wait_over(self):
        """Until what the last fault may have delayed has come."""
        ends = [max(end for _, end in fault.disturbed()) for fault in checker.read_faults(self.folder)]
        time.sleep(max(CALM_S, (max(ends, default=0) + WINDOW_US - now_us()) / SECOND))

    def wait_ready(self):
        for node in self.nodes.values():
            node.wait_ready(SETTLED_MAX_S)

    # ---- end ------------------------------------------------------------------------------------

    def finish(self):
        """Everything healed and settled; the verdict, which the folder has too."""
        self.network.heal()
        self.databases.wait_healthy()
        self.wait_ready()
        self.wait_shared()
        self.wait_over()
        time.sleep(WINDOW_US / SECOND)
        for one in (self.clients, self.probe):
            if one:
                one.stop()
        if self.clients:
            self.clients.resume_all()
        hosts = lambda: {one: node.host for node in self.nodes.values() for one in node.ids()}
        self.recording.finish(self.api_of(self.setting.nodes[0]), self.requests, self.spans,
                              self.setting.title, hosts, seed=self.setting.seed)
        self.stop_nodes()
        return self.verdict()

    def requests(self):
        return [record for one in (self.receiver, self.slow) if one for record in one.records()]

    def spans(self):
        rows = [row.split("|") for row in self.databases.query(SPANS)]
        return [(job, int(after), int(until), f"reason {reason}")
                for job, after, until, reason in rows]

    def stop_nodes(self):
        for node in self.nodes.values():
            node.note_end()
            node.signal(signal.SIGTERM)
        for node in self.nodes.values():
            if node.stop() != 0:
                node.fallen.append(node.process.returncode)

    def verdict(self):
        beside = {"fallen": {host: node.fallen for host, node in self.nodes.items()
                             if node.fallen}}
        if self.setting.proxied:
            beside["cuts"] = sum(len(node.cuts) for node in self.nodes.values())
        if self.clients:
            beside.update(clients=self.clients.counts(), odd=self.clients.odd())
        if self.probe:
            beside["probe"] = self.probe.figures()
        return judged(self.folder, beside)

    def close(self):
        for one in (self.clients, self.probe):
            if one:
                one.stop()
        for node in self.nodes.values():
            if node.process and node.process.poll() is None:
                self.network.thaw(node.host)
                node.kill()
            node.stop_proxy()
        for receiver in (self.receiver, self.slow):
            if receiver:
                receiver.stop()


def judged(folder, beside):
    """The verdict of a trial's folder, from what lies in it and what was seen `beside`; the folder
    then has it."""
    verdict = {**beside, **judge.judge(folder), "felt": felt.of_record(checker.read(folder))}
    verdict["holds"] = verdict["holds"] and not verdict["fallen"] and not verdict.get("odd")
    write_json(folder / "verdict.json", verdict)
    return verdict


class World:
    """The bench with the product, for one trial after another. The thread that made it stands in
    the hub until close()."""

    def __init__(self):
        self.stack = contextlib.ExitStack()
        self.network = Network()
        self.stack.callback(self.network.close)
        self.databases = None
        self.stack.enter_context(self.network.inside())

    def __enter__(self):
        return self

    def __exit__(self, *why):
        self.close()

    def ready(self, synchronous=True, strict=False):
        """Healthy databases in that mode, and in them an empty one for the product."""
        if self.databases is None:
            self.databases = Databases(self.network, synchronous).start()
        elif self.databases.synchronous != synchronous:
            self.databases.set_synchronous(synchronous)
        self.databases.set_strict(strict)
        self.databases.wait_healthy()
        self.databases.query(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)", database=USER)
        self.databases.query(f"CREATE DATABASE {DATABASE} OWNER cronally", database=USER)
        # A standby that has not heard of it yet refuses clients, who then ask no other host.
        self.databases.wait_replayed()

    @contextlib.contextmanager
    def stage(self, folder, setting):
        """Nodes, receivers and load of a trial, running."""
        self.ready(setting.synchronous, setting.strict)
        stage = Stage(self, folder, setting)
        about = {**dataclasses.asdict(setting), "bodies": setting.bodies is not None}
        (folder / "setting.json").write_text(json.dumps(about, indent=1) + "\n")
        try:
            stage.start()
            yield stage
        except BaseException:
            self.databases.keep_logs(folder)
            raise
        finally:
            stage.close()
            self.network.heal()

    def trial(self, folder, setting, plan):
        """plan(stage) carries the faults out. The verdict."""
        with self.stage(folder, setting) as stage:
            plan(stage)
            verdict = stage.finish()
            if not verdict["holds"]:
                self.databases.keep_logs(folder)
            return verdict

    def close(self):
        self.stack.close()
        if self.databases:
            self.databases.remove()
            self.databases = None
