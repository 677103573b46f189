"""`cronally doctor`: what it tells of databases that are sound, weak and broken."""

import json
import random
import shutil

import pytest

from postgres import Postgres, need_postgresql
from processes import Server, wait_until

SQLITE_CHECKS = ["file", "lock", "schema", "integrity", "durability", "log", "space", "clock",
                 "tzdata", "key"]


def examine(server, *arguments):
    """The findings by check, and the exit status."""
    done = server.run_command("doctor", "--json", *arguments)
    answer = json.loads(done.stdout)
    found = {}
    for finding in answer["findings"]:
        assert finding["says"]
        assert bool(finding["remedy"]) == (finding["level"] != "ok"), finding
        found.setdefault(finding["check"], []).append(finding)
    assert done.returncode == (1 if answer["level"] == "failing" else 0), done.stderr
    return found, done.returncode


def levels(found, check):
    return [finding["level"] for finding in found[check]]


# ---- SQLite ---------------------------------------------------------------------------------------

@pytest.fixture
def stopped(tmp_path):
    server = Server(tmp_path).start()
    assert server.stop() == 0
    return server


def test_a_sound_file_is_ok_and_stays_as_it_is(stopped):
    before = (stopped.data / "cronally.db").read_bytes()
    found, status = examine(stopped)
    assert status == 0 and list(found) == SQLITE_CHECKS
    # Another disk may be nearly full.
    assert all(levels(found, check) == ["ok"] for check in SQLITE_CHECKS if check != "space")
    assert (stopped.data / "cronally.db").read_bytes() == before
    told = stopped.run_command("doctor")
    assert told.returncode == 0
    assert "ok       integrity   every page was read, and is sound\n" in told.stdout
    stopped.start()
    assert stopped.stop() == 0


def test_a_server_that_runs_is_left_alone(fresh_server):
    found, status = examine(fresh_server)
    assert status == 0
    assert f"process {fresh_server.pid}" in found["lock"][0]["says"]
    assert "not read through" in found["integrity"][0]["says"]
    assert fresh_server.status_of("/readyz") == 200


def test_a_directory_without_a_database_is_named(tmp_path):
    server = Server(tmp_path)
    found, status = examine(server)
    assert status == 0 and levels(found, "file") == ["warning"]
    assert str(server.data) in found["file"][0]["says"]
    assert not list(server.data.iterdir())


def spoil_page(data):
    content = bytearray((data / "cronally.db").read_bytes())
    content[4096 * 3:4096 * 3 + 64] = b"\xff" * 64
    (data / "cronally.db").write_bytes(content)


BROKEN = {
    "damaged": (spoil_page, ("integrity", "file"), "cronally restore"),
    "no database": (lambda data: (data / "cronally.db").write_text("x" * 9999), ("file",),
                    "cronally restore"),
    "no key": (lambda data: (data / "master.key").unlink(), ("key",), "master.key"),
    "another key": (lambda data: (data / "master.key").write_bytes(random.randbytes(32)), ("key",),
                    "master.key"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_is_broken_fails(case, stopped):
    spoil, checks, remedy = BROKEN[case]
    spoil(stopped.data)
    found, status = examine(stopped)
    assert status == 1
    failing = [one for check in checks for one in found.get(check, []) if one["level"] == "failing"]
    assert failing and remedy in failing[0]["remedy"], found


# ---- PostgreSQL -----------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def primary():
    need_postgresql()
    made = Postgres()
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.fixture
def home(tmp_path):
    """A data directory without a server on SQLite."""
    return Server(tmp_path)


def test_a_new_database_needs_no_schema(home, primary):
    database = primary.create_database()
    found, _ = examine(home, "--database", primary.address(database))
    assert levels(found, "primary") == levels(found, "pooler") == levels(found, "schema") == ["ok"]
    assert levels(found, "clock") == ["ok"], found["clock"]
    assert levels(found, "durability") == ["failing"], "the tests' server runs without fsync"
    assert levels(found, "replication") == ["warning"]
    assert "there is no standby" in found["replication"][0]["says"]
    assert primary.value("SELECT to_regnamespace('cronally') IS NULL", database) == "t"


def test_out_of_reach_fails_without_telling_the_password(home):
    done = home.run_command("doctor", "--database", "postgres://u:geheim@127.0.0.1:1/nowhere")
    assert done.returncode == 1
    assert "failing  reach" in done.stdout and "→" in done.stdout
    assert "geheim" not in done.stdout + done.stderr


def test_a_moved_file_is_named_and_the_database_has_no_server(stopped, primary):
    database = primary.create_database()
    address = primary.address(database)
    assert stopped.run_command("migrate-store", "--database", address).returncode == 0
    found, status = examine(stopped)
    assert status == 1 and levels(found, "moved") == ["failing"]
    assert database in found["moved"][0]["says"]
    found, _ = examine(stopped, "--database", address)
    assert levels(found, "nodes") == ["warning"] and "nothing fires" in found["nodes"][0]["says"]
    assert levels(found, "key") == ["ok"]
    (stopped.data / "master.key").unlink()
    found, _ = examine(stopped, "--database", address)
    assert levels(found, "key") == ["failing"]


def test_it_tells_of_the_nodes(tmp_path, primary):
    address = primary.address(primary.create_database())
    nodes = [Server(tmp_path / name, "--database", address) for name in ("one", "two")]
    try:
        nodes[0].start()
        shutil.copy2(nodes[0].data / "master.key", nodes[1].data / "master.key")
        nodes[1].start()
        wait_until(lambda: "there is no standby" in nodes[0].log(), 20,
                   what="what the start says of the database")
        assert "fsync is off" in nodes[0].log()

        def both():
            found, _ = examine(nodes[0], "--database", address)
            return found if levels(found, "node") == ["ok", "ok"] and "shards" in found else None

        found = wait_until(both, 15, step=0.2, what="two nodes in the table")
        assert all("32 shards" in one["says"] or "64 shards" in one["says"] or "0 shards" in
                   one["says"] for one in found["node"]), found["node"]
        assert levels(found, "tzdata") == levels(found, "overdue") == ["ok"]
        assert "tzdata 20" in found["node"][0]["says"]
        nodes[1].kill()
        found = wait_until(lambda: gone(nodes[0], address), 15, step=0.2, what="the end of a lease")
        assert levels(found, "overdue") == ["ok"]
    finally:
        for node in nodes:
            if node.process and node.process.poll() is None:
                node.kill()


def gone(node, address):
    found, _ = examine(node, "--database", address)
    return found if len(found["node"]) == 1 else None


def test_what_a_failover_could_lose_is_told():
    need_postgresql()
    primary = Postgres("fsync=on").start()
    standby = None
    try:
        database = primary.create_database()
        home = Server(primary.folder.parent / (primary.folder.name + "-home"))
        primary_alone, _ = examine(home, "--database", primary.address(database))
        assert levels(primary_alone, "durability") == ["ok"]
        standby = Postgres("cluster_name=db2", standby_of=primary).start()
        both = (f"postgres://cronally@127.0.0.1:{standby.port},127.0.0.1:{primary.port}/"
                + database)

        def replication(says):
            def look():
                found, _ = examine(home, "--database", both)
                return found if says in found["replication"][0]["says"] else None
            return wait_until(look, 20, step=0.2, what=lambda: f"'{says}'")

        found = replication("asynchronous")
        assert "db2" in found["replication"][0]["says"]
        assert levels(found, "clock") == ["ok", "ok"]
        assert str(primary.port) in found["primary"][0]["says"], "the one that takes writes"
        primary.sql("ALTER SYSTEM SET synchronous_standby_names = '*'")
        primary.sql("SELECT pg_reload_conf()")
        found = replication("a failover to it loses nothing")
        assert levels(found, "replication") == ["ok"]
        primary.sql("ALTER SYSTEM SET synchronous_commit = 'local'")
        primary.sql("SELECT pg_reload_conf()")
        replication("synchronous_commit is local")
        primary.sql("ALTER SYSTEM RESET synchronous_commit")
        primary.sql("SELECT pg_reload_conf()")
        only_standby, status = examine(home, "--database", standby.address(database))
        assert status == 1 and levels(only_standby, "primary") == ["failing"]
        assert "it takes no writes" in only_standby["primary"][0]["says"]
        standby.stop()
        found = replication("nothing is written until one is")
        assert levels(found, "replication") == ["failing"]
        assert levels(found, "clock") == ["warning", "ok"], "a host that does not answer"
    finally:
        if standby:
            standby.remove()
        primary.remove()
        shutil.rmtree(primary.folder.parent / (primary.folder.name + "-home"), ignore_errors=True)
