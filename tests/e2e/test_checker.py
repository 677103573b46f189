"""The checker itself: it finds nothing in a clean record, and exactly what is planted in a bad one."""

import copy

import pytest

import checker

SECOND = 1_000_000
START = checker.instant_us("2026-03-01T10:00:00Z")


def clean():
    """Two jobs, ten seconds, one death at 5.5 s after which one attempt is repeated in its bound."""
    jobs = [checker.Job("a", START, SECOND, START), checker.Job("b", START + 500_000, SECOND, START)]
    evidence = checker.Evidence(jobs, START + 10 * SECOND, [], [], [], [START + 5_500_000 + 1_500])
    for job in jobs:
        for instant in job.due(evidence.until):
            run = f"{job.id}-{instant}"
            add_request(evidence, run, job.id, instant, 1, 7 if instant <= START + 5_500_000 else 8)
            evidence.runs.append(ledger_run(run, job.id, instant, 1))
    repeated = START + 5_500_000
    add_request(evidence, f"b-{repeated}", "b", repeated, 2, 8, repeated + 300_000)
    run = next(run for run in evidence.runs if run["id"] == f"b-{repeated}")
    run["attempts"] = [
        {"number": 2, "status": 200, "ended_at": checker.instant_text(repeated + 301_000)}]
    return evidence


def add_request(evidence, run, job, instant, attempt, fence, at=None):
    evidence.requests.append({
        "t_us": at or instant + 400, "run": run, "job": job, "attempt": attempt, "fence": fence,
        "scheduled_at": checker.instant_text(instant), "status": 200})


def ledger_run(run, job, instant, number):
    return {"id": run, "job_id": job, "kind": "scheduled", "state": "ended", "verdict": "succeeded",
            "scheduled_at": checker.instant_text(instant),
            "attempts": [{"number": number, "status": 200,
                          "ended_at": checker.instant_text(instant + 900)}]}


def test_a_clean_record_has_no_findings_and_one_repeat():
    findings = checker.check(clean())
    assert findings.counts() == {} and findings.repeated == 1


def repeated_under_its_fence(evidence, **first):
    """The repeat of a clean record, by who sent the first; which the ledger has as `first` says."""
    evidence.requests[-1]["fence"] = 7
    run = next(run for run in evidence.runs if run["id"] == evidence.requests[-1]["run"])
    run["attempts"].insert(0, {"number": 1, "status": None, **first})


@pytest.mark.parametrize("first,found", [
    ({"first_byte_at": "2026-03-01T10:00:05.5Z", "ended_at": "2026-03-01T10:00:05.8Z"}, {}),
    ({"ended_at": "2026-03-01T10:00:05.8Z"}, {"fence_down": 1}),
    ({"first_byte_at": "2026-03-01T10:00:05.5Z"}, {"fence_down": 1}),
])
def test_who_heard_no_answer_repeats_under_its_fence(first, found):
    evidence = clean()
    repeated_under_its_fence(evidence, **first)
    assert checker.check(evidence).counts() == found


def removed(evidence):
    evidence.requests.pop(4)


def removed_from_the_ledger(evidence):
    evidence.runs.pop(4)


def doubled(evidence):
    evidence.requests.append(dict(evidence.requests[4], t_us=evidence.requests[4]["t_us"] + 5))


def sent_after_a_recorded_success(evidence):
    first = evidence.requests[7]
    evidence.requests.append(dict(first, attempt=2, fence=9, t_us=first["t_us"] + 2_000_000))


def sent_by_who_woke_after_it(evidence):
    """The first attempt, when the second has succeeded under a higher fence."""
    second = evidence.requests[7]
    evidence.requests.append(dict(second, t_us=second["t_us"] + 2_000_000))
    second.update(attempt=2, fence=9)
    (run,) = [run for run in evidence.runs if run["id"] == second["run"]]
    run["attempts"][0]["number"] = 2


def second_run_of_an_occurrence(evidence):
    run = copy.deepcopy(evidence.runs[3])
    run["id"] = "another"
    evidence.runs.append(run)
    evidence.requests.append(dict(evidence.requests[3], run="another"))


def shifted_by_a_second(evidence):
    request = evidence.requests[4]
    shifted = checker.instant_us(request["scheduled_at"]) + 250_000
    request["scheduled_at"] = checker.instant_text(shifted)


def shifted_before_its_instant(evidence):
    evidence.requests[4]["t_us"] -= 5_000


def forged(evidence):
    evidence.requests.append(dict(evidence.requests[4], run="forged", job="nobody"))


def fence_went_down(evidence):
    repeat = evidence.requests[-1]
    repeat["fence"] = 6


def repeated_long_after(evidence):
    evidence.deaths[0] += 200_000


def logged_behind_the_death(evidence):
    first = next(request for request in evidence.requests if request["attempt"] == 1
                 and any(other["run"] == request["run"] and other["attempt"] == 2
                         for other in evidence.requests))
    first["t_us"] = evidence.deaths[0] + checker.LOGGED_LATE_US


def logged_long_behind_the_death(evidence):
    logged_behind_the_death(evidence)
    evidence.deaths[0] -= 1


def left_open(evidence):
    evidence.runs[2].update(state="begun", verdict=None)


def skipped_although_run(evidence):
    instant = checker.instant_us(evidence.runs[2]["scheduled_at"])
    evidence.spans.append((evidence.runs[2]["job_id"], instant - 1, instant))


def skipped_and_not_run(evidence):
    run = evidence.runs.pop(2)
    instant = checker.instant_us(run["scheduled_at"])
    evidence.requests.pop(2)
    evidence.spans.append((run["job_id"], instant - 1, instant))


def at_most_once_repeated(evidence):
    evidence.at_most_once = frozenset("b")


@pytest.mark.parametrize("plant,found", [
    (removed, {"lost": 1}),
    (removed_from_the_ledger, {"unaccounted": 1, "forged": 1}),
    (doubled, {"doubled": 1}),
    (sent_after_a_recorded_success, {"doubled": 1, "repeated_beyond_bound": 1}),
    (sent_by_who_woke_after_it, {"doubled": 1, "fence_down": 2, "repeated_beyond_bound": 1}),
    (second_run_of_an_occurrence, {"doubled": 2}),
    (shifted_by_a_second, {"lost": 1, "stray": 1, "early": 1}),
    (shifted_before_its_instant, {"early": 1}),
    (forged, {"forged": 1}),
    (fence_went_down, {"fence_down": 2}),
    (repeated_long_after, {"repeated_beyond_bound": 1}),
    (logged_behind_the_death, {}),
    (logged_long_behind_the_death, {"repeated_beyond_bound": 1}),
    (left_open, {"unended": 1}),
    (skipped_although_run, {"accounted_twice": 1}),
    (skipped_and_not_run, {}),
    (at_most_once_repeated, {"doubled": 1}),
])
def test_what_is_planted_is_found_and_nothing_else(plant, found):
    evidence = clean()
    plant(evidence)
    assert checker.check(evidence).counts() == found


def test_the_grid_is_strictly_after_the_edit_and_includes_the_end():
    job = checker.Job("a", START + 250_000, SECOND, START + 250_000)
    assert list(job.due(START + 3_250_000)) == [START + 1_250_000, START + 2_250_000,
                                                START + 3_250_000]
    backwards = checker.Job("a", START + 3600 * SECOND, SECOND, START + 1)
    assert next(iter(backwards.due(START + 5 * SECOND))) == START + SECOND


@pytest.mark.parametrize("text,us", [
    ("1970-01-01T00:00:00Z", 0), ("1970-01-01T00:00:00.25Z", 250_000),
    ("1970-01-01T00:01:00.000001Z", 60_000_001)])
def test_instants(text, us):
    assert checker.instant_us(text) == us
    assert checker.instant_us(checker.instant_text(us)) == us


@pytest.mark.parametrize("share,value", [(0.5, 50), (0.99, 99), (1.0, 100), (0.001, 1)])
def test_percentiles(share, value):
    assert checker.percentile(range(1, 101), share) == value
