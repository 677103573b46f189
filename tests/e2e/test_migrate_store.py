"""`cronally migrate-store`: a SQLite installation goes to PostgreSQL, nothing lost, nothing twice."""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
import uuid

import pytest

import checker
import kill_run
from client import Client
from postgres import USER, Postgres, need_postgresql
from processes import Server, clean_environment, cronally_program, wait_until

PASSWORD = "geheim-4711"
DAY_US = 86_400_000_000


@pytest.fixture(scope="module")
def cluster():
    need_postgresql()
    made = Postgres("full_page_writes=off")
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def target(cluster):
    """The address of a new, empty database."""
    return cluster.address(cluster.create_database(), f"{USER}:{PASSWORD}")


def name_of(address):
    return address.rsplit("/", 1)[1]


def move(server, address, *arguments, **more):
    return server.run_command("migrate-store", "--database", address, *arguments, **more)


def file_of(server):
    return server.data / "cronally.db"


def rows(file, query):
    """What a query finds in a database that no server has open."""
    connection = sqlite3.connect(file)
    found = connection.execute(query).fetchall()
    connection.close()
    return found


def on_postgres(home, address):
    """The server of the same data directory, on the database that it was moved to."""
    return Server(home, "--database", address, "--log-level", "warning")


def spans_in(cluster, database):
    return [(job, int(after), int(until)) for job, after, until in cluster.sql(
        "SELECT j.id, s.after, s.until FROM cronally.skipped_span s "
        "JOIN cronally.job j USING (job_no)", database)]


def is_empty(cluster, database):
    """Whether there is none of Cronally's data; else all of it must be there (see the caller)."""
    if cluster.value("SELECT to_regclass('cronally.run') IS NULL", database) == "t":
        return True
    counts = cluster.sql("SELECT (SELECT count(*) FROM cronally.account),"
                         "(SELECT count(*) FROM cronally.job),"
                         "(SELECT count(*) FROM cronally.run)", database)[0]
    return counts == ["0", "0", "0"]


# ---- a server under load goes over ------------------------------------------------------------------

@pytest.mark.parametrize("ending", ["stopped", "killed"])
def test_every_occurrence_is_delivered_and_none_twice(ending, cluster, target, tmp_path, receiver):
    server = Server(tmp_path, "--log-level", "warning").start()
    api = Client(server, checks=False)
    jobs = kill_run.add_jobs(api, receiver, path="/load")
    api.add("slow to succeed", "http://127.0.0.1:9/", "@never",
            retry={"attempts": 100, "backoff_min": "5m", "backoff_max": "10m", "age_max": "1d"})
    opened = api.run_now("slow to succeed", key="deploy:1")
    wait_until(lambda: api.run(opened["id"])["attempts"], what="the first attempt of a failing run")
    receiver.wait_for(3 * len(jobs), path="/load", timeout=20)
    deaths = []
    if ending == "killed":
        server.kill()
        deaths.append(kill_run.now_us())
    else:
        assert server.stop() == 0
    api.close()
    sent = len(receiver.records(path="/load"))

    done = move(server, target, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["jobs"] == len(jobs) + 1 and report["runs"] > 2 * len(jobs)
    assert PASSWORD not in done.stdout + done.stderr

    moved = on_postgres(tmp_path, target)
    try:
        moved.start()
        api = Client(moved, checks=False)
        assert api.run(opened["id"])["state"] == "begun", "its retry is still to come"
        assert api.run_now("slow to succeed", key="deploy:1")["id"] == opened["id"]
        receiver.wait_for(sent + 5 * len(jobs), path="/load", timeout=30)
        until = kill_run.now_us()
        wait_until(lambda: kill_run.settled(Until(api, opened), until), 60, step=0.2,
                   what="the end of all runs")
        runs = api.pages("/v2/runs")
        requests = receiver.records()
        api.close()
        assert moved.stop() == 0, moved.log()[-3000:]
    finally:
        if moved.process and moved.process.poll() is None:
            moved.kill()
    findings = kill_run.judge(checker.Evidence(
        jobs, until, requests, runs, spans_in(cluster, name_of(target)), deaths))
    assert not findings.counts(), str(findings)
    by_occurrence = {(request["job"], request["scheduled_at"]): set() for request in requests}
    for request in requests:
        by_occurrence[request["job"], request["scheduled_at"]].add(request["run"])
    assert all(len(ids) == 1 for ids in by_occurrence.values())


class Until:
    """A client whose lists leave out one run, which stays open on purpose."""

    def __init__(self, api, left_out):
        self.api = api
        self.left_out = left_out["id"]

    def pages(self, path, limit, **filters):
        return [run for run in self.api.pages(path, limit=1000, **filters)
                if run["id"] != self.left_out]


# ---- afterwards ---------------------------------------------------------------------------------

@pytest.fixture
def moved(target, tmp_path, receiver):
    """A server that has run a job, stopped, and was moved: the server on SQLite."""
    server = Server(tmp_path).start()
    api = Client(server)
    api.add("ticking", receiver.url("/tick"), "@every 1s",
            catch_up={"mode": "all", "window": "1h", "limit": 1000})
    receiver.wait_for(2, path="/tick")
    api.close()
    assert server.stop() == 0
    done = move(server, target)
    assert done.returncode == 0, done.stderr
    assert "moved 1 jobs" in done.stdout
    return server


def test_sqlite_refuses_to_be_served_and_says_where_the_data_went(moved, cluster, target):
    moved.spawn()
    assert moved.process.wait(20) == 1
    said = moved.log()
    assert f"was moved to postgres://cronally@127.0.0.1:{cluster.port}/{name_of(target)}" in said
    assert "serve --database" in said and "The way back" in said
    assert PASSWORD not in said


def test_moving_once_more_finds_that_it_is_done(moved, cluster, target):
    again = move(moved, target)
    assert again.returncode == 0, again.stderr
    assert "before: nothing was left to do" in again.stdout
    elsewhere = move(moved, cluster.address(cluster.create_database()))
    assert elsewhere.returncode == 5
    assert "was moved to" in elsewhere.stderr


def test_the_way_back_is_a_restore_of_the_file_itself(moved, tmp_path, receiver):
    before = receiver.records(path="/tick")
    copy = tmp_path / "before-the-move.db"
    shutil.copy2(file_of(moved), copy)
    done = moved.run_command("restore", str(copy))
    assert done.returncode == 0, done.stderr
    assert "was moved to postgres://" in done.stderr and "both run the jobs" in done.stderr
    moved.start()
    after = receiver.wait_for(len(before) + 2, path="/tick")[len(before):]
    assert min(one["fence"] for one in after) > max(one["fence"] for one in before)
    assert not ({one["scheduled_at"] for one in before} & {one["scheduled_at"] for one in after})
    assert moved.stop() == 0


# ---- what is refused changes nothing ------------------------------------------------------------

@pytest.fixture
def stopped(tmp_path):
    server = Server(tmp_path).start()
    api = Client(server)
    api.add("never", "http://127.0.0.1:9/")
    api.close()
    assert server.stop() == 0
    return server


def refused(server, address, status, says, **more):
    before = file_of(server).read_bytes() if file_of(server).exists() else None
    done = move(server, address, **more)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert says in done.stderr, done.stderr
    assert PASSWORD not in done.stderr
    if before is not None:
        assert file_of(server).read_bytes() == before


def test_a_running_server_is_left_alone(fresh_server, target):
    done = move(fresh_server, target)
    assert done.returncode == 5
    assert f"process {fresh_server.pid}" in done.stderr and "stop it" in done.stderr
    assert fresh_server.status_of("/readyz") == 200


def test_a_database_that_holds_something_is_refused(stopped, cluster, target, tmp_path):
    other = Server(tmp_path / "other").start()
    assert other.stop() == 0
    assert move(other, target).returncode == 0
    refused(stopped, target, 5, "DROP SCHEMA cronally")
    stopped.start()
    assert stopped.stop() == 0


def test_what_cannot_be_reached_is_refused(stopped):
    refused(stopped, f"postgres://cronally:{PASSWORD}@127.0.0.1:1/nowhere", 1, "cannot be opened")


def test_without_a_database_there_is_nothing_to_move(tmp_path, target):
    server = Server(tmp_path)
    refused(server, target, 3, "there is no database")
    assert not file_of(server).exists()


def test_without_its_key_nothing_is_moved(stopped, cluster, target):
    (stopped.data / "master.key").unlink()
    refused(stopped, target, 1, "master.key")
    (stopped.data / "master.key").write_bytes(random.randbytes(32))
    (stopped.data / "master.key").chmod(0o600)
    refused(stopped, target, 1, "master.key")
    assert is_empty(cluster, name_of(target))


# ---- killed in the middle -----------------------------------------------------------------------

RUNS = 40_000


def fill_ledger(file, runs=RUNS):
    """Ended runs over three days, each with an attempt, besides what is there."""
    connection = sqlite3.connect(file)
    job, shard = connection.execute("SELECT job_no, shard FROM job").fetchone()
    fence = connection.execute("SELECT max(fence) FROM lease").fetchone()[0]
    first, = connection.execute("SELECT run_last + 1 FROM meta").fetchone()
    now = time.time_ns() // 1000
    dues = [now - 3 * DAY_US + number * (3 * DAY_US // runs) for number in range(runs)]
    connection.executemany(
        "INSERT INTO run (run_no, id, job_no, shard, revision, kind, key, scheduled_at, due, state,"
        " verdict, reason, fence, attempt, send_at, failures, unknowns, first_attempt_at, ended_at)"
        " VALUES (?, ?, ?, ?, 1, 0, '', ?, ?, 3, 0, 0, ?, 1, ?, 0, 0, ?, ?)",
        ((first + number, run_id(due), job, shard, due, due, fence, due, due, due)
         for number, due in enumerate(dues)))
    connection.executemany(
        "INSERT INTO attempt (run_no, number, revision, fence, fate, status, first_byte_at,"
        " ended_at, error, response) VALUES (?, 1, 1, ?, 0, 200, ?, ?, '', x'6f6b')",
        ((first + number, fence, due, due) for number, due in enumerate(dues)))
    connection.execute("UPDATE meta SET run_last = run_last + ?, runs = runs + ?", (runs, runs))
    connection.commit()
    connection.close()


def run_id(due):
    value = (due // 1000 << 80) | 0x7 << 76 | random.getrandbits(12) << 64 | 0b10 << 62
    return uuid.UUID(int=value | random.getrandbits(62)).bytes


def test_a_death_at_any_moment_leaves_nothing_or_the_whole(stopped, cluster, target):
    fill_ledger(file_of(stopped))
    database = name_of(target)
    kept = rows(file_of(stopped), "SELECT count(*) FROM run")[0][0]
    moments = random.Random(20261127)
    kills = 0
    whole = False
    longest = 0.2
    while not whole and kills < 200:
        process = subprocess.Popen(
            [cronally_program(), "migrate-store", "--database", target], stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL, cwd=stopped.home,
            env=clean_environment(CRONALLY_DATA_DIR=str(stopped.data)))
        try:
            process.wait(moments.uniform(0, longest))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
        said = process.communicate()[1].decode()
        if process.returncode not in (0, -signal.SIGKILL):
            assert "under way" in said, said  # the server has not noticed the last death yet
            continue
        whole = process.returncode == 0
        longest = min(longest * 1.2, 20)
        assert rows(file_of(stopped), "PRAGMA integrity_check") == [("ok",)]
        marked = rows(file_of(stopped), "SELECT ended FROM moved")
        if is_empty(cluster, database):
            assert not whole and marked in ([], [(0,)])
        else:
            assert marked, "what is committed is marked before"
            assert cluster.value("SELECT count(*) FROM cronally.run", database) == str(kept)
            assert cluster.value("SELECT count(*) FROM cronally.attempt", database) == str(RUNS)
    assert whole and kills >= 5, kills
    assert rows(file_of(stopped), "SELECT ended FROM moved") == [(1,)]
    assert cluster.value("SELECT count(DISTINCT tableoid) FROM cronally.run", database) in "34"


def test_a_file_whose_move_did_not_end_is_not_served_but_moved_again(stopped, target):
    """As a kill between the two commits leaves it."""
    connection = sqlite3.connect(file_of(stopped))
    shown = target.replace(":" + PASSWORD, "")
    connection.execute("INSERT INTO moved VALUES (1, ?, ?, ?, 0)",
                       (os.urandom(16), shown, time.time_ns() // 1000))
    connection.commit()
    connection.close()
    stopped.spawn()
    assert stopped.process.wait(20) == 1
    assert "run `cronally migrate-store` to that database again" in stopped.log()
    done = move(stopped, target)
    assert done.returncode == 0, done.stderr
    assert "moved 1 jobs" in done.stdout
