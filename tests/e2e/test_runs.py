"""API v2: runs, changes, account, tokens, backup, health and metrics."""

import re
import sqlite3
import threading
import time
import urllib.parse

from client import Client, segment
from processes import wait_until


def ended(api, run_id, timeout=10):
    """The run once it has its verdict."""
    def verdict():
        run = api.run(run_id)
        return run if run["state"] == "ended" else None
    return wait_until(verdict, timeout, what=f"the end of run {run_id}")


def test_run_now_is_a_run_with_one_attempt(api, recorder, name):
    job = api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    assert run["kind"] == "manual" and run["verdict"] == "succeeded"
    assert run["job_id"] == job["id"] and run["job_name"] == name and run["job_revision"] == 1
    assert run["due"].endswith("Z") and run["fence"] > 0
    (attempt,) = run["attempts"]
    assert attempt["number"] == 1 and attempt["status"] == 200 and attempt["response"] == "ok"
    assert attempt["revision"] == 1 and attempt["node"] and attempt["fence"] == run["fence"]
    assert attempt["first_byte_at"] <= attempt["ended_at"]


def test_run_now_with_one_key_is_one_run(api, recorder, name):
    api.add(name, recorder.url())
    first = api.run_now(name, key="deploy-17")
    second = api.run_now(name, key="deploy-17")
    assert first["id"] == second["id"] and "deploy-17" in first["key"]
    assert api.run_now(name)["id"] != first["id"]
    ended(api, first["id"])
    recorder.wait_for(2)
    assert len(recorder.seen()) == 2


def test_run_now_of_a_paused_job_still_runs(api, recorder, name):
    api.add(name, recorder.url(), "@hourly", paused=True)
    assert ended(api, api.run_now(name)["id"])["verdict"] == "succeeded"


def test_runs_list_newest_first_and_filter(api, recorder, name):
    api.add(name, recorder.url(), labels={"for": "runs"})
    runs = [api.run_now(name)["id"] for _ in range(5)]
    for run in runs:
        ended(api, run)
    listed = [run["id"] for run in api.pages("/v2/runs", limit=2, job=name)]
    assert listed == sorted(runs, reverse=True)
    assert len(api.pages("/v2/runs", job=name, verdict="succeeded")) == 5
    assert api.pages("/v2/runs", job=name, verdict="failed") == []
    assert len(api.pages("/v2/runs", label="for=runs", state="ended")) == 5
    third = api.run(sorted(runs)[2])
    assert len(api.pages("/v2/runs", job=name, since=third["due"])) == 3
    assert len(api.pages("/v2/runs", job=name, until=third["due"])) == 2


def test_an_unknown_run_is_404(api):
    api.refused(404, "GET", "/v2/runs/0190a5d4-7b9c-7c3e-8f00-0123456789ab")


def test_an_every_job_fires_on_time_and_its_ledger_says_so(api, recorder, name):
    api.add(name, recorder.url(), "@every 1s")
    recorder.wait_for(3)
    api.remove(name)

    def settled():
        runs = api.pages("/v2/runs", name_prefix=name)
        return all(run["state"] == "ended" for run in runs) and runs

    runs = wait_until(settled, what="the end of its runs")  # the last request may be under way
    done = [run for run in runs if run["verdict"] == "succeeded"]
    assert len(done) >= 3
    assert all(run["kind"] == "scheduled" and 0 <= run["lateness_ms"] < 1000 for run in done)


def test_changes_wait_and_then_show_a_run_as_it_is(api, recorder, name):
    api.add(name, recorder.url())
    start = api.expect(200, "GET", "/v2/runs/changes").json
    assert start["items"] == [] and start["next_cursor"]
    other = api.copy()
    wanted = {}

    def trigger():
        time.sleep(0.3)
        wanted["id"] = other.run_now(name)["id"]

    thread = threading.Thread(target=trigger)
    thread.start()
    cursor, seen, end = start["next_cursor"], [], time.monotonic() + 10
    while time.monotonic() < end and not any(run["state"] == "ended" for run in seen):
        query = urllib.parse.urlencode({"after": cursor, "wait": "5s", "job": name})
        page = api.expect(200, "GET", "/v2/runs/changes?" + query).json
        cursor = page["next_cursor"]
        seen += page["items"]
    thread.join()
    other.close()
    assert seen and {run["id"] for run in seen} == {wanted["id"]}
    assert seen[-1]["verdict"] == "succeeded"


def test_a_change_wait_ends_empty_after_its_time(api):
    cursor = api.expect(200, "GET", "/v2/runs/changes").json["next_cursor"]
    query = urllib.parse.urlencode({"after": cursor, "wait": "500ms", "name_prefix": "nobody"})
    begun = time.monotonic()
    page = api.expect(200, "GET", "/v2/runs/changes?" + query).json
    assert page["items"] == [] and 0.3 < time.monotonic() - begun < 3


def test_the_account_shows_stars_and_a_new_secret_once(api):
    account = api.expect(200, "GET", "/v2/account").json
    assert account["signing_secret"] == "***"
    shown = api.expect(200, "PATCH", "/v2/account", {"signing_secret": "generate"}).json
    assert re.fullmatch(r"whsec_[A-Za-z0-9+/]+=*", shown["signing_secret"])
    assert api.expect(200, "GET", "/v2/account").json["signing_secret"] == "***"
    api.refused(422, "PATCH", "/v2/account", {"signing_secret": "hunter2"})


def test_the_failure_webhook_hides_its_secret_headers(api):
    webhook = {"url": "http://127.0.0.1:9/hook", "secret_headers": {"x-key": "hidden"}}
    account = api.expect(200, "PATCH", "/v2/account", {"failure_webhook": webhook}).json
    assert account["failure_webhook"]["secret_headers"] == {"x-key": "***"}
    account = api.expect(200, "PATCH", "/v2/account", {"failure_webhook": None}).json
    assert account["failure_webhook"] is None


def test_a_token_works_until_it_is_revoked(api, server):
    made = api.expect(201, "POST", "/v2/tokens", {"name": "deploys"}).json
    listed = api.expect(200, "GET", "/v2/tokens").json["items"]
    assert "deploys" in [token["name"] for token in listed]
    assert made["token"] not in str(listed)
    other = Client(server, made["token"], api.document)
    other.expect(200, "GET", "/v2/jobs")
    assert other.send("POST", "/v2/backup").status == 403, "backup is for admin tokens only"
    api.expect((200, 204), "DELETE", f"/v2/tokens/{made['id']}")
    other.refused(401, "GET", "/v2/jobs")
    other.close()


def test_the_last_admin_token_stays(api):
    tokens = api.expect(200, "GET", "/v2/tokens").json["items"]
    (admin,) = [token for token in tokens if token["admin"]]
    api.refused((409, 422), "DELETE", f"/v2/tokens/{admin['id']}")


def test_a_backup_is_a_whole_database(api, tmp_path):
    api.add("in the backup", "http://127.0.0.1:9/")
    answer = api.expect(200, "POST", "/v2/backup")
    copy = tmp_path / "copy.db"
    copy.write_bytes(answer.body)
    with sqlite3.connect(copy) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master")]
    assert "job_revision" in tables


def test_health_needs_no_token(api, server):
    bare = Client(server, "", api.document)
    assert bare.expect(200, "GET", "/livez").status == 200
    assert bare.expect(200, "GET", "/readyz").status == 200
    bare.close()


def test_metrics_count_runs_and_lateness(api, recorder, name):
    api.add(name, recorder.url())
    ended(api, api.run_now(name)["id"])
    text = api.send("GET", "/metrics", check=False).body.decode()
    assert re.search(r"^# TYPE cronally_\w*lateness\w* histogram$", text, re.M)
    assert re.search(r'^cronally_\w*runs\w*\{[^}]*verdict="succeeded"[^}]*\} [1-9]', text, re.M)
    assert re.search(r"^# TYPE cronally_\w*commit\w* histogram$", text, re.M)
    for line in text.splitlines():
        assert line.startswith("#") or re.fullmatch(r'[a-z_]+(\{[^}]*\})? [-+0-9.eEinfNa]+', line)


def test_deleting_a_job_keeps_its_runs(api, recorder, name):
    job = api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    api.remove(name)
    assert api.run(run["id"])["job_id"] == job["id"]
    api.refused(404, "POST", f"/v2/jobs/{segment(name)}/run")
