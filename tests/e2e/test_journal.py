"""A database that forgets acknowledged claims: with the journal nothing is sent twice because of it.

What the receiver saw is the judge: of one scheduled instant there is one run, and no run has an
attempt number twice. The same trial without the journal shows that the trial can fail.
"""

import contextlib
import http.client
import json
import time

import pytest

from client import Client
from faults import Impossible, fill, small_disk
from forgetful import Forgetful
from processes import Server, wait_until

FORGOTTEN = 6  # deliveries that the database has to forget


@pytest.fixture
def database():
    try:
        database = Forgetful()
    except Impossible as impossible:
        pytest.skip(str(impossible))
    yield database
    database.remove()


def start(home, database, *arguments):
    return Server(home, "--database", database.url, "--log-format", "json", *arguments).start()


def declare(server, recorder, name="tick", **more):
    with_all = Client(server)
    job = with_all.expect(201, "POST", "/v2/jobs", {
        "name": name, "schedule": "@every 1s", "catch_up": {"mode": "all"},
        "target": {"type": "http", "url": recorder.url(f"/{name}")}, **more}).json
    with_all.close()
    return job


def seen(recorder, path="/tick"):
    with recorder.lock:
        return [request for request in recorder.requests if request.path == path]


def wait_for_more(recorder, count, timeout=60, paths=("/tick",)):
    """Until so many more deliveries have come on each path."""
    before = {path: len(seen(recorder, path)) for path in paths}
    wait_until(lambda: all(len(seen(recorder, path)) >= before[path] + count for path in paths),
               timeout, what=f"{count} more deliveries on each of {len(before)} paths")


def doubled(requests):
    """Scheduled instants with more than one run, and attempts that came twice."""
    runs, attempts, again = {}, set(), []
    for request in requests:
        runs.setdefault(request.headers["cronally-scheduled-at"], set()).add(request.run)
        if (request.run, request.attempt) in attempts:
            again.append((request.run, request.attempt))
        attempts.add((request.run, request.attempt))
    return {at: ids for at, ids in runs.items() if len(ids) > 1}, again


def lines(server, message):
    found = []
    for line in server.log().splitlines():
        if line.startswith("{") and message in line:
            found.append(json.loads(line))
    return found


def page(server, path):
    connection = http.client.HTTPConnection(server.address, timeout=5)
    connection.request("GET", path)
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def metric(server, name):
    return next((float(line.rsplit(" ", 1)[1]) for line in page(server, "/metrics").splitlines()
                 if line.startswith((name + " ", name + "{"))), 0.0)


def compared(server):
    """The last line that says what was put back."""
    return lines(server, "the database was compared with the journal")[-1]


@pytest.mark.parametrize("promoted", [True, False], ids=["promoted", "same-timeline"])
def test_what_the_database_forgot_is_not_sent_again(tmp_path, database, recorder, promoted):
    server = start(tmp_path, database)
    try:
        declare(server, recorder)
        wait_for_more(recorder, 3)
        database.save()
        wait_for_more(recorder, FORGOTTEN)
        forgotten = {request.run for request in seen(recorder)[-FORGOTTEN:]}
        database.put_back(promoted)
        wait_until(lambda: lines(server, "the database was compared with the journal"), 60,
                   what=lambda: "the word of what was put back\n" + server.log()[-3000:])
        wait_for_more(recorder, 5)
        requests = seen(recorder)
        assert doubled(requests) == ({}, [])
        told = compared(server)
        assert told["forgotten"] >= FORGOTTEN and told["put_back"] == told["forgotten"], told
        # What was answered is not even repeated.
        assert not [request for request in requests
                    if request.run in forgotten and request.attempt > 1]
        # The ledger has them again, with their verdicts.
        client = Client(server)
        for run in forgotten:
            assert client.expect(200, "GET", f"/v2/runs/{run}").json["verdict"] == "succeeded"
        client.close()
        assert metric(server, "cronally_database_forgot_total") == 1
        wait_until(lambda: server.status_of("/readyz") == 200, 30,
                   what=lambda: page(server, "/readyz?verbose"))
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()


def test_without_the_journal_it_is(tmp_path, database, recorder):
    server = start(tmp_path, database, "--journal", "off")
    try:
        declare(server, recorder)
        wait_for_more(recorder, 3)
        database.save()
        wait_for_more(recorder, FORGOTTEN)
        database.put_back()
        wait_for_more(recorder, FORGOTTEN + 3)
        second_runs, _ = doubled(seen(recorder))
        assert len(second_runs) >= FORGOTTEN - 1
        assert not (server.data / "journal").exists()
    finally:
        server.kill()


def test_a_server_that_died_with_it_puts_back_what_its_journal_says(tmp_path, database, recorder):
    server = start(tmp_path, database)
    try:
        declare(server, recorder)
        wait_for_more(recorder, 3)
        database.save()
        wait_for_more(recorder, FORGOTTEN)
        server.kill()
        database.put_back()
        server = start(tmp_path, database)
        wait_for_more(recorder, 5)
        assert doubled(seen(recorder)) == ({}, [])
        assert compared(server)["put_back"] >= FORGOTTEN - 1
    finally:
        server.kill()


def test_a_torn_journal_is_read_up_to_where_it_is_whole(tmp_path, database, recorder):
    server = start(tmp_path, database)
    try:
        declare(server, recorder)
        wait_for_more(recorder, 3)
        database.save()
        wait_for_more(recorder, FORGOTTEN)
        server.kill()
        newest = sorted((server.data / "journal").iterdir())[-1]
        with open(newest, "ab") as file:
            file.write(b"CRJ1 torn")
        database.put_back()
        server = start(tmp_path, database)
        wait_for_more(recorder, 5)
        assert doubled(seen(recorder)) == ({}, [])
    finally:
        server.kill()


def test_two_servers_put_back_what_each_has_sent(tmp_path, database, recorder):
    first = start(tmp_path / "first", database)
    second = None
    try:
        home = tmp_path / "second"
        (home / "data").mkdir(parents=True, mode=0o700)
        for name in ("master.key", "admin-token"):
            (home / "data" / name).write_bytes((first.data / name).read_bytes())
            (home / "data" / name).chmod(0o600)
        second = start(home, database)
        jobs = [declare(first, recorder, f"tick-{i}") for i in range(8)]
        paths = [f"/{job['name']}" for job in jobs]
        wait_for_more(recorder, 2, paths=paths)
        database.save()
        wait_for_more(recorder, FORGOTTEN, paths=paths)
        database.put_back()
        for server in (first, second):
            wait_until(lambda server=server: lines(server, "compared with the journal"), 60,
                       what=lambda server=server: "what was put back\n" + server.log()[-3000:])
        wait_for_more(recorder, 3, paths=paths)
        for path in paths:
            assert doubled(seen(recorder, path)) == ({}, []), path
        told = [line for server in (first, second)
                for line in lines(server, "the database was compared with the journal")]
        assert sum(line["put_back"] for line in told) >= FORGOTTEN, told
        assert {line["claimed_anew"] for line in told} == {0}, told
    finally:
        for server in (first, second):
            if server and server.process.poll() is None:
                server.kill()


def test_nothing_is_sent_that_the_journal_cannot_take(tmp_path, database, recorder):
    (tmp_path / "data").mkdir(mode=0o700)
    with contextlib.ExitStack() as mounts:
        try:
            mounts.enter_context(small_disk(tmp_path / "data", 4))
        except Impossible as impossible:
            pytest.skip(str(impossible))
        (tmp_path / "data").chmod(0o700)
        server = start(tmp_path, database)
        try:
            declare(server, recorder)
            wait_for_more(recorder, 3)
            ballast = fill(tmp_path / "data")
            wait_until(lambda: "the journal cannot be written" in page(server, "/readyz?verbose"), 30,
                       what="word of the full disk")
            assert server.status_of("/readyz") == 503
            # What is in the journal is sent; that is a lead ahead at most.
            time.sleep(4)
            before = len(seen(recorder))
            time.sleep(3)
            assert len(seen(recorder)) == before
            ballast.unlink()
            wait_for_more(recorder, 3)
            wait_until(lambda: server.status_of("/readyz") == 200, what="readiness")
            assert doubled(seen(recorder)) == ({}, [])
        finally:
            server.kill()
