"""Pause, delete and change against the instant: nothing starts under the old definition after the
acknowledgement (P10), judged by the receiver's log.
"""

import random
import threading
import time

import pytest

from checker import instant_text, instant_us

TRIES = 12
STEP_S = 0.13


@pytest.mark.parametrize("act", ["pause", "delete", "change"])
def test_nothing_starts_after_the_acknowledgement(api, receiver, act):
    chance = random.Random(act)
    late = []
    start = time.time() + 1.6
    ahead = []  # each has an instant of its own, and the act lands within 30 ms around it
    for number in range(TRIES):
        path, at = f"/{act}/{number}", start + number * STEP_S
        job = api.add(f"race {act} {number}", receiver.url(path), "@every 1s",
                      anchor=instant_text(int(at * 1000) * 1000))
        ahead.append((path, at, job))
    for path, at, job in ahead:
        time.sleep(max(0.0, at + chance.uniform(-0.03, 0.03) - time.time()))
        if act == "pause":
            api.expect(200, "POST", f"/v2/jobs/{job['id']}/pause")
        elif act == "delete":
            api.remove(job["id"])
        else:
            api.change(job["id"], {"target": {"url": receiver.url(path + "/new")}})
        late.append((path, time.time() * 1e6, job["id"]))
    time.sleep(2.2)
    for path, acknowledged, job in late:
        started = [record for record in receiver.records(path=path)
                   if record["t_us"] > acknowledged + 20_000]
        assert not started, f"{path}: started {started} after {acknowledged}"
        if act == "change":
            assert receiver.records(path=path + "/new"), f"{path}: the new definition never fired"
            api.remove(job)


def test_a_change_owes_nothing_from_before(api, receiver):
    """P10: an edit of the schedule does not catch up instants of before the edit."""
    job = api.add("no past", receiver.url("/past"), "@every 1h")
    changed = api.change(job["id"], {"schedule": "@every 1s"})
    records = receiver.wait_for(2, path="/past")
    assert all(instant_us(record["scheduled_at"]) > instant_us(changed["updated_at"])
               for record in records)
    api.remove("no past")


def test_a_resume_owes_nothing_of_the_pause(api, receiver):
    job = api.add("paused", receiver.url("/paused"), "@every 1s",
                  catch_up={"mode": "all", "window": "1h", "limit": 1000})
    receiver.wait_for(1, path="/paused")
    paused = api.expect(200, "POST", f"/v2/jobs/{job['id']}/pause").json
    time.sleep(3)
    resumed = api.expect(200, "POST", f"/v2/jobs/{job['id']}/resume").json
    time.sleep(2.5)
    api.remove("paused")
    between = [record for record in receiver.records(path="/paused")
               if instant_us(paused["updated_at"]) < instant_us(record["scheduled_at"])
               <= instant_us(resumed["updated_at"])]
    assert between == []


def test_pause_holds_retries_and_resume_lets_them_go(api, receiver):
    retry = {"attempts": 3, "backoff_min": "300ms", "backoff_max": "300ms"}
    job = api.add("held", receiver.url("/fail-first/1/held"), retry=retry)
    run = api.run_now("held")["id"]
    receiver.wait_for(1, run=run)
    api.expect(200, "POST", f"/v2/jobs/{job['id']}/pause")
    time.sleep(1.2)
    assert len(receiver.records(run=run)) <= 2
    api.expect(200, "POST", f"/v2/jobs/{job['id']}/resume")
    receiver.wait_for(2, run=run)


def test_delete_ends_pending_retries(api, receiver):
    retry = {"attempts": 5, "backoff_min": "500ms", "backoff_max": "500ms"}
    api.add("ended", receiver.url("/status/500"), retry=retry)
    run = api.run_now("ended")["id"]
    receiver.wait_for(1, run=run)
    api.remove("ended")
    sent = len(receiver.records(run=run))
    time.sleep(1.5)
    assert len(receiver.records(run=run)) == sent
    assert api.run(run)["verdict"] == "cancelled" and api.run(run)["reason"] == "deleted"


def test_parallel_creates_of_one_name_make_one_job(api):
    statuses = []

    def create():
        client = api.copy()
        body = {"name": "wanted by many", "schedule": "@never",
                "target": {"type": "http", "url": "http://127.0.0.1:9/"}}
        statuses.append(client.send("POST", "/v2/jobs", body).status)
        client.close()

    threads = [threading.Thread(target=create) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [201] + [409] * 7


def test_a_new_job_owes_nothing_from_before(api, receiver):
    job = api.add("young", receiver.url("/young"), "@every 1s", anchor="2020-01-01T00:00:00Z")
    records = receiver.wait_for(2, path="/young")
    assert all(instant_us(record["scheduled_at"]) > instant_us(job["created_at"])
               for record in records)
    api.remove("young")
