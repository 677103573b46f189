"""Judges a run of the cluster from a folder of JSON lines, as Jepsen's Chronos test does, but
stricter.

`python3 -m cluster.judge FOLDER`, in tests/e2e, prints the verdict, and writes it and a timeline
into the folder, which holds

* `spec.jsonl`, a line for each change of a job: `job`; `ack_lo`, when the request was sent;
  `ack_hi`, when it was acknowledged (null: never, so nobody knows whether it was carried out);
  `schedule`, one of {"every", "anchor"}, {"cron", "zone", "dst"}, {"at": [...]}, or null for a
  pause or a delete; `window`, how late is punctual; `delivery`, `catch_up` ("all", "latest",
  "skip") and `attempts_max`; `pauses`, true where the change is a pause, which holds what is
  already due; `path`, where the requests of a job carry no name: they are told by the path, and by
  when they came.
* `recv.jsonl`, the receivers' log.
* `faults.jsonl`, the nemesis' log: {t0, t1, kind, scope, lateness, recovery, unrecorded,
  allow_missed}.
* `claims.jsonl`: {"run": …} as GET /v2/runs shows it, {"span": {job, after, until, reason}} of what
  was skipped, {"yours": {node, run, fence}} whenever a node was told that it owns a run, and
  {"node": {id, host}}, who ran where.
* `run.json`: {"end": …}, the instant at which the record was taken; a `title` and a `seed` if you
  like.

All instants are microseconds since 1970. What was due comes from oracle.py. With a definition of
generation g in force from its acknowledgement to the next change, an instant x of it is

    MUST       acknowledged before x, and x with all its allowed lateness lies before the end, and
               before the next change was sent
    MAY        within the uncertainty of a change or of the end
    FORBIDDEN  otherwise

Lost, doubled, repeated, early, forged, stray, fence_down, unended, accounted_twice and unaccounted
are judged by ../checker.py with the definitions of DESIGN P4. Added here: late, skipped (against
the policy, or without a fault), withdrawn (sent after the acknowledgement of what withdrew it),
double_claim, lost_claim, over_budget, unknown (at most once, without a fault; failed counts as
well) and bad_signature.
"""

import bisect
import collections
import dataclasses
import json
import pathlib

import checker
from cluster import oracle

SHOWN_MAX = 20
FOREVER = 1 << 62
ATTEMPTS_UNKNOWN_MAX = 50  # DESIGN §3.3: attempts of unknown fate
# DESIGN P5: half a round trip to the database, which takes some milliseconds while all hosts share
# two busy processors.
EARLY_TOLERANCE_US = 5_000
# A request is read by the receiver a little after its first byte left.
WITHDRAWN_TOLERANCE_US = 50_000


@dataclasses.dataclass(frozen=True)
class Fault:
    """Work is disturbed from t0 for `lateness` and from t1 for `recovery`; without `lateness` all
    the time between. An answer may stay unrecorded from t0 for `unrecorded`, or as long as work is
    disturbed if that is not said; only answers to the nodes in `scope`, where it names any."""
    t0: int
    t1: int
    kind: str
    scope: tuple
    lateness: int | None
    recovery: int
    unrecorded: int | None
    allow_missed: bool = False

    def disturbed(self):
        if self.lateness is None:
            return [(self.t0, self.t1 + self.recovery)]
        return [(self.t0, self.t0 + self.lateness), (self.t1, self.t1 + self.recovery)]

    def unrecorded_in(self):
        """Intervals in which an answer may have missed its commit."""
        if self.unrecorded is not None:
            return [(self.t0, self.t0 + self.unrecorded)]
        return self.disturbed()


@dataclasses.dataclass(frozen=True)
class Change:
    """A line of spec.jsonl."""
    job: str
    ack_lo: int
    ack_hi: int | None
    schedule: dict | None
    window: int
    delivery: str = "at_least_once"
    catch_up: str = "all"
    attempts_max: int = 5
    pauses: bool = False
    path: str | None = None

    def instants(self, begin, end):
        """What this definition owes in [begin, end]."""
        schedule = self.schedule
        if schedule is None or end < begin:
            return []
        if "at" in schedule:
            return [at for at in schedule["at"] if begin <= at <= end]
        if "every" in schedule:
            job = checker.Job(self.job, schedule["anchor"], schedule["every"], begin - 1)
            return list(job.due(end))
        return oracle.due(schedule["cron"], schedule.get("zone", "UTC"), begin - 1, end,
                          schedule.get("dst", "run"))


@dataclasses.dataclass(frozen=True)
class Owed:
    """A job as ../checker.py wants it: what it must have run."""
    id: str
    must: tuple

    def due(self, until):
        return [instant for instant in self.must if instant <= until]


class Calm:
    """When work was disturbed, and by when something due must have come."""

    def __init__(self, faults):
        self.intervals = []
        for begin, end in sorted(interval for fault in faults for interval in fault.disturbed()):
            if self.intervals and begin <= self.intervals[-1][1]:
                self.intervals[-1][1] = max(self.intervals[-1][1], end)
            else:
                self.intervals.append([begin, end])

    def disturbed(self, at, window=0):
        """The interval in which something due at `at` may still be on its way; None in calm."""
        for begin, end in self.intervals:
            if begin - window <= at <= end:
                return begin, end
        return None

    def deadline(self, at, window):
        """The latest punctual arrival. One that may come as late as a disturbance may meet it."""
        latest = at
        for begin, end in self.intervals:
            if begin - window <= latest <= end:
                latest = end
        return latest + window


@dataclasses.dataclass
class Record:
    """A folder, read."""
    changes: list
    requests: list
    faults: list
    runs: list = dataclasses.field(default_factory=list)
    spans: list = dataclasses.field(default_factory=list)  # {job, after, until, reason}
    yours: list = dataclasses.field(default_factory=list)  # {node, run, fence}
    hosts: dict = dataclasses.field(default_factory=dict)  # id of a node -> its host
    end: int = 0
    title: str = ""


def json_lines(file):
    """Whole lines only: the last one of a process that was killed may be half written."""
    text = file.read_text() if file.exists() else ""
    return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]


def read_faults(folder):
    return [Fault(**{**line, "scope": tuple(line["scope"])})
            for line in json_lines(folder / "faults.jsonl")]


def read(folder):
    folder = pathlib.Path(folder)
    about = json.loads((folder / "run.json").read_text())
    claims = json_lines(folder / "claims.jsonl")
    of = lambda kind: [line[kind] for line in claims if kind in line]
    faults = read_faults(folder)
    changes = [Change(**line) for line in json_lines(folder / "spec.jsonl")]
    return Record(changes, json_lines(folder / "recv.jsonl"), faults, of("run"), of("span"),
                  of("yours"), {node["id"]: node["host"] for node in of("node")}, about["end"],
                  about.get("title", folder.name))


# ---- what was due --------------------------------------------------------------------------------

@dataclasses.dataclass
class Due:
    """MUST and MAY of all jobs, and for each of their instants the definition that owes it."""
    must: set = dataclasses.field(default_factory=set)        # (job, instant)
    may: set = dataclasses.field(default_factory=set)
    undetermined: set = dataclasses.field(default_factory=set)  # of `may`: only for the end's sake
    owner: dict = dataclasses.field(default_factory=dict)     # (job, instant) -> Change
    # (job, instant) -> from when to when nothing may start under its definition
    withdrawn: dict = dataclasses.field(default_factory=dict)


def due_of(record):
    due = Due()
    calm = Calm(record.faults)
    changes_of = collections.defaultdict(list)
    for change in record.changes:
        changes_of[change.job].append(change)
    for changes in changes_of.values():
        changes.sort(key=lambda change: change.ack_lo)
        for number, change in enumerate(changes):
            add_due(due, calm, change, changes[number + 1:], record.end)
        add_under_way(due, changes, [run for run in record.runs
                                     if run["job_id"] == changes[0].job])
    due.may -= due.must
    due.undetermined -= due.must
    return due


def add_due(due, calm, change, later, end):
    withdrawn = withdrawal(later)
    threatened = min((after.ack_lo for after in later), default=FOREVER)
    for instant in change.instants(change.ack_lo, min(end, withdrawn[0])):
        key = (change.job, instant)
        deadline = calm.deadline(instant, change.window)
        sure = change.ack_hi is not None and change.ack_hi < instant and deadline < threatened
        if sure and deadline <= end:
            due.must.add(key)
        else:
            due.may.add(key)
        if sure and deadline > end:
            due.undetermined.add(key)
        due.owner[key] = change
        due.withdrawn[key] = max(withdrawn, due.withdrawn.get(key, withdrawn))


def add_under_way(due, changes, runs):
    """What a takeover had to suppose was sent is under way: it goes on under the definition of a
    change that comes after that, though it was taken away by it. The takeover's own attempt is told
    apart by having no first byte."""
    for run in runs:
        supposed = [checker.instant_us(attempt["ended_at"]) for attempt in run["attempts"]
                    if attempt.get("status") is None and attempt.get("ended_at")
                    and not attempt.get("first_byte_at")]
        instant = checker.instant_us(run["scheduled_at"])
        for change, after in zip(changes, changes[1:]):
            if (supposed and after.schedule is not None and change.instants(instant, instant)
                    and min(supposed) <= (after.ack_hi or FOREVER)
                    and change.ack_lo < instant):
                due.may.add((change.job, instant))
                due.owner.setdefault((change.job, instant), after)


def withdrawal(later):
    """From when to when nothing may start under a definition, by the changes that follow it. What
    is due and held by a pause goes on with whatever follows."""
    for number, change in enumerate(later):
        if change.ack_hi is not None:
            following = later[number + 1:]
            return change.ack_hi, following[0].ack_lo if change.pauses and following else FOREVER
    return FOREVER, FOREVER


# ---- the verdict ---------------------------------------------------------------------------------

def check(record):
    """Findings (none: every promise was kept), and what is reported besides."""
    due = due_of(record)
    calm = Calm(record.faults)
    record, surplus = named(record, due, calm)
    latest = definitions(record)
    must_of = by_job(due.must)
    jobs = [Owed(job, tuple(must_of.get(job, ()))) for job in latest]
    evidence = checker.Evidence(
        jobs, record.end, record.requests, with_hosts(record),
        [(span["job"], span["after"], span["until"]) for span in record.spans], deaths=[],
        at_most_once=frozenset(job for job, change in latest.items()
                               if change.delivery == "at_most_once"),
        may=frozenset(due.may),
        unrecorded=[(begin, end, nodes_of(fault)) for fault in record.faults
                    for begin, end in fault.unrecorded_in()],
        early_tolerance=EARLY_TOLERANCE_US)
    findings = checker.check(evidence)
    for request in surplus:
        findings.add("stray", f"a request to {request['path']} at {request['t_us']} was not due")
    reported = collections.Counter(undetermined=len(due.undetermined))
    check_spans(record, due, calm, findings, reported)
    check_arrivals(record, due, calm, findings, reported)
    check_withdrawn(record, due, findings)
    check_claims(record, findings)
    check_budgets(record, latest, calm, findings, reported)
    for request in record.requests:
        if request.get("sig") == "bad":
            findings.add("bad_signature", f"run {request['run']} attempt {request['attempt']}")
    reported["repeated"] = findings.repeated
    return findings, reported


def by_job(keys):
    """job -> its instants, ascending."""
    found = collections.defaultdict(list)
    for job, instant in sorted(keys):
        found[job].append(instant)
    return found


def definitions(record):
    """job -> its last definition; a pause or a delete is none where there is another."""
    ordered = sorted(record.changes, key=lambda one: (one.schedule is not None, one.ack_lo))
    return {change.job: change for change in ordered}


def with_hosts(record):
    """The runs, with the host of each attempt in place of its node's id."""
    return [{**run, "attempts": [{**attempt, "node": record.hosts.get(attempt.get("node"))}
                                 for attempt in run["attempts"]]} for run in record.runs]


def nodes_of(fault):
    """The nodes whose answers a fault concerns; none for a fault of the databases, which is
    all's."""
    return tuple(host for host in fault.scope if host.startswith("n"))


def check_spans(record, due, calm, findings, reported):
    """What must run and was skipped: by policy after a fault, or against it."""
    arrived = {(one["job"], checker.instant_us(one["scheduled_at"])) for one in record.requests}
    missable = Calm([fault for fault in record.faults if fault.allow_missed])
    must_of = by_job(due.must)
    for span in record.spans:
        instants = must_of.get(span["job"], [])
        within = slice(bisect.bisect_right(instants, span["after"]),
                       bisect.bisect_right(instants, span["until"]))
        for key in [(span["job"], instant) for instant in instants[within]]:
            if key in arrived:
                continue
            change = due.owner[key]
            if missable.disturbed(key[1], change.window):
                reported["missed_excused"] += 1
            elif change.catch_up != "all" and calm.disturbed(key[1], change.window):
                reported["skipped_by_policy"] += 1
            else:
                findings.add("skipped", f"{key[0]} at {checker.instant_text(key[1])}: "
                                        f"{span['reason']}")


def first_requests(record):
    """(job, instant) -> its first request."""
    first = {}
    for request in sorted(record.requests, key=lambda one: one["t_us"]):
        first.setdefault((request["job"], checker.instant_us(request["scheduled_at"])), request)
    return first


def check_arrivals(record, due, calm, findings, reported):
    for (job, instant), request in first_requests(record).items():
        if (job, instant) not in due.must:
            continue
        window = due.owner[job, instant].window
        deadline = calm.deadline(instant, window)
        if request["t_us"] > deadline:
            findings.add("late", f"{job} at {checker.instant_text(instant)}: "
                                 f"{(request['t_us'] - instant) / 1000:.1f} ms")
        elif request["t_us"] > instant + window:
            reported["late_excused"] += 1
    attempts = collections.Counter(request["run"] for request in record.requests)
    reported["retried"] = sum(count - 1 for count in attempts.values())


def check_withdrawn(record, due, findings):
    """P10: nothing starts under a definition after the acknowledgement of what withdrew it."""
    for key, request in first_requests(record).items():
        begin, end = due.withdrawn.get(key, (FOREVER, FOREVER))
        if begin + WITHDRAWN_TOLERANCE_US < request["t_us"] < end:
            findings.add("withdrawn", f"{key[0]} at {checker.instant_text(key[1])} came "
                                      f"{(request['t_us'] - begin) / 1000:.1f} ms after "
                                      "the acknowledgement")


def check_claims(record, findings):
    known = {run["id"] for run in record.runs}
    owners = collections.defaultdict(set)
    for told in record.yours:
        owners[told["run"], told["fence"]].add(told["node"])
        if told["run"] not in known:
            findings.add("lost_claim", f"{told['node']} was told that {told['run']} is its own")
    for (run, fence), nodes in sorted(owners.items()):
        if len(nodes) > 1:
            findings.add("double_claim", f"run {run} under {fence}: {', '.join(sorted(nodes))}")


def check_budgets(record, latest, calm, findings, reported):
    """Recorded failures within the retry budget, unknown fates within theirs; at most once ends
    unknown only by a fault."""
    for run in record.runs:
        change = latest.get(run["job_id"])
        if change is None:
            continue
        failures = [attempt for attempt in run["attempts"]
                    if attempt.get("status") and not 200 <= attempt["status"] < 300]
        if len(failures) > change.attempts_max:
            findings.add("over_budget", f"run {run['id']}: {len(failures)} failures")
        if len(run["attempts"]) > change.attempts_max + ATTEMPTS_UNKNOWN_MAX:
            findings.add("over_budget", f"run {run['id']}: {len(run['attempts'])} attempts")
        instant = checker.instant_us(run["scheduled_at"])
        unsent = change.delivery == "at_most_once" and checker.ended_unsent(run)
        if (unsent or run["verdict"] == "unknown") and not calm.disturbed(instant, change.window):
            findings.add("unknown", f"run {run['id']} at {run['scheduled_at']}: {run['verdict']}")
        elif unsent:
            reported[f"at_most_once_{run['verdict']}"] += 1


# ---- figures -------------------------------------------------------------------------------------

def figures(record, due):
    """Lateness of what had to come, in ms: in calm, and all; the longest silence in s."""
    calm = Calm(record.faults)
    still, everything = [], []
    for key, request in first_requests(record).items():
        if key in due.must:
            late = (request["t_us"] - key[1]) / 1000
            everything.append(late)
            if not calm.disturbed(key[1], due.owner[key].window):
                still.append(late)
    arrivals = sorted(request["t_us"] for request in record.requests)
    silence = max((after - before for before, after in zip(arrivals, arrivals[1:])), default=0)
    shown = {"must": len(due.must), "may": len(due.may), "requests": len(record.requests),
             "longest_silence_s": round(silence / 1e6, 3)}
    for name, values in (("calm", still), ("all", everything)):
        if values:
            shown[f"late_ms_{name}"] = {
                "p50": round(checker.percentile(values, 0.5), 3),
                "p99": round(checker.percentile(values, 0.99), 3), "max": round(max(values), 3)}
    return shown


def verdict(record):
    """The whole of it, ready for verdict.json."""
    findings, reported = check(record)
    due = due_of(record)
    record, _ = named(record, due, Calm(record.faults))
    return {"holds": not findings.counts(), "counts": findings.counts(),
            "findings": {kind: texts[:SHOWN_MAX] for kind, texts in findings.found.items()},
            "reported": dict(reported), "figures": figures(record, due)}


# ---- runs without a name -------------------------------------------------------------------------

def match(windows, instants):
    """Distinct instants for as many of the windows as there can be, for requests that do not say
    which occurrence they are. Windows are intervals, so the graph is convex: at each instant the
    open window that ends first is the right one. Returns {window: instant or None} and the
    surplus."""
    waiting = sorted(windows)
    given = dict.fromkeys(windows)
    opened, surplus = [], []
    for instant in sorted(instants):
        while waiting and waiting[0][0] <= instant:
            opened.append(waiting.pop(0))
        opened = [window for window in opened if window[1] >= instant and given[window] is None]
        if opened:
            given[min(opened, key=lambda window: window[1])] = instant
        else:
            surplus.append(instant)
    return given, surplus


def named(record, due, calm):
    """The record with a name for each request that carries none, and those that fit nothing."""
    paths = {change.path: change for change in record.changes if change.path}
    runs = {(run["job_id"], checker.instant_us(run["scheduled_at"])): run["id"]
            for run in record.runs}
    requests = [request for request in record.requests if request["path"] not in paths]
    surplus = []
    for path, change in paths.items():
        windows = {(instant, calm.deadline(instant, change.window)): instant
                   for job, instant in due.must | due.may if job == change.job}
        came = {request["t_us"]: request for request in record.requests if request["path"] == path}
        given, unfit = match(list(windows), list(came))
        surplus += [came[at] for at in unfit]
        for window, at in given.items():
            if at is not None:
                instant = windows[window]
                requests.append({**came[at], "job": change.job, "attempt": 1, "fence": 0,
                                 "scheduled_at": checker.instant_text(instant),
                                 "run": runs.get((change.job, instant), "none in the ledger")})
    return dataclasses.replace(record, requests=requests), surplus
