"""`cronally restore`: nothing fires twice, nothing of the gap is silent, and no half database."""

import datetime
import random
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest

from client import Client
from processes import Server, cronally_program, clean_environment, wait_until

CATCH_UP_ALL = {"mode": "all", "window": "1h", "limit": 1000}


def rows(database, query, *values):
    """What a query finds in a database that no server has open."""
    connection = sqlite3.connect(database)
    found = connection.execute(query, values).fetchall()
    connection.close()
    return found


def restore(server, *arguments, **more):
    return server.run_command("restore", *map(str, arguments), **more)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def microseconds(text):
    return int(instant(text).timestamp() * 1_000_000)


@pytest.fixture
def backed_up(fresh_server, receiver, tmp_path):
    """A server that fired on after its backup, and then died: with its client and the backup."""
    api = Client(fresh_server)
    api.add("ticking", receiver.url("/tick"), "@every 1s", catch_up=CATCH_UP_ALL)
    api.add("never", receiver.url("/never"))
    api.add("failing", receiver.url("/failing"), "@never",
            target={"url": "http://127.0.0.1:9/"},
            retry={"attempts": 100, "backoff_min": "5m", "backoff_max": "10m", "age_max": "1d"})
    open_run = api.run_now("failing")
    receiver.wait_for(2, path="/tick")
    wait_until(lambda: api.run(open_run["id"])["attempts"], what="the failing run's first attempt")
    copy = tmp_path / "backup.db"
    done = fresh_server.run_command("backup", str(copy))
    assert done.returncode == 0, done.stderr
    api.add("made after the backup", receiver.url("/late"))
    receiver.wait_for(len(receiver.records(path="/tick")) + 3, path="/tick")
    fresh_server.kill()
    api.close()
    return fresh_server, copy, open_run["id"]


def fences(records):
    return [record["fence"] for record in records]


def scheduled(records):
    return [record["scheduled_at"] for record in records]


def test_what_lies_between_is_skipped_and_nothing_fires_twice(backed_up, receiver):
    server, copy, open_run = backed_up
    before = receiver.records(path="/tick")
    done = restore(server, copy)
    assert done.returncode == 0, done.stderr
    assert "as skipped (restored)" in done.stdout and "as unknown (restored)" in done.stdout

    settled = rows(server.data / "cronally.db",
                   "SELECT after, until FROM skipped_span JOIN job USING (job_no) "
                   "WHERE name = 'ticking'")
    assert len(settled) == 1
    covered_from, covered_until = settled[0]
    server.start()
    api = Client(server)
    assert {job["name"] for job in api.pages("/v2/jobs")} == {"ticking", "never", "failing"}
    ended = api.run(open_run)
    assert (ended["state"], ended["verdict"], ended["reason"]) == ("ended", "unknown", "restored")
    after = receiver.wait_for(len(before) + 3, path="/tick")[len(before):]
    assert min(fences(after)) > max(fences(before))
    assert not set(scheduled(before)) & set(scheduled(after)), "an occurrence fired twice"

    # P9: each second from the first run on is a run or lies in the span.
    runs = [run for run in api.pages("/v2/runs", job="ticking")]
    known = {microseconds(run["scheduled_at"]) for run in runs}
    grid = range(min(known), microseconds(scheduled(after)[-1]) + 1, 1_000_000)
    for due in grid:
        in_span = covered_from < due <= covered_until
        assert (due in known) != in_span, f"{due}: a run and a span, or neither"
    api.close()


def test_with_catch_up_the_next_start_goes_on_from_the_backup(backed_up, receiver):
    server, copy, open_run = backed_up
    before = receiver.records(path="/tick")
    done = restore(server, copy, "--catch-up", "--json")
    assert done.returncode == 0, done.stderr
    assert '"catch_up": true' in done.stdout
    server.start()
    api = Client(server)
    assert api.run(open_run)["state"] != "ended", "it goes on"
    after = receiver.wait_for(len(before) + 5, path="/tick")[len(before):]
    assert min(fences(after)) > max(fences(before))
    again = set(scheduled(before)) & set(scheduled(after))
    assert len(again) >= 3, "what ran since the backup is caught up on"
    assert not rows(copy, "SELECT 1 FROM skipped_span")
    api.close()


def test_the_replaced_database_is_kept_whole(backed_up):
    server, copy, _ = backed_up
    done = restore(server, copy, "--json")
    assert done.returncode == 0, done.stderr
    kept = list(server.data.glob("cronally.db.replaced-*"))
    assert len(kept) == 1 and str(kept[0]) in done.stdout
    names = {name for (name,) in rows(kept[0], "SELECT name FROM job")}
    assert "made after the backup" in names
    assert kept[0].stat().st_mode & 0o777 == 0o600
    assert not list(server.data.glob("*.restoring*"))


def test_each_restore_raises_the_generation(backed_up):
    server, copy, _ = backed_up
    seen = rows(copy, "SELECT generation FROM meta")[0]
    for _ in range(3):
        assert restore(server, copy).returncode == 0
        now = rows(server.data / "cronally.db", "SELECT generation FROM meta")[0]
        assert now > seen
        seen = now
    (server.data / "cronally.db").write_bytes(b"not a database" * 1000)
    done = restore(server, copy)
    assert done.returncode == 0, done.stderr
    assert rows(server.data / "cronally.db", "SELECT generation FROM meta")[0] > seen
    server.start()


def test_a_running_server_is_left_alone(fresh_server, tmp_path):
    copy = tmp_path / "backup.db"
    assert fresh_server.run_command("backup", str(copy)).returncode == 0
    done = restore(fresh_server, copy)
    assert done.returncode == 5
    assert f"process {fresh_server.pid}" in done.stderr and "stop it" in done.stderr
    assert fresh_server.status_of("/readyz") == 200


def damage(path):
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xff" * (len(content) - 8192)
    path.write_bytes(content)


REFUSED = {
    "no file": (lambda copy, data: copy.unlink(), 3, "there is no file"),
    "damaged": (lambda copy, data: damage(copy), 1, "is damaged"),
    "cut short": (lambda copy, data: copy.write_bytes(copy.read_bytes()[:4096]), 1, "is damaged"),
    "something else": (lambda copy, data: copy.write_text("SELECT 1;" * 999), 1, "no database"),
    "in use": (lambda copy, data: copy.with_name(copy.name + "-wal").write_text("x"), 1,
               "`cronally backup`"),
    "key missing": (lambda copy, data: (data / "master.key").unlink(), 1, "master.key"),
    "another key": (lambda copy, data: (data / "master.key").write_bytes(random.randbytes(32)), 1,
                    "does not open the secrets"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_restore_that_is_refused_changes_nothing(case, tmp_path):
    spoil, status, says = REFUSED[case]
    server = Server(tmp_path).start()
    copy = tmp_path / "backup.db"
    assert server.run_command("backup", str(copy)).returncode == 0
    assert server.stop() == 0
    before = (server.data / "cronally.db").read_bytes()
    spoil(copy, server.data)
    done = restore(server, copy)
    assert done.returncode == status, done.stderr
    assert says in done.stderr
    assert (server.data / "cronally.db").read_bytes() == before
    assert not list(server.data.glob("*.restoring*")) + list(server.data.glob("*.replaced-*"))


def test_a_backup_starts_a_new_machine(backed_up, tmp_path):
    old, copy, _ = backed_up
    new = Server(tmp_path / "new")
    shutil.copy2(old.data / "master.key", new.data / "master.key")
    done = restore(new, copy)
    assert done.returncode == 0, done.stderr
    assert "use a token of that time" in done.stderr
    new.start()
    shutil.copy2(old.data / "admin-token", new.data / "admin-token")
    api = Client(new)
    assert {job["name"] for job in api.pages("/v2/jobs")} == {"ticking", "never", "failing"}
    api.close()
    assert new.stop() == 0


def test_a_restore_killed_at_any_moment_leaves_the_old_or_the_new(tmp_path):
    server = Server(tmp_path).start()
    api = Client(server)
    for batch in range(4):
        items = [{"name": f"job {batch} {i}", "schedule": "@every 1s",
                  "target": {"type": "http", "url": "http://127.0.0.1:9/"}, "paused": i > 9}
                 for i in range(1000)]
        api.expect((200, 201), "POST", "/v2/jobs/bulk", {"items": items})
    copy = tmp_path / "backup.db"
    assert server.run_command("backup", str(copy)).returncode == 0
    api.add("after the backup", "http://127.0.0.1:9/")
    server.kill()  # with a log that is not folded in
    api.close()
    time.sleep(1.1)  # now each job has missed an occurrence, so a restore notes a span for each

    began = time.monotonic()
    trial = Server(tmp_path / "trial")
    copied = [path for path in server.data.iterdir() if path.name not in ("lock", "ballast")]
    for path in copied:
        shutil.copy2(path, trial.data)
    assert restore(trial, copy).returncode == 0
    length = time.monotonic() - began

    outcomes = {"old": 0, "new": 0}
    for round_number in range(75):  # the machine may have become slower than it was for the trial
        if round_number >= 25 and outcomes["new"]:
            break
        shutil.rmtree(trial.data)
        trial = Server(tmp_path / "trial")
        for path in copied:
            shutil.copy2(path, trial.data)
        process = subprocess.Popen(
            [cronally_program(), "--data-dir", str(trial.data), "restore", str(copy)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=clean_environment())
        time.sleep(length * 1.1 * round_number / 25)
        process.send_signal(signal.SIGKILL)
        process.wait()
        connection = sqlite3.connect(trial.data / "cronally.db")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = connection.execute("SELECT count(*) FROM job").fetchone()
        (spans,) = connection.execute("SELECT count(*) FROM skipped_span").fetchone()
        connection.close()
        assert (count, spans) in {(4001, 0), (4000, 40)}, "half of it was done"
        outcomes["new" if count == 4000 else "old"] += 1
        if round_number % 8 == 0:
            assert restore(trial, copy).returncode == 0, "what was left over is no obstacle"
    assert outcomes["old"] and outcomes["new"], outcomes
