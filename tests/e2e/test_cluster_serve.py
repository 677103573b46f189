"""`cronally serve --database`: one, two and three servers on a real PostgreSQL."""

import collections
import concurrent.futures
import json
import secrets
import select
import signal
import socket
import subprocess
import time

import pytest

import kill_run
from client import Client
from kill_run import now_us
from load import cpu_seconds
from processes import Server, cronally_program, clean_environment, wait_until
from shared_servers import (JOBS, SECOND, TTL_S, asked, judged, latest, metric, node_of, nodes,
                            shards)


def refusal(home, *arguments, environment=None):
    """What `serve` says when it ends by itself, and its exit status."""
    done = subprocess.run(
        [cronally_program(), "serve", "--listen", "127.0.0.1:0", "--data-dir", str(home / "data"),
         *arguments], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL,
        env=clean_environment(**(environment or {})))
    return done.returncode, done.stderr


# ---- one ----------------------------------------------------------------------------------------

def test_one_server_keeps_its_data_in_postgresql(tmp_path, database, receiver):
    server = Server(tmp_path, environment={"CRONALLY_DATABASE": database}).start()
    try:
        wait_until(lambda: "PostgreSQL" in server.log(), what="the store's name in the log")
        assert not (server.data / "cronally.db").exists()
        api = Client(server)
        api.add("tick", receiver.url("/tick"), "@every 1s")
        receiver.wait_for(2, path="/tick")
        done = server.run_command("job", "run", "tick", "--wait")
        assert done.returncode == 0 and "succeeded" in done.stdout, done
        assert shards(server) == 64
        status, page = asked(server, "/readyz?verbose")
        assert status == 200
        assert f"leases ok: node {node_of(server)} holds 64 of 64 shards, lost 0" in page
        assert metric(server, "cronally_heartbeat_age_seconds")[""] < TTL_S
        assert server.stop() == 0
        before = len(receiver.records(path="/tick"))
        server.start()
        receiver.wait_for(before + 1, path="/tick")
    finally:
        if server.process.poll() is None:
            server.kill()


def test_a_backup_is_refused_with_what_to_do(tmp_path, database):
    with nodes(tmp_path, database, 1) as cluster:
        server = cluster.all[0]
        problem = Client(server).refused(409, "POST", "/v2/backup")
        assert problem["code"] == "backup_elsewhere" and "pg_dump" in problem["detail"]
        done = server.run_command("backup", "copy.db")
        assert done.returncode == 5 and "pg_basebackup" in done.stderr, done
        assert not (server.home / "copy.db").exists()


# ---- keys, tokens, refusals ---------------------------------------------------------------------

def test_of_servers_without_a_key_one_makes_it_and_the_others_are_told_to_copy_it(tmp_path,
                                                                                  database):
    servers = [Server(tmp_path / f"n{number}", "--database", database) for number in range(2)]
    try:
        for server in servers:
            server.spawn()
        wait_until(lambda: any(server.process.poll() is not None for server in servers),
                   what="the refusal of one")
        loser, winner = sorted(servers, key=lambda server: server.process.poll() is None)
        winner.wait_ready()
        assert loser.process.wait() == 1
        assert "copy master.key" in loser.log()
        assert not (loser.data / "master.key").exists()
        assert not (loser.data / "admin-token").exists()
        (loser.data / "master.key").write_bytes(secrets.token_bytes(32))
        (loser.data / "master.key").chmod(0o600)
        status, said = refusal(loser.home, "--database", database)
        assert status == 1 and "is another one" in said and "copy master.key" in said, said
        (loser.data / "master.key").write_bytes((winner.data / "master.key").read_bytes())
        (loser.data / "admin-token").write_text(winner.token)
        loser.start()
        assert Client(loser).expect(200, "GET", "/v2/account").json["name"] == "default"
    finally:
        for server in servers:
            if server.process.poll() is None:
                server.kill()


@pytest.mark.parametrize("database, user, said", [
    ("nowhere", "cronally", 'database "nowhere" does not exist'),
    ("postgres", "nobody", 'role "nobody" does not exist'),
])
def test_what_the_server_refuses_ends_the_start(tmp_path, postgres, database, user, said):
    address = postgres.address(database, f"{user}:geheim")
    for words, environment in ((["--database", address], {}), ([], {"CRONALLY_DATABASE": address})):
        status, error = refusal(tmp_path, *words, environment=environment)
        assert status == 1 and said in error and "geheim" not in error, error


def test_an_address_that_is_none_is_a_fault_of_usage(tmp_path):
    status, error = refusal(tmp_path, "--database", "postgres//cronally:geheim@db1")
    assert status == 2 and "postgres://" in error and "geheim" not in error, error
    status, error = refusal(tmp_path, "--database", "postgres://db1/x", "--lease-ttl", "1s")
    assert status == 2 and "--lease-ttl" in error, error


# ---- several ------------------------------------------------------------------------------------

@pytest.mark.parametrize("count", [2, 3])
def test_servers_started_at_the_same_moment_share_the_work(tmp_path, database, receiver, count):
    begun = time.monotonic()
    with nodes(tmp_path, database, count) as cluster:
        api = Client(cluster.all[0], checks=False)
        jobs = kill_run.add_jobs(api, receiver, JOBS)
        receiver.wait_for(1, path="/kill")
        assert time.monotonic() - begun < 10
        cluster.wait_shared()
        shared = now_us()
        receiver.wait_for(JOBS * 6, path="/kill")
        def workers():
            runs = api.pages("/v2/runs", state="ended")
            return collections.Counter(run["attempts"][-1]["node"] for run in runs)
        wait_until(lambda: len(workers()) == count, what=lambda: f"work of each: {workers()}")
        requests = judged(api, jobs, receiver)
        assert latest(requests, shared) < 1
        sent = collections.Counter((request["job"], request["scheduled_at"])
                                   for request in requests)
        assert set(sent.values()) == {1}, sent.most_common(3)
        # Any of them shows the same.
        for server in cluster.all[1:]:
            assert len(Client(server, checks=False).pages("/v2/jobs")) == JOBS


def test_a_server_that_is_killed_and_one_that_stops_hand_their_work_over(tmp_path, postgres,
                                                                       receiver):
    name = postgres.create_database()
    with nodes(tmp_path, postgres.address(name), 3) as cluster:
        first, second, third = cluster.all
        node = {server: node_of(server) for server in (first, third)}

        def held(*servers):
            """Shards whose leases the database has under these servers' names."""
            of = ", ".join(f"'{node[server]}'" for server in servers)
            return int(postgres.sql("SELECT count(*) FROM cronally.shard_lease "
                                    f"WHERE holder IN ({of})", name)[0][0])

        api = Client(first, checks=False)
        jobs = kill_run.add_jobs(api, receiver, JOBS)
        cluster.wait_shared()
        receiver.wait_for(JOBS * 2, path="/kill")
        second.process.kill()
        killed = now_us()
        second.process.wait()
        wait_until(lambda: held(first, third) == 64, TTL_S + 1,
                   what="the takeover within TTL + 1 s")
        receiver.wait_for(len(receiver.records()) + JOBS, path="/kill")
        requests = judged(api, jobs, receiver, deaths=[killed])
        assert latest(requests, killed) <= TTL_S + 1

        stopping = now_us()
        third.signal(signal.SIGTERM)
        wait_until(lambda: held(first) == 64, 1, step=0.01, what="the hand-over within 1 s")
        assert third.process.wait(10) == 0
        receiver.wait_for(len(receiver.records()) + JOBS, path="/kill")
        requests = judged(api, jobs, receiver, deaths=[killed])
        assert latest(requests, stopping) <= 1


def test_an_edit_through_a_server_that_does_not_own_the_job_is_clean_and_quick(tmp_path, database,
                                                                             receiver):
    with nodes(tmp_path, database, 2) as cluster:
        cluster.wait_shared()
        first = Client(cluster.all[0])
        job = first.add("edited", receiver.url("/edited"), "@every 1s")
        run = wait_until(lambda: first.pages("/v2/runs", job="edited", verdict="succeeded"),
                         what="a run")[0]
        other = next(server for server in cluster.all
                     if node_of(server) != run["attempts"][0]["node"])
        api = Client(other)
        took = []
        for _ in range(20):
            for verb in ("pause", "resume"):
                begun = time.monotonic()
                api.expect(200, "POST", f"/v2/jobs/edited/{verb}")
                if verb == "pause":
                    took.append(time.monotonic() - begun)
        assert sorted(took)[-2] <= 0.150 and max(took) <= 1.5, took
        paused = api.expect(200, "POST", "/v2/jobs/edited/pause").json
        acknowledged = now_us()
        time.sleep(1.5)
        late = [record for record in receiver.records(path="/edited")
                if record["t_us"] > acknowledged]
        assert not late, (paused, late)
        before = len(receiver.records(path="/edited"))
        begun = time.monotonic()
        api.run_now("edited", "by-hand")
        receiver.wait_for(before + 1, path="/edited")
        assert time.monotonic() - begun < 1
        assert job["id"] == paused["id"]


def test_what_was_owed_while_nobody_had_the_shards_is_held_by_a_pause_and_skipped_by_a_change(
        tmp_path, postgres, receiver):
    """A server that was killed keeps its leases for a time; the one started in its place takes edits
    meanwhile, and plans nothing."""
    name = postgres.create_database()
    server = Server(tmp_path, "--database", postgres.address(name)).start()
    try:
        wait_until(lambda: shards(server) == 64, what="the shards")
        server.kill()
        server.start()
        api = Client(server)
        for job in ("held", "changed", "removed"):
            api.add(job, receiver.url(f"/{job}"), "@every 1s", catch_up={"mode": "all"})
        time.sleep(2.2)
        assert shards(server) == 0
        edits = {"held": ("POST", "/v2/jobs/held/pause", None),
                 "changed": ("PATCH", "/v2/jobs/changed", {"schedule": "@every 1h"}),
                 "removed": ("DELETE", "/v2/jobs/removed", None)}
        with concurrent.futures.ThreadPoolExecutor(len(edits)) as threads:
            for answer in threads.map(lambda edit: Client(server).send(*edit), edits.values()):
                assert answer.status in (200, 204), answer
        owed = {job: int(count) for job, count in postgres.sql(
            "SELECT name, (changed_at - created_at / 1000 * 1000) / 1000000 FROM cronally.job", name)}
        assert set(owed) == set(edits) and min(owed.values()) >= 2, owed
        held = api.pages("/v2/runs", job="held")
        assert len(held) == owed["held"] and {run["state"] for run in held} == {"claimed"}, held

        def spans():
            return postgres.sql("SELECT name, s.revision, reason, count FROM cronally.skipped_span s "
                                "JOIN cronally.job USING (job_no) WHERE count > 0 ORDER BY name",
                                name)
        wait_until(lambda: len(spans()) == 2, 30, what="what is skipped, counted")
        changed, deleted = 7, 8  # core::Reason
        assert [tuple(span) for span in spans()] == [
            ("changed", "1", str(changed), str(owed["changed"])),
            ("removed", "1", str(deleted), str(owed["removed"]))]
        assert not receiver.records()
        api.expect(200, "POST", "/v2/jobs/held/resume")
        receiver.wait_for(owed["held"], path="/held")
        late = receiver.records(path="/held")[:owed["held"]]
        assert {record["run"] for record in late} == {run["id"] for run in held}
        assert not receiver.records(path="/changed") and not receiver.records(path="/removed")
    finally:
        if server.process.poll() is None:
            server.kill()


def test_one_of_them_tells_of_failures(tmp_path, database, receiver):
    with nodes(tmp_path, database, 2) as cluster:
        cluster.wait_shared()
        api = Client(cluster.all[1])
        api.expect(200, "PATCH", "/v2/account",
                   {"failure_webhook": {"url": receiver.url("/alarm")}})
        api.add("fails", receiver.url("/status/503"), retry={"attempts": 1})
        api.run_now("fails")
        receiver.wait_for(1, path="/alarm")
        time.sleep(1.5)  # the others would look twice a second
        assert len(receiver.records(path="/alarm")) == 1


def test_work_that_another_does_not_do_is_noticed(tmp_path, postgres, receiver):
    name = postgres.create_database()
    with nodes(tmp_path, postgres.address(name), 1) as cluster:
        server = cluster.all[0]
        assert metric(server, "cronally_overdue_seconds")[""] == 0
        # One that says it lives, holds shards, and does nothing.
        stranger = "00000000-0000-4000-8000-000000000001"
        postgres.sql(f"""
            SET search_path = cronally;
            INSERT INTO node (node, draining, ends) VALUES ('{stranger}', false, clock_us() + 600000000);
            UPDATE shard_lease SET holder = '{stranger}' WHERE shard < 32""",
                     name)
        wait_until(lambda: asked(server, "/readyz/overdue")[0] == 503, TTL_S + 5 + 5,
                   what="overdue work on the board")
        assert metric(server, "cronally_overdue_seconds")[""] > TTL_S + 5
        assert metric(server, "cronally_leases_lost_total")[""] >= 32
        postgres.sql(f"UPDATE cronally.node SET ends = 0 WHERE node = '{stranger}'", name)
        wait_until(lambda: asked(server, "/readyz/overdue")[0] == 200, TTL_S + 5,
                   what="the end of what was overdue")


# ---- a database that is away --------------------------------------------------------------------

def test_a_database_that_stops_is_waited_for_and_nothing_is_lost(tmp_path, postgres, receiver):
    with nodes(tmp_path, postgres.address(postgres.create_database()), 2) as cluster:
        api = Client(cluster.all[0], checks=False)
        jobs = kill_run.add_jobs(api, receiver, JOBS)
        cluster.wait_shared()
        receiver.wait_for(JOBS * 2, path="/kill")
        time.sleep((0.6 - time.time()) % 1)  # what is due in the next second is claimed by then
        stopped = now_us()
        postgres.stop()
        down = now_us()
        try:
            for server in cluster.all:
                begun = time.monotonic()
                for path in ("/v2/jobs", "/v2/runs"):
                    status, body = asked(server, path)
                    assert status == 503 and "database" in json.loads(body)["detail"], body
                assert time.monotonic() - begun < 5
                assert asked(server, "/v2/jobs/x/pause", "POST")[0] == 503
                status, page = wait_until(
                    lambda: (asked(server, "/readyz") if asked(server, "/readyz")[0] == 503
                             else None), 5, what="a failing readiness")
                assert "database" in page, page
                assert asked(server, "/livez")[0] == 200
            # What was claimed and may be trusted has left.
            wait_until(lambda: any(record["t_us"] > down
                                   for record in receiver.records(path="/kill")),
                       2, what="a request that needs no database")
            # Who waits does not spin.
            used = [cpu_seconds(server.pid) for server in cluster.all]
            time.sleep(max(1.0, TTL_S + 1 - (now_us() - down) / SECOND))  # beyond every lease
            for server, before in zip(cluster.all, used):
                assert cpu_seconds(server.pid) - before < 0.5
        finally:
            postgres.start()
        back = now_us()
        for server in cluster.all:
            server.wait_ready(10)
        receiver.wait_for(len(receiver.records()) + 2 * JOBS, path="/kill")
        judged(api, jobs, receiver, unrecorded=[(stopped, back, [])])


def test_what_its_receiver_has_not_taken_when_the_leases_end_is_cut_off(tmp_path, postgres):
    with nodes(tmp_path, postgres.address(postgres.create_database()), 1) as cluster, \
            socket.socket() as listener:
        # So much is taken of a request that nobody reads: of one more, of the other less.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 << 10)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(5)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        api = Client(cluster.all[0])
        api.add("long", url, target={"body": "x" * (200 << 10)})
        api.add("short", url)
        api.run_now("long")
        long, _ = listener.accept()
        api.run_now("short")
        short, _ = listener.accept()
        with long, short:
            assert short.recv(1 << 16)
            postgres.stop()
            try:
                # A successor may come when the time to live is over.
                assert ended(long, TTL_S), "it may arrive behind a successor's attempt"
                assert not ended(short, 0.5), "its answer is wanted"
            finally:
                postgres.start()


def ended(connection, timeout_s):
    """Whether the peer has reset the connection within that time, whatever is still to be read."""
    polled = select.poll()
    polled.register(connection, 0)
    return bool(polled.poll(timeout_s * 1000))


def test_a_start_without_the_database_waits_for_it(tmp_path, postgres, receiver):
    server = Server(tmp_path, "--database", postgres.address(postgres.create_database()))
    postgres.stop()
    try:
        server.spawn()
        record = wait_until(lambda: (server.data / "server.json").exists()
                            and json.loads((server.data / "server.json").read_text()),
                            what="the address of a server that waits")
        server.address = record["url"].split("//")[1]
        (server.data / "admin-token").write_text("none-yet")
        status, body = asked(server, "/v2/jobs")
        assert (status, json.loads(body)["code"]) == (503, "unavailable"), body
        assert "database" in json.loads(body)["detail"]
        assert server.status_of("/livez") == 200 and server.status_of("/readyz") == 503
        done = server.run_command("job", "list")
        assert done.returncode == 6 and "database" in done.stderr, done
        server.signal(signal.SIGTERM)
        assert server.process.wait(5) == 0, server.log()
        assert not (server.data / "server.json").exists()
        server.spawn()
    finally:
        postgres.start()
    try:
        server.wait_ready()
        Client(server).add("tick", receiver.url("/tick"), "@every 1s")
        receiver.wait_for(1, path="/tick")
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.kill()
