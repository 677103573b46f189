"""Judges a run of the product from outside: the receiver's log and the ledger against what was due.

What was due is computed here, from the jobs' anchors alone, and shares no code with the product.
The words are those of DESIGN §2: lost, doubled, repeated, early, accounted for. Instants are
integer microseconds since 1970, UTC.
"""

import bisect
import collections
import dataclasses
import datetime
import re

EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
EARLY_TOLERANCE_US = 1_000  # half a database round trip and clock steps of the host
# What a killed server sent lies in a socket until the receiver has a processor to log it.
LOGGED_LATE_US = 10_000
MICROSECOND = datetime.timedelta(microseconds=1)


def instant_us(text):
    """Microseconds of an RFC 3339 instant in UTC, as the API and the receiver's log show it."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?Z", text)
    if not match:
        raise ValueError(f"{text!r} is not an instant in UTC")
    whole = datetime.datetime.fromisoformat(match.group(1) + "+00:00")
    return (whole - EPOCH) // MICROSECOND + int((match.group(2) or "0").ljust(6, "0"))


def instant_text(us):
    moment = EPOCH + datetime.timedelta(microseconds=us)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def percentile(values, share):
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-int(share * 10_000) * len(ordered) // 10_000) - 1)]


@dataclasses.dataclass(frozen=True)
class Job:
    """A job `@every every_us`; `since` is the commit of the edit that set the schedule."""
    id: str
    anchor: int
    every: int
    since: int

    def due(self, until):
        """anchor + k × every, strictly after `since`, up to and with `until`."""
        first = self.anchor + ((self.since - self.anchor) // self.every + 1) * self.every
        return range(first, until + 1, self.every)


@dataclasses.dataclass
class Evidence:
    jobs: list      # of Job
    until: int      # everything due up to here must be settled
    # The receiver's log: t_us, run, job, scheduled_at, attempt, fence, status; answered_us where the
    # answer came much later.
    requests: list
    runs: list      # the ledger, as GET /v2/runs shows it
    spans: list     # (job id, from, to] skipped, with a reason
    deaths: list    # instants at which the server was killed
    starts: list = dataclasses.field(default_factory=list)
    # An answer this long before a death may have missed its commit: outcome batch + commit on a
    # disk that is quick; what a slow one adds is in `unrecorded`.
    unrecorded_max: int = 100_000
    at_most_once: frozenset = frozenset()  # ids of jobs
    # (job, instant) that may have run or not, and need not be settled: an edit of unknown fate,
    # or the end of the record, came too close.
    may: frozenset = frozenset()
    # (from, to, ids of nodes) in which an answer may have missed its commit; no ids: any node's.
    unrecorded: list = dataclasses.field(default_factory=list)
    early_tolerance: int = EARLY_TOLERANCE_US


class Findings:
    def __init__(self):
        self.found = collections.defaultdict(list)
        self.repeated = 0

    def add(self, kind, text):
        self.found[kind].append(text)

    def count(self, kind):
        return len(self.found.get(kind, []))

    def counts(self):
        return {kind: len(texts) for kind, texts in self.found.items() if texts}

    def __str__(self):
        lines = [f"repeated: {self.repeated}"]
        for kind, texts in sorted(self.found.items()):
            lines.append(f"{kind}: {len(texts)}")
            lines += [f"  {text}" for text in texts[:10]]
        return "\n".join(lines)


def check(evidence):
    """All findings. None means: every promise that this evidence can show was kept."""
    findings = Findings()
    check_occurrences(evidence, findings)
    check_attempts(evidence, findings)
    check_ledger(evidence, findings)
    return findings


# ---- each due occurrence reached the receiver, once, not early ------------------------------------

def due_of(evidence):
    return {(job.id, instant) for job in evidence.jobs for instant in job.due(evidence.until)}


def skipped(evidence, job, instant):
    return any(span[0] == job and span[1] < instant <= span[2] for span in evidence.spans)


def check_occurrences(evidence, findings):
    due = due_of(evidence)
    known = {job.id: job for job in evidence.jobs}
    run_of = {}
    for request in evidence.requests:
        if request["job"] not in known:
            continue
        instant = instant_us(request["scheduled_at"])
        key = (request["job"], instant)
        if run_of.setdefault(key, request["run"]) != request["run"]:
            findings.add("doubled", f"two runs for {request['job']} at {request['scheduled_at']}")
        if request["t_us"] < instant - evidence.early_tolerance:
            findings.add("early", f"run {request['run']} came {instant - request['t_us']} us early")
        if key not in due and key not in evidence.may and instant <= evidence.until:
            findings.add("stray", f"{request['job']} was not due at {request['scheduled_at']}")
    # Lost is a word of "at least once": where a repeat is ruled out, an attempt that failed or whose
    # fate is unknown ends it.
    ended = {(run["job_id"], instant_us(run["scheduled_at"])) for run in evidence.runs
             if run["job_id"] in evidence.at_most_once and ended_unsent(run)}
    for job, instant in sorted(due - run_of.keys() - ended):
        if not skipped(evidence, job, instant):
            findings.add("lost", f"{job} at {instant_text(instant)}")


def ended_unsent(run):
    """An at-most-once run that may have reached nobody, and never will."""
    return run["verdict"] in ("unknown", "failed")


# ---- the attempts of each run ----------------------------------------------------------------------

def check_attempts(evidence, findings):
    runs = {run["id"]: run for run in evidence.runs}
    by_run = collections.defaultdict(list)
    for request in evidence.requests:
        by_run[request["run"]].append(request)
    deaths = sorted(evidence.deaths)
    for run_id, requests in by_run.items():
        requests.sort(key=lambda request: (request["t_us"], request["attempt"]))
        run = runs.get(run_id)
        if run is None:
            if instant_us(requests[0]["scheduled_at"]) <= evidence.until:
                findings.add("forged", f"run {run_id} reached the receiver, not the ledger")
            continue
        check_numbers(evidence, run, requests, findings)
        excused = {request["attempt"] for request in requests
                   if unrecorded(evidence, deaths, run, request)}
        for before, after in zip(requests, requests[1:]):
            check_next(before["attempt"] in excused, run, before, after, findings)
        check_after_success(run, requests, excused, findings)


def check_numbers(evidence, run, requests, findings):
    numbers = collections.Counter(request["attempt"] for request in requests)
    for number, count in numbers.items():
        for _ in range(count - 1):
            findings.add("doubled", f"run {run['id']} sent attempt {number} more than once")
    if run["job_id"] in evidence.at_most_once and len(numbers) > 1:
        findings.add("doubled", f"run {run['id']} is at most once and was sent {len(numbers)} times")


def unrecorded(evidence, deaths, run, request):
    """Whether the answer to this request may have missed its commit."""
    began, at = request["t_us"], request.get("answered_us", request["t_us"])
    next_death = bisect.bisect_left(deaths, began - LOGGED_LATE_US)
    if next_death < len(deaths) and deaths[next_death] - at <= evidence.unrecorded_max:
        return True
    nodes = {attempt.get("node") for attempt in run["attempts"]
             if attempt["number"] == request["attempt"]}
    return any(begin - evidence.unrecorded_max <= at and began <= end
               and (not struck or nodes <= {None} or nodes & set(struck))
               for begin, end, struck in evidence.unrecorded)


def unheard(run, request):
    """Whether its sender lived on and recorded that no answer came. A takeover, which supposes that
    somebody sent it, knows of no first byte."""
    return any(attempt["number"] == request["attempt"] and attempt.get("first_byte_at")
               and attempt.get("ended_at") and attempt.get("status") is None
               for attempt in run["attempts"])


def check_next(excused, run, before, after, findings):
    """A request that follows another of its run. `excused`: the first may not have been recorded."""
    if after["fence"] < before["fence"]:
        findings.add("fence_down", f"run {after['run']}: {before['fence']} then {after['fence']}")
    if after["attempt"] == before["attempt"]:
        return  # said as doubled
    if not 200 <= before["status"] < 300:
        return  # an ordinary retry, or the successor of an unanswered attempt
    findings.repeated += 1
    if not excused:
        findings.add("repeated_beyond_bound",
                     f"run {after['run']} attempt {after['attempt']}: the one before was answered "
                     f"at {before['t_us']}, and no death followed in time")
    if after["fence"] <= before["fence"] and not unheard(run, before):
        findings.add("fence_down", f"run {after['run']}: a repeated attempt without a higher fence")


def check_after_success(run, requests, excused, findings):
    """`excused`: numbers of attempts whose success may have been recorded after the next attempt was
    scheduled: the ledger says when they were answered, not when that was committed."""
    recorded = [(attempt["number"], instant_us(attempt["ended_at"])) for attempt in run["attempts"]
                if attempt.get("ended_at") and 200 <= (attempt.get("status") or 0) < 300
                and attempt["number"] not in excused]
    for request in requests:
        for number, ended in recorded:
            # A lower number too: who was frozen, and wakes when another has succeeded.
            if request["attempt"] != number and request["t_us"] > ended:
                findings.add("doubled", f"run {run['id']} attempt {request['attempt']} began after "
                                        f"the recorded success of {number}")


def withdrawn(run):
    """Claimed ahead, and an edit came before its instant. Deleted where it surely was not sent; kept
    as cancelled where a takeover had to suppose that it was."""
    return run["verdict"] == "cancelled" and run.get("reason") in ("changed", "deleted")


# ---- the ledger accounts for everything that was due ------------------------------------------------

def check_ledger(evidence, findings):
    due = due_of(evidence)
    known = {job.id for job in evidence.jobs}
    seen = set()
    for run in evidence.runs:
        if run["job_id"] not in known or run["kind"] != "scheduled":
            continue
        instant = instant_us(run["scheduled_at"])
        if instant > evidence.until:
            continue
        key = (run["job_id"], instant)
        if key in seen:
            findings.add("doubled", f"two runs in the ledger for {key}")
        seen.add(key)
        if key not in due and key not in evidence.may and not withdrawn(run):
            findings.add("stray", f"the ledger has {run['id']}, which was not due")
        if key not in evidence.may and (run["state"] != "ended" or run["verdict"] is None):
            findings.add("unended", f"run {run['id']} is {run['state']}")
        if skipped(evidence, *key):
            findings.add("accounted_twice", f"{key} has a run and a span")
    for key in sorted(due - seen):
        if not skipped(evidence, *key):
            findings.add("unaccounted", f"{key[0]} at {instant_text(key[1])}")
