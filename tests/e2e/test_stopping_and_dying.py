"""SIGTERM drains, a second server is refused, and kill -9 loses nothing that was acknowledged."""

import random
import signal
import sqlite3
import stat
import time

import pytest

import kill_run
from client import Client
from processes import Server, wait_until
from shared_servers import AT_MOST_ONCE, judged_at_most_once
from test_runs import ended


def test_files_of_the_data_directory_are_private(fresh_server):
    for name in ("cronally.db", "lock", "master.key", "admin-token", "server.json"):
        mode = stat.S_IMODE((fresh_server.data / name).stat().st_mode)
        assert mode == 0o600, f"{name} has {mode:o}"


def test_sigterm_lets_a_request_in_flight_finish(fresh_server, receiver):
    api = Client(fresh_server)
    api.add("slow", receiver.url("/slow/1s"))
    run = api.run_now("slow")["id"]
    receiver.wait_for(1)
    begun = time.monotonic()
    assert fresh_server.stop() == 0
    assert time.monotonic() - begun < 10
    fresh_server.start()
    run = Client(fresh_server).run(run)
    assert run["verdict"] == "succeeded" and len(run["attempts"]) == 1
    assert len(receiver.records()) == 1


def test_a_drain_ends_after_its_time(tmp_path, receiver):
    server = Server(tmp_path, "--drain-timeout", "1s").start()
    api = Client(server)
    api.add("hangs", receiver.url("/hang"), delivery="at_most_once")
    api.run_now("hangs")
    receiver.wait_for(1)
    begun = time.monotonic()
    server.stop()
    assert 0.5 < time.monotonic() - begun < 6
    server.start()
    api = Client(server)
    (run,) = api.pages("/v2/runs", job="hangs")
    assert ended(api, run["id"])["verdict"] == "unknown"
    assert len(receiver.records()) == 1, "at most once was sent twice"
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_stops_at_once(fresh_server, number):
    begun = time.monotonic()
    fresh_server.signal(number)
    assert fresh_server.process.wait(10) == 0
    assert time.monotonic() - begun < 3


def test_a_second_server_on_the_same_data_exits_with_a_clear_text(fresh_server):
    second = Server(fresh_server.home)
    second.log_file = fresh_server.home / "second.log"
    second.spawn()
    wait_until(lambda: second.process.poll() is not None, 10, what="the second server's end")
    assert second.process.returncode == 5, "a conflict, in the words of the command line"
    text = second.log()
    assert str(fresh_server.data) in text and str(fresh_server.pid) in text, text
    assert fresh_server.status_of("/readyz") == 200


def test_what_was_acknowledged_survives_kill_9(fresh_server, receiver):
    for turn in range(5):
        api = Client(fresh_server)
        names = [f"kept {turn} {number}" for number in range(20)]
        for name in names:
            api.add(name, receiver.url())
        run = api.run_now(names[-1])["id"]
        fresh_server.kill()
        fresh_server.start()
        api = Client(fresh_server)
        assert {job["name"] for job in api.pages("/v2/jobs", name_prefix=f"kept {turn}")} \
            == set(names)
        assert ended(api, run)["verdict"] in ("succeeded",)
        assert api.expect(200, "GET", "/v2/jobs/kept%200%200").json["revision"] == 1
    with sqlite3.connect(fresh_server.data / "cronally.db") as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_restarts_cost_an_at_most_once_job_nothing(fresh_server, receiver):
    chance = random.Random(12)
    jobs = kill_run.add_jobs(Client(fresh_server), receiver, 100, **AT_MOST_ONCE)
    for _ in range(6):
        time.sleep(chance.uniform(0.2, 1.2))
        assert fresh_server.stop() == 0
        fresh_server.start()
    judged_at_most_once(Client(fresh_server, checks=False), jobs, receiver)


def test_an_outage_is_caught_up_by_policy(fresh_server, receiver):
    api = Client(fresh_server)
    every = {"schedule": "@every 1s"}
    api.add("all", receiver.url("/all"), **every,
            catch_up={"mode": "all", "window": "1h", "limit": 1000})
    api.add("latest", receiver.url("/latest"), **every)
    api.add("skip", receiver.url("/skip"), **every, catch_up={"mode": "skip"})
    for path in ("/all", "/latest", "/skip"):
        receiver.wait_for(1, path=path)
    fresh_server.kill()
    before = {path: len(receiver.records(path=path)) for path in ("/all", "/latest", "/skip")}
    time.sleep(6)
    fresh_server.start()
    time.sleep(2.5)
    fresh_server.kill()
    gained = {path: len(receiver.records(path=path)) - count for path, count in before.items()}
    assert gained["/all"] >= 7 and gained["/latest"] <= gained["/all"] - 3
    assert gained["/skip"] <= gained["/latest"]
    instants = sorted({record["scheduled_at"] for record in receiver.records(path="/all")})
    seconds = [int(text[17:19]) for text in instants]
    assert all((b - a) % 60 == 1 for a, b in zip(seconds, seconds[1:])), instants


def test_a_listening_port_that_is_taken_is_said_clearly(fresh_server, tmp_path):
    other = Server(tmp_path / "other", "--listen", fresh_server.address)
    other.spawn()
    assert other.process.wait(10) == 1
    assert fresh_server.address in other.log()


def test_a_lost_master_key_refuses_the_start(fresh_server):
    """P12: a data directory without its key must not get a new one."""
    fresh_server.stop()
    (fresh_server.data / "master.key").unlink()
    fresh_server.spawn()
    assert fresh_server.process.wait(10) == 1
    assert "master.key" in fresh_server.log() and not (fresh_server.data / "master.key").exists()


def test_server_json_names_a_running_server(fresh_server):
    done = fresh_server.run_command("job", "list")
    assert done.returncode == 0, done.stderr
    fresh_server.stop()
    assert fresh_server.run_command("job", "list").returncode == 6
