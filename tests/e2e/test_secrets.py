"""Planted canaries must stay where they belong: sealed in the database, and in the request."""

import pathlib

import pytest

from client import Client
from processes import Server
from test_runs import ended

HEADER = "canary-header-7f3a9c51d2"
HOOK = "canary-hook-2be4410c9a"
SIGNING = "whsec_Y2FuYXJ5LXNpZ25pbmctNzdhYjk5MDEyMzQ1Njc4OQ=="


def places_of(folder, needle):
    """Files below a folder whose bytes hold the needle."""
    return [str(path) for path in pathlib.Path(folder).rglob("*")
            if path.is_file() and needle.encode() in path.read_bytes()]


@pytest.fixture
def planted(tmp_path, recorder):
    """A server that has sealed three secrets, used them, failed with them and been asked for them."""
    server = Server(tmp_path / "home", "--log-level", "debug").start()
    api = Client(server)
    seen = []
    hook = {"url": recorder.url("/hook"), "secret_headers": {"x-hook": HOOK}}
    api.expect(200, "PATCH", "/v2/account", {"signing_secret": SIGNING})
    api.expect(200, "PATCH", "/v2/account", {"failure_webhook": hook})
    api.add("keeps", recorder.url("/ok"), target={"secret_headers": {"authorization": HEADER}})
    api.add("fails", "http://127.0.0.1:9/", target={"secret_headers": {"authorization": HEADER}},
            retry={"attempts": 1})
    for name in ("keeps", "fails"):
        ended(api, api.run_now(name)["id"])
    bad = {"name": "bad", "schedule": "nope", "target": {
        "type": "http", "url": recorder.url(), "secret_headers": {"authorization": HEADER}}}
    seen.append(api.send("POST", "/v2/jobs", bad).body)
    for path in ("/v2/jobs", "/v2/runs", "/v2/account", "/v2/tokens", "/metrics", "/readyz"):
        seen.append(api.send("GET", path, check=False).body)
    yield server, seen
    if server.process.poll() is None:
        server.kill()


# Ids of their own: pytest puts them into its environment, which the server inherits.
@pytest.mark.parametrize("needle", [HEADER, HOOK, SIGNING, SIGNING.removeprefix("whsec_")],
                         ids=["header", "webhook", "signing", "signing key"])
def test_no_canary_in_database_log_answers_or_process(planted, needle):
    server, seen = planted
    assert places_of(server.home, needle) == []
    assert not any(needle.encode() in body for body in seen)
    for name in ("cmdline", "environ"):
        assert needle.encode() not in pathlib.Path(f"/proc/{server.pid}/{name}").read_bytes()
    server.stop()
    assert places_of(server.home, needle) == []


def test_tokens_are_kept_as_digests_and_never_logged(planted):
    server, seen = planted
    token = server.token
    assert [path for path in places_of(server.home, token)
            if not path.endswith("/admin-token")] == []
    assert not any(token.encode() in body for body in seen)


def test_the_key_is_not_in_the_database_or_log(planted):
    server, _ = planted
    key = (server.data / "master.key").read_bytes()
    for path in server.home.rglob("*"):
        if path.is_file() and path.name != "master.key":
            assert key.strip() not in path.read_bytes(), path


def test_a_deleted_jobs_secret_is_erased(planted):
    import sqlite3
    server, _ = planted
    api = Client(server)

    def count():
        with sqlite3.connect(f"file:{server.data}/cronally.db?mode=ro", uri=True) as database:
            return database.execute("SELECT count(*) FROM secret").fetchone()[0]

    before = count()
    api.remove("keeps")
    api.remove("fails")
    from processes import wait_until
    wait_until(lambda: count() < before, 15, what="the erasing of unused secrets")


def test_another_key_refuses_to_start(planted):
    server, _ = planted
    server.stop()
    key = server.data / "master.key"
    other = Server(server.home.parent / "other").start()
    other.stop()
    key.write_bytes((other.data / "master.key").read_bytes())
    server.spawn()
    assert server.process.wait(10) == 1
    assert "master.key" in server.log()
