"""The cluster's checker: silent on a clean record, and exact about what is planted in a bad one."""

import dataclasses
import json
from xml.etree import ElementTree

import pytest

import checker as base
from cluster import checker
from cluster.checker import Change, Fault
from cluster.judge import judge

SECOND = 1_000_000
START = base.instant_us("2026-03-28T23:59:00Z")
END = START + 120 * SECOND
WINDOW = 250_000
KILLED = START + 60 * SECOND + 40_000  # node n1 dies; ttl 5 s
EDITED = START + 90 * SECOND + 100_000


def fault(t0, t1, kind, scope, **more):
    bounds = {"lateness": 6 * SECOND, "recovery": 2 * SECOND, "unrecorded": 0, **more}
    return Fault(t0, t1, kind, tuple(scope), **bounds)


def clean():
    """Two minutes, four jobs. At the kill each second of `a` is late, one attempt of `b` is
    repeated, and `c` (latest) skips; `a` is edited and `d` is paused."""
    changes = [
        Change("a", START - 200, START, {"every": SECOND, "anchor": START}, WINDOW),
        Change("a", EDITED, EDITED + 20_000, {"every": 2 * SECOND, "anchor": START}, WINDOW),
        Change("b", START - 200, START, {"every": 5 * SECOND, "anchor": START}, WINDOW),
        Change("c", START - 200, START, {"cron": "5/10 * * * * *", "zone": "Europe/Riga"},
               WINDOW, catch_up="latest"),
        Change("d", START - 200, START, {"every": 20 * SECOND, "anchor": START}, WINDOW,
               delivery="at_most_once"),
        Change("d", EDITED, EDITED + 20_000, None, WINDOW, pauses=True),
    ]
    killed = fault(KILLED, KILLED + 9 * SECOND, "node_killed", ["n1"])
    record = checker.Record(changes, [], [killed],
                            hosts={"node-1": "n1", "node-2": "n2"}, end=END)
    late_from, late_to = KILLED, KILLED + 6 * SECOND
    for job, instant in sorted(checker.due_of(record).must):
        if job == "c" and late_from < instant < late_to:
            record.spans.append({"job": "c", "after": instant - 1, "until": instant,
                                 "reason": "catch_up"})
            continue
        punctual = instant + 2_000
        late = late_from < instant < late_to and job == "a"
        send(record, job, instant, max(punctual, late_to - 200_000) if late else punctual,
             node="node-1" if instant < KILLED else "node-2")
    repeat(record, START + 60 * SECOND, KILLED + 5 * SECOND)
    return record


def send(record, job, instant, at, node):
    run = f"{job}-{(instant - START) / SECOND:g}"
    fence = 7 if node == "node-1" else 8
    record.requests.append({"t_us": at, "run": run, "job": job, "attempt": 1, "fence": fence,
                            "path": "/", "sig": "ok", "status": 200,
                            "scheduled_at": base.instant_text(instant)})
    record.runs.append({"id": run, "job_id": job, "kind": "scheduled", "state": "ended",
                        "verdict": "succeeded", "scheduled_at": base.instant_text(instant),
                        "attempts": [{"number": 1, "node": node, "status": 200,
                                      "ended_at": base.instant_text(at + 900)}]})
    record.yours.append({"node": node, "run": run, "fence": fence})


def repeat(record, instant, at):
    """Its first answer came within 100 ms of the death, and was not recorded."""
    first, run = request_of(record, "b", instant), run_of(record, "b", instant)
    record.requests.append(dict(first, attempt=2, fence=8, t_us=at))
    run["attempts"] = [{"number": 1, "node": "node-1", "status": None, "ended_at": None},
                       {"number": 2, "node": "node-2", "status": 200,
                        "ended_at": base.instant_text(at + 900)}]
    record.yours.append({"node": "node-2", "run": run["id"], "fence": 8})


def request_of(record, job, instant):
    return next(one for one in record.requests
                if one["job"] == job and one["scheduled_at"] == base.instant_text(instant))


def run_of(record, job, instant):
    return next(one for one in record.runs
                if one["job_id"] == job and one["scheduled_at"] == base.instant_text(instant))


TEN = START + 10 * SECOND


def test_a_clean_record_has_no_findings():
    findings, reported = checker.check(clean())
    assert findings.counts() == {}, str(findings)
    assert reported == {"repeated": 1, "retried": 1, "skipped_by_policy": 1, "late_excused": 5,
                        "undetermined": 2}


def test_figures_tell_calm_from_disturbed():
    shown = checker.verdict(clean())["figures"]
    assert shown["late_ms_calm"] == {"p50": 2.0, "p99": 2.0, "max": 2.0}
    assert shown["late_ms_all"]["max"] == 4_840.0


# ---- one record removed, doubled, shifted, forged ------------------------------------------------

def removed(record):
    record.requests.remove(request_of(record, "a", TEN))


def removed_from_the_ledger(record):
    record.runs.remove(run_of(record, "a", TEN))


def removed_everywhere(record):
    removed(record)
    removed_from_the_ledger(record)
    record.yours = [told for told in record.yours if told["run"] != "a-10"]


def doubled(record):
    request = request_of(record, "a", TEN)
    record.requests.append(dict(request, t_us=request["t_us"] + 700))


def doubled_as_another_run(record):
    run = dict(run_of(record, "a", TEN), id="another")
    record.runs.append(run)
    record.requests.append(dict(request_of(record, "a", TEN), run="another"))


def shifted_by_the_window(record):
    request_of(record, "a", TEN)["t_us"] = TEN + WINDOW + 1


def shifted_to_the_window(record):
    request_of(record, "a", TEN)["t_us"] = TEN + WINDOW


def shifted_beyond_the_fault(record):
    request_of(record, "b", START + 65 * SECOND)["t_us"] = KILLED + 6 * SECOND + WINDOW + 1


def shifted_before_its_instant(record):
    request_of(record, "a", TEN)["t_us"] = TEN - 5_001


def forged(record):
    record.requests.append(dict(request_of(record, "a", TEN), run="forged", job="nobody"))


def forged_signature(record):
    request_of(record, "a", TEN)["sig"] = "bad"


def forged_claim(record):
    record.yours.append({"node": "node-1", "run": "nothing", "fence": 9})


# ---- attempts, fences, claims --------------------------------------------------------------------

def told_twice(record):
    record.yours.append({"node": "node-2", "run": "a-10", "fence": 7})


def taken_over(record):
    record.yours.append({"node": "node-2", "run": "a-10", "fence": 8})


def stale_fence(record):
    request_of(record, "b", START + 60 * SECOND)["fence"] = 9


def repeated_in_calm(record):
    request = request_of(record, "b", TEN)
    record.requests.append(dict(request, attempt=2, fence=8, t_us=request["t_us"] + 500))


def repeated_by_a_node_that_lived(record):
    run = run_of(record, "b", START + 60 * SECOND)
    run["attempts"][0]["node"] = "node-2"


def repeated_after_the_recorded_success(record):
    request = request_of(record, "b", TEN)
    record.requests.append(dict(request, attempt=2, fence=8, t_us=request["t_us"] + SECOND))


def at_most_once_sent_twice(record):
    request = request_of(record, "d", START + 60 * SECOND)
    record.requests.append(dict(request, attempt=2, fence=8, t_us=KILLED))


def at_most_once_unknown(record, instant=START + 60 * SECOND):
    record.requests.remove(request_of(record, "d", instant))
    run_of(record, "d", instant).update(verdict="unknown")


def at_most_once_unknown_in_calm(record):
    at_most_once_unknown(record, START + 40 * SECOND)


def at_most_once_failed(record, instant=START + 60 * SECOND):
    """Its only attempt did not reach the receiver."""
    record.requests.remove(request_of(record, "d", instant))
    run_of(record, "d", instant).update(verdict="failed")


def at_most_once_cancelled(record):
    at_most_once_failed(record)
    run_of(record, "d", START + 60 * SECOND).update(verdict="cancelled", reason="drained")


def at_most_once_failed_in_calm(record):
    at_most_once_failed(record, START + 40 * SECOND)


def too_many_failures(record):
    run_of(record, "a", TEN)["attempts"] = [
        {"number": number, "node": "node-1", "status": 500, "ended_at": base.instant_text(TEN)}
        for number in range(1, 7)]


# ---- policies and edits --------------------------------------------------------------------------

def skip(record, job, instant):
    record.requests.remove(request_of(record, job, instant))
    record.runs.remove(run_of(record, job, instant))
    known = {run["id"] for run in record.runs}
    record.yours = [told for told in record.yours if told["run"] in known]
    record.spans.append({"job": job, "after": instant - 1, "until": instant, "reason": "catch_up"})


def skipped_against_the_policy(record):
    skip(record, "a", START + 61 * SECOND)


def skipped_without_a_fault(record):
    skip(record, "c", START + 35 * SECOND)


def missed_and_excused(record):
    skip(record, "a", START + 61 * SECOND)
    record.faults.append(fault(KILLED, KILLED, "receivers_gone", [], allow_missed=True))


def old_definition_after_the_edit(record):
    instant = START + 93 * SECOND
    send(record, "a", instant, instant + 2_000, "node-2")


def new_definition_does_not_fire(record):
    skip(record, "a", START + 100 * SECOND)
    record.spans.pop()


def during_the_edit(record):
    """Between request and acknowledgement nobody knows which definition holds."""
    record.changes[1] = Change("a", EDITED, EDITED + 2 * SECOND, record.changes[1].schedule, WINDOW)
    for second in (91, 92):
        send_unless_sent(record, START + second * SECOND)


def send_unless_sent(record, instant):
    if base.instant_text(instant) not in {one["scheduled_at"] for one in record.requests
                                          if one["job"] == "a"}:
        send(record, "a", instant, instant + 2_000, "node-2")


def edit_never_acknowledged(record):
    """Then the old definition may go on, and the new one need not."""
    record.changes[1] = Change("a", EDITED, None, record.changes[1].schedule, WINDOW)
    for second in (95, 97):
        send(record, "a", START + second * SECOND, START + second * SECOND + 2_000, "node-2")
    skip(record, "a", START + 100 * SECOND)
    record.spans.pop()


def paused_and_yet_sent(record):
    """Due just before the pause, and sent after its acknowledgement."""
    record.changes[4] = Change("d", START - 200, START, {"at": [EDITED - 50_000]}, WINDOW)
    for one in [one for one in record.requests if one["job"] == "d"]:
        record.requests.remove(one)
    record.runs = [run for run in record.runs if run["job_id"] != "d"]
    record.yours = [told for told in record.yours if not told["run"].startswith("d")]
    send(record, "d", EDITED - 50_000, EDITED + 200_000, "node-2")


def held_by_the_pause(record):
    paused_and_yet_sent(record)
    record.changes.append(Change("d", EDITED + 100_000, EDITED + 120_000, {"at": []}, WINDOW))


def left_open(record):
    run_of(record, "a", TEN).update(state="begun", verdict=None)


def claimed_ahead(record, **ended):
    """The ledger alone has a run of `a` for an instant that the edit had taken away."""
    run = run_of(record, "a", TEN)
    instant = base.instant_text(START + 91 * SECOND)
    record.runs.append({**run, "id": "ahead", "scheduled_at": instant, "attempts": [], **ended})


def withdrawn_after_a_takeover(record):
    claimed_ahead(record, verdict="cancelled", reason="changed")


def supposed_sent(record, at):
    """A takeover supposed so of a run that was claimed ahead, and it was sent again."""
    instant = START + 91 * SECOND
    again = base.instant_text(instant + 900)
    claimed_ahead(record, attempts=[
        {"number": 1, "node": "node-1", "status": None, "first_byte_at": None,
         "ended_at": base.instant_text(at)},
        {"number": 2, "node": "node-2", "status": 200, "first_byte_at": again, "ended_at": again}])
    record.requests.append(dict(request_of(record, "a", TEN), run="ahead", attempt=2, fence=8,
                                t_us=instant + 500, scheduled_at=base.instant_text(instant)))


def under_way_at_the_edit(record):
    supposed_sent(record, EDITED - 100_000)


def not_under_way_at_the_edit(record):
    supposed_sent(record, EDITED + 20_001)


def ended_otherwise(record):
    claimed_ahead(record, verdict="failed", reason="exhausted")


@pytest.mark.parametrize("plant,found", [
    (removed, {"lost": 1}),
    (removed_from_the_ledger, {"forged": 1, "lost_claim": 1, "unaccounted": 1}),
    (removed_everywhere, {"lost": 1, "unaccounted": 1}),
    (doubled, {"doubled": 1}),
    (doubled_as_another_run, {"doubled": 2}),
    (shifted_by_the_window, {"late": 1}),
    (shifted_to_the_window, {}),
    (shifted_beyond_the_fault, {"late": 1}),
    (shifted_before_its_instant, {"early": 1}),
    (forged, {"forged": 1}),
    (forged_signature, {"bad_signature": 1}),
    (forged_claim, {"lost_claim": 1}),
    (told_twice, {"double_claim": 1}),
    (taken_over, {}),
    (stale_fence, {"fence_down": 2}),
    (repeated_in_calm, {"repeated_beyond_bound": 1}),
    (repeated_by_a_node_that_lived, {"repeated_beyond_bound": 1}),
    (repeated_after_the_recorded_success, {"repeated_beyond_bound": 1, "doubled": 1}),
    (at_most_once_sent_twice, {"doubled": 1}),
    (at_most_once_unknown, {}),
    (at_most_once_unknown_in_calm, {"unknown": 1}),
    (at_most_once_failed, {}),
    (at_most_once_cancelled, {"lost": 1}),
    (at_most_once_failed_in_calm, {"unknown": 1}),
    (too_many_failures, {"over_budget": 1}),
    (skipped_against_the_policy, {"skipped": 1}),
    (skipped_without_a_fault, {"skipped": 1}),
    (missed_and_excused, {}),
    (old_definition_after_the_edit, {"stray": 2}),
    (new_definition_does_not_fire, {"lost": 1, "unaccounted": 1}),
    (during_the_edit, {}),
    (edit_never_acknowledged, {}),
    (under_way_at_the_edit, {}),
    (not_under_way_at_the_edit, {"stray": 2}),
    (paused_and_yet_sent, {"withdrawn": 1}),
    (held_by_the_pause, {}),
    (left_open, {"unended": 1}),
    (withdrawn_after_a_takeover, {}),
    (ended_otherwise, {"stray": 1}),
])
def test_what_is_planted_is_found_and_nothing_else(plant, found):
    record = clean()
    plant(record)
    findings, _ = checker.check(record)
    assert findings.counts() == found, str(findings)


# ---- Jepsen's two cases, and runs without a name -------------------------------------------------

MINUTE = 60 * SECOND
JEPSEN = Change("j", START - 1, START - 1, {"at": [START + k * MINUTE for k in range(3)]},
                15 * SECOND)


def windows_at(end):
    return sorted(instant for _, instant in checker.due_of(
        checker.Record([JEPSEN], [], [], end=end)).must)


def test_windows_of_a_late_and_of_a_premature_read():
    assert windows_at(START + 366 * 86_400 * SECOND) == [START, START + MINUTE, START + 2 * MINUTE]
    assert windows_at(START + 70 * SECOND) == [START]


def test_a_solution_leaves_the_surplus_and_shows_the_window_without_a_run():
    windows = [(START + k * MINUTE, START + k * MINUTE + 15 * SECOND) for k in range(3)]
    runs = [START + 3 * SECOND, START + 65 * SECOND, START + 127 * SECOND, START + 180 * SECOND]
    assert checker.match(windows, runs) == (dict(zip(windows, runs)), [runs[3]])
    assert checker.match(windows, [runs[0], *runs[2:]]) == (
        {windows[0]: runs[0], windows[1]: None, windows[2]: runs[2]}, [runs[3]])


def test_overlapping_windows_are_filled_as_far_as_can_be():
    windows = [(0, 100), (10, 20), (15, 90)]
    assert checker.match(windows, [12, 30, 31])[0] == {(0, 100): 31, (10, 20): 12, (15, 90): 30}
    assert list(checker.match(windows, [16, 17])[0].values()).count(None) == 1


@pytest.mark.parametrize("spoil,found", [
    (lambda requests: None, {}),
    (lambda requests: requests.pop(1), {"lost": 1}),
    (lambda requests: requests.append(dict(requests[0], t_us=START + 40 * SECOND)), {"stray": 1}),
])
def test_requests_without_a_name_are_told_by_path_and_time(spoil, found):
    job = Change("j", START - 1, START - 1, JEPSEN.schedule, 15 * SECOND, path="/old")
    requests = [{"t_us": START + k * MINUTE + SECOND, "run": "", "job": "", "attempt": 0,
                 "fence": 0, "path": "/old", "sig": "none", "status": 200, "scheduled_at": ""}
                for k in range(3)]
    runs = [{"id": f"r{k}", "job_id": "j", "kind": "scheduled", "state": "ended",
             "verdict": "succeeded", "scheduled_at": base.instant_text(START + k * MINUTE),
             "attempts": []} for k in range(3)]
    spoil(requests)
    record = checker.Record([job], requests, [], runs, end=START + 10 * MINUTE)
    findings, _ = checker.check(record)
    assert findings.counts() == found, str(findings)


# ---- faults, and the folder ----------------------------------------------------------------------

def test_an_answer_may_miss_its_commit_while_work_is_disturbed_and_not_between():
    away = fault(START, START + 60 * SECOND, "primary_host_died", ["d1"], lateness=40 * SECOND,
                 recovery=10 * SECOND, unrecorded=None)
    assert away.unrecorded_in() == [(START, START + 40 * SECOND),
                                    (START + 60 * SECOND, START + 70 * SECOND)]
    assert checker.nodes_of(away) == ()
    dead = fault(START, START + 60 * SECOND, "node_killed", ["n2"], unrecorded=0)
    assert dead.unrecorded_in() == [(START, START)] and checker.nodes_of(dead) == ("n2",)


@pytest.mark.parametrize("at,latest", [
    (START, START + WINDOW),
    (KILLED - WINDOW, KILLED + 6 * SECOND + WINDOW),   # still on its way when the node died
    (KILLED - WINDOW - 1, KILLED - 1),
    (KILLED + 6 * SECOND + 1, KILLED + 6 * SECOND + 1 + WINDOW),
    (KILLED + 10 * SECOND, KILLED + 11 * SECOND + WINDOW),  # it comes back, shards move
])
def test_deadlines_beside_a_fault(at, latest):
    assert checker.Calm(clean().faults).deadline(at, WINDOW) == latest


def test_a_fault_without_a_bound_disturbs_until_it_ends():
    calm = checker.Calm([fault(START, START + 60 * SECOND, "nodes_cut", ["n1"], lateness=None)])
    assert calm.deadline(START + SECOND, WINDOW) == START + 62 * SECOND + WINDOW


def test_a_folder_is_read_as_it_was_written_and_a_torn_line_is_left_out(tmp_path):
    record = clean()
    lines = lambda values: "".join(json.dumps(value) + "\n" for value in values)
    (tmp_path / "spec.jsonl").write_text(lines(vars(change) for change in record.changes))
    (tmp_path / "recv.jsonl").write_text(lines(record.requests) + '{"t_us": 17')
    (tmp_path / "faults.jsonl").write_text(lines(vars(fault) for fault in record.faults))
    (tmp_path / "claims.jsonl").write_text(
        lines({"run": run} for run in record.runs) + lines({"span": span} for span in record.spans)
        + lines({"yours": told} for told in record.yours)
        + lines({"node": {"id": one, "host": host}} for one, host in record.hosts.items()))
    (tmp_path / "run.json").write_text(json.dumps({"end": record.end}))
    again = checker.read(tmp_path)
    assert dataclasses.replace(again, title="") == record
    assert judge(tmp_path)["holds"] is True
    assert json.loads((tmp_path / "verdict.json").read_text())["holds"] is True
    ElementTree.fromstring((tmp_path / "timeline.svg").read_text())
