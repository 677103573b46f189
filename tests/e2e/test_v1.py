"""API v1, as clients of 2015 know it, against the real server."""

import json
import subprocess
import time

import pytest

from aws_peers import AwsFake
from client import Client
from processes import Server, Standby, clean_environment, wait_until
from v1 import Account, date_of, mutated, signature
from v1_table import HTTP, SNS, cases, fault_of

SECRET = "wJalr+UtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # AWS's secrets hold + and /


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    fake = AwsFake(tmp_path_factory.mktemp("aws"), "--access-key-id", AwsFake.KEY,
                   "--secret-access-key", SECRET)
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, aws):
    server = Server(tmp_path_factory.mktemp("server"), environment=aws.environment()).start()
    yield server
    assert server.stop() == 0, server.log()[-3000:]


@pytest.fixture
def account(api, server, name):
    """An account of this test alone."""
    return Account.made_by(api, server, "".join(filter(str.isalnum, name)) + "@example.com")


# ---- the table -----------------------------------------------------------------------------------

def test_each_request_of_the_table_has_its_exact_answer(account):
    count, faults = 0, []
    for case in cases(account):
        count += 1
        fault = fault_of(case, account)
        if fault:
            faults.append(fault)
    assert not faults, "\n\n".join(faults[:5])
    assert count > 250


def test_thousands_of_changed_signatures_are_refused(account):
    assert mutated(account, 2000, seed=1) == 0


# ---- delivery ------------------------------------------------------------------------------------

def test_a_cronjob_publishes_to_its_topic_with_its_own_key(account, aws, api):
    job = account.add(name="hourly", **{**SNS, "cron": "@every 1s", "sns_secret_access_key": SECRET})
    (record, *_) = wait_until(lambda: aws.published(TopicArn=SNS["sns_topic"]), what="a publish")
    assert record["form"]["Message"] == "hello from cronally"
    assert record["key"] == AwsFake.KEY
    account.send("DELETE", f"/cronjob/{job['cronjob_id']}/").response


def test_curl_as_it_was_documented_sends_its_fields_as_they_are(account, aws, server):
    topic = "arn:aws:sns:us-east-1:123456789012:curl"
    headers = account.headers("POST", "/cronjob/")
    answer = curl(server, "/cronjob/", "-X", "POST", *[word for name in headers
                                                        for word in ("-H", f"{name}: {headers[name]}")],
                  "-d", "name=cronjob", "-d", "cron=* * * * * *", "-d", f"sns_topic={topic}",
                  "-d", "sns_message=hello from cronally", "-d", "sns_region=us-east-1",
                  "-d", f"sns_access_key_id={AwsFake.KEY}", "-d", f"sns_secret_access_key={SECRET}")
    assert answer["status"] == "success" and answer["response"]["cron"] == "* * * * * *"
    (record, *_) = wait_until(lambda: aws.published(TopicArn=topic), what="a publish")
    assert record["form"]["Message"] == "hello from cronally"
    account.send("DELETE", f"/cronjob/{answer['response']['cronjob_id']}/").response


def curl(server, path, *arguments):
    ran = subprocess.run(["curl", "-sS", *arguments, server.url + path], capture_output=True, text=True,
                         timeout=30, env=clean_environment(), check=True)
    return json.loads(ran.stdout)


def test_curl_as_it_was_documented_signs_up(tmp_path):
    server = Server(tmp_path, "--v1-signup").start()
    try:
        body = curl(server, "/account/", "-X", "POST", "-d", "email=username@example.com")["response"]
        assert list(body) == ["account_id", "email", "api_key", "api_secret", "cronjob_count"]
        account = Account(server, body)
        assert account.send("GET", "/account/").response == body
        again = curl(server, "/account/", "-X", "POST", "-d", "email=username@example.com")
        assert again == {"status": "error", "reason": "another account has this email; give another",
                         "code": "email_taken"}
    finally:
        server.kill()


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_cronjob_asks_its_address(account, receiver, method):
    job = account.add(name="ping", cron="@every 1s", delivery_type="http",
                      delivery_http_method=method, delivery_http_url=receiver.url("/ping"))
    (record, *_) = receiver.wait_for(1, path="/ping")
    assert record["method"] == method.upper() and record["job"] == job["cronjob_id"]
    assert (record["body_bytes"] > 0) == (method == "post"), record
    account.send("DELETE", f"/cronjob/{job['cronjob_id']}/").response


def test_nothing_starts_after_a_delete_was_answered(account, receiver):
    fields = {"cron": "@every 1s", **HTTP, "delivery_http_url": receiver.url()}
    jobs = [account.add(name=f"ping {number}", **fields) for number in range(20)]
    receiver.wait_for(20)
    for job in jobs:
        account.send("DELETE", f"/cronjob/{job['cronjob_id']}/").response
    time.sleep(0.2)  # requests that were under way
    count = len(receiver.records())
    time.sleep(1.2)
    assert len(receiver.records()) == count


# ---- bodies and paths ----------------------------------------------------------------------------

def test_bodies_may_be_multipart_or_json(account):
    boundary = "------------------------1234"
    part = f"--{boundary}\r\nContent-Disposition: form-data; name="
    fields = {"name": "a\r\nb & c=d", "cron": "0 * * * *", **HTTP}
    body = "".join(f'{part}"{name}"\r\n\r\n{value}\r\n' for name, value in fields.items())
    made = account.send("POST", "/cronjob/", body=body + f"--{boundary}--\r\n",
                        content_type=f"multipart/form-data; boundary={boundary}").response
    assert made["name"] == "a\r\nb & c=d"
    made = account.send("POST", "/cronjob/", body=json.dumps({**fields, "name": "ü"}),
                        content_type="application/json").response
    assert made["name"] == "ü"
    refused = account.send("POST", "/cronjob/", body="<a/>", content_type="application/xml")
    assert refused.status == 400 and refused.json["code"] == "invalid_form"


def test_names_are_whatever_they_were(account, server):
    names = ["same", "same", "same", "bulk", "", "  ", "x" * 4000,
             "37e545bd-fc2d-43e4-9b4a-e5eb4bc1f54e", "a\x00b\n", "\U0001f600" * 300]
    for name in names:
        answer = account.send("POST", "/cronjob/", {"name": name, "cron": "@daily", **HTTP})
        assert answer.status == (200 if name else 400), answer
    shown = [job["name"] for job in account.cronjobs()]
    assert shown == [name for name in reversed(names) if name]


def test_what_v2_renames_v1_shows(api, account, server):
    first = account.add(name="same", cron="@daily", **HTTP)
    second = account.add(name="same", cron="@daily", **HTTP)
    path = f"/v2/jobs/{second['cronjob_id']}"
    stored = account.send("GET", path).json
    assert stored["name"] == "same-" + second["cronjob_id"][-8:]
    changed = account.send("PATCH", path, body=json.dumps({"description": "x"}),
                           content_type="application/json")
    assert changed.status == 200, changed
    assert {job["name"] for job in account.cronjobs()} == {"same"}
    changed = account.send("PATCH", path, body=json.dumps({"name": "night"}),
                           content_type="application/json")
    assert changed.status == 200, changed
    assert {job["cronjob_id"]: job["name"] for job in account.cronjobs()} == {
        first["cronjob_id"]: "same", second["cronjob_id"]: "night"}


def test_a_long_list_is_one_answer(account):
    jobs = [{"name": f"job {number}", "schedule": "@never",
             "target": {"type": "http", "url": "http://127.0.0.1:9/"}} for number in range(2300)]
    for start in range(0, len(jobs), 1000):
        made = account.send("POST", "/v2/jobs/bulk", content_type="application/json",
                            body=json.dumps({"items": jobs[start:start + 1000]}))
        assert made.status == 200, made.text[:300]
    shown = account.cronjobs()
    assert [job["name"] for job in shown] == [f"job {number}" for number in reversed(range(2300))]
    assert account.send("GET", "/account/").response["cronjob_count"] == 2300


def test_accounts_do_not_see_each_other(api, server, account):
    other = Account.made_by(api, server, "other" + account.email)
    theirs = other.add(name="theirs", cron="@daily", **HTTP)
    assert account.cronjobs() == []
    for method in ("PATCH", "DELETE"):
        answer = account.send(method, f"/cronjob/{theirs['cronjob_id']}/", {"name": "mine"})
        assert answer.status == 404 and answer.json["code"] == "not_found"
    assert other.cronjobs() == [theirs]
    api.refused(404, "GET", f"/v2/jobs/{theirs['cronjob_id']}")


# ---- options of the server -----------------------------------------------------------------------

def test_a_server_may_be_told_how_to_serve_v1(tmp_path):
    server = Server(tmp_path, "--base-path", "/cron/", "--v1-window", "1m", "--v1-mask-secret",
                    "--v1-refuse-replays").start()
    try:
        account = Account.made_by(Client(server), server, "ops@example.com")
        shown = account.send("GET", "/account/").response
        assert shown["api_secret"] == "***" and shown["api_key"] == account.key
        for path in ("/account/", "/cron/account/"):
            for signed_path in ("/account", "/cron/account/"):
                assert account.send("GET", path, signed_path=signed_path).status == 200
        assert account.send("GET", "/account/", date=date_of(minutes=-3)).status == 401
        fields = {"name": "a", "cron": "@daily", **HTTP}
        date = date_of()
        assert account.send("POST", "/cronjob/", fields, date=date).status == 200
        again = account.send("POST", "/cronjob/", fields, date=date)
        assert again.status == 401 and "taken already" in again.json["reason"]
        assert account.send("POST", "/cronjob/", {**fields, "name": "b"}, date=date).status == 200
        assert len(account.cronjobs()) == 2
    finally:
        server.kill()


@pytest.mark.parametrize("flags,said", [
    (["--base-path", "cron"], "--base-path takes a path such as /cron, not 'cron'"),
    (["--base-path", "/a//b"], "--base-path takes a path"),
    (["--v1-window", "2d"], "--v1-window takes a length of at most 1d"),
    (["--v1-window", "soon"], "--v1-window: ")])
def test_options_that_mean_nothing_are_refused(tmp_path, flags, said):
    server = Server(tmp_path, *flags).spawn()
    assert server.process.wait(20) == 2
    assert said in server.log()


def test_a_standby_answers_v1_in_its_shape(fresh_server, tmp_path):
    standby = Standby(tmp_path / "standby", fresh_server).start()
    try:
        holder = Account(standby, {"id": "x", "email": "", "api_key": "x", "api_secret": "YWJj"})
        answer = holder.send("GET", "/account/")
        assert answer.status == 503 and answer.json["code"] == "standby"
        assert answer.json["status"] == "error" and answer.headers["retry-after"] == "1"
    finally:
        standby.kill()


# ---- secrets, restarts, rotation -----------------------------------------------------------------

def test_accounts_and_cronjobs_survive_a_restart(fresh_server):
    account = Account.made_by(Client(fresh_server), fresh_server, "ops@example.com")
    made = [account.add(name="same\n", cron="0 * * * *", **SNS) for _ in range(2)]
    fresh_server.kill()
    fresh_server.start()
    assert account.cronjobs() == made[::-1]
    assert account.send("GET", "/account/").response["cronjob_count"] == 2


def test_no_secret_is_stored_or_logged_in_plain(fresh_server):
    account = Account.made_by(Client(fresh_server), fresh_server, "ops@example.com")
    account.add(name="a", cron="0 * * * *", **{**SNS, "sns_secret_access_key": SECRET})
    account.send("POST", "/cronjob/", {"name": "a", "sns_secret_access_key": SECRET})
    account.send("GET", "/account/", signature=account.secret)
    for path in [*fresh_server.data.iterdir(), fresh_server.log_file]:
        if path.is_file():
            content = path.read_bytes()
            assert SECRET.encode() not in content and account.secret.encode() not in content, path


def test_rotated_credentials_open_and_those_before_do_not(api, server, account):
    before = Account(server, {"id": account.id, "email": account.email, "api_key": account.key,
                              "api_secret": account.secret})
    fresh = api.expect(200, "POST", f"/v2/accounts/{account.email}/rotate").json
    assert fresh["id"] == account.id and fresh["email"] == account.email
    account.key, account.secret = fresh["api_key"], fresh["api_secret"]
    assert account.send("GET", "/account/").status == 200
    assert before.send("GET", "/account/").status == 401


# ---- the command line ----------------------------------------------------------------------------

def test_the_command_line_makes_accounts_and_signs_for_them(server):
    made = server.run_command("account", "create", "cli@example.com", "--name", "night shift")
    assert made.returncode == 0, made.stderr
    credentials = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert set(credentials) == {"CRONALLY_API_KEY", "CRONALLY_API_SECRET"}

    def signed(*arguments):
        return server.run_command("--url", server.url, *arguments, environment=credentials)
    added = signed("job", "add", "a/b ü", "--never", "--sns-topic", SNS["sns_topic"])
    assert added.returncode == 0, added.stderr
    assert "a/b ü" in signed("job", "show", "a/b ü").stdout
    assert "a/b ü" not in server.run_command("job", "list").stdout
    shown = signed("account", "show", "--json")
    assert json.loads(shown.stdout)["name"] == "night shift"
    refused = signed("token", "list")
    assert refused.returncode == 4, refused
    rotated = server.run_command("account", "rotate", "cli@example.com", "--json")
    assert json.loads(rotated.stdout)["api_key"] != credentials["CRONALLY_API_KEY"]
    assert signed("job", "list").returncode == 4
    own = server.run_command("account", "rotate")
    assert own.returncode == 0 and own.stdout.startswith("CRONALLY_API_KEY="), own
    taken = server.run_command("account", "create", "CLI@example.com")
    assert taken.returncode == 5, taken


def test_signatures_are_those_of_2015():
    assert signature("h/Be+K0LvQxanvcabBL5Pjg3HL8g7CekNkG090he6rk=", "/account/", "GET",
                     "200601021504") == "cZB+B8398Tv7rxdnYzVNxzF9fs54B5hPmFFWwWP8Oqc="
