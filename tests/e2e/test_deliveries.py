"""What a delivery carries, and what its answer means (headers, signature, retries, verdicts)."""

import json
import re
import socket
import urllib.parse

import pytest

from processes import wait_until
from recorder import signature_holds
from test_runs import ended

QUICK = {"attempts": 3, "backoff_min": "50ms", "backoff_max": "200ms"}


def failing(times, status=500, headers=None):
    """An answer that refuses the first `times` attempts."""
    def answer(request):
        if request.attempt <= times:
            return status, headers or {}, b"not now"
        return 200, {}, b"fine"
    return answer


# ---- what it carries -----------------------------------------------------------------------------

def test_the_headers_name_run_job_attempt_and_fence(api, recorder, name):
    job = api.add("päd " + name, recorder.url("/hook"))
    run = ended(api, api.run_now(job["id"])["id"])
    (request,) = recorder.wait_for(1)
    headers = request.headers
    assert request.method == "POST" and request.path == "/hook"
    assert headers["webhook-id"] == headers["idempotency-key"] == headers["cronally-run"] == run["id"]
    assert headers["cronally-job"] == job["id"]
    assert urllib.parse.unquote(headers["cronally-job-name"]) == job["name"]
    assert headers["cronally-job-name"].isascii() and " " not in headers["cronally-job-name"]
    assert headers["cronally-scheduled-at"] == run["scheduled_at"]
    assert headers["cronally-attempt"] == "1" and headers["cronally-fence"] == str(run["fence"])
    assert abs(int(headers["webhook-timestamp"]) - request.at) <= 2
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", headers["traceparent"])
    assert re.fullmatch(r"Cronally/\d+\.\d+\.\d+\S*", headers["user-agent"])


def test_the_default_body_tells_the_run(api, recorder, name):
    job = api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    (request,) = recorder.wait_for(1)
    assert request.headers["content-type"].startswith("application/json")
    body = request.json
    assert body["type"] == "cronally.run" and body["attempt"] == 1
    assert body["scheduled_at"] == run["scheduled_at"]
    assert run["id"] in json.dumps(body["run"]) and job["id"] in json.dumps(body["job"])


@pytest.mark.parametrize("method,sends_body", [
    ("GET", False), ("PUT", True), ("PATCH", True), ("DELETE", True)])
def test_any_method(api, recorder, name, method, sends_body):
    target = {"method": method}
    if method != "GET":
        target["body"] = "payload"
    api.add(name, recorder.url(), target=target)
    assert ended(api, api.run_now(name)["id"])["verdict"] == "succeeded"
    (request,) = recorder.wait_for(1)
    assert request.method == method and request.body == (b"payload" if sends_body else b"")


def test_the_signature_holds_for_the_generated_secret(api, recorder, name):
    secret = api.expect(200, "PATCH", "/v2/account", {"signing_secret": "generate"}).json
    api.add(name, recorder.url(), target={"body": "sign me, ünïcode too"})
    ended(api, api.run_now(name)["id"])
    (request,) = recorder.wait_for(1)
    assert signature_holds(secret["signing_secret"], request)
    request.body += b"!"
    assert not signature_holds(secret["signing_secret"], request)


def test_a_secret_of_ones_own_signs(api, recorder, name):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
    api.expect(200, "PATCH", "/v2/account", {"signing_secret": secret})
    api.add(name, recorder.url())
    ended(api, api.run_now(name)["id"])
    assert signature_holds(secret, recorder.wait_for(1)[0])


def test_placeholders_are_escaped_for_where_they_stand(api, recorder, tmp_path):
    name = 'say "hi" & 100% / done?'
    job = api.add(name, recorder.url("/p/{{job.name}}?run={{run.id}}&at={{scheduled_at}}"), target={
        "headers": {"x-job": "{{job.id}}", "x-try": "{{attempt}}", "content-type":
                    "application/json"},
        "body": '{"name":"{{job.name}}","run":"{{run.id}}","attempt":{{attempt}}}'})
    run = ended(api, api.run_now(job["id"])["id"])
    (request,) = recorder.wait_for(1)
    path, query = request.path.split("?")
    assert urllib.parse.unquote(path) == "/p/" + name and path.count("/") == 2
    assert dict(urllib.parse.parse_qsl(query)) == {"run": run["id"], "at": run["scheduled_at"]}
    assert request.headers["x-job"] == job["id"] and request.headers["x-try"] == "1"
    assert request.json == {"name": name, "run": run["id"], "attempt": 1}


def test_secret_headers_arrive_and_are_never_shown(api, recorder, name):
    headers = {"Authorization": "Bearer only-the-receiver-knows"}
    api.add(name, recorder.url(), target={"secret_headers": headers})
    run = ended(api, api.run_now(name)["id"])
    assert recorder.wait_for(1)[0].headers["authorization"] == headers["Authorization"]
    for shown in (api.job(name), run, api.pages("/v2/runs", job=name), api.pages("/v2/jobs")):
        assert "only-the-receiver-knows" not in json.dumps(shown)


def test_a_url_is_sent_as_it_was_written(api, recorder, name):
    path = "/a%2Fb/%C3%A9/+/x?q=1+1&r=%2B%20&s="
    api.add(name, recorder.url(path))
    ended(api, api.run_now(name)["id"])
    assert recorder.wait_for(1)[0].path == path


def test_connections_are_kept(api, recorder, name, receiver):
    api.add(name, receiver.url("/kept"))
    for _ in range(3):
        ended(api, api.run_now(name)["id"])
    assert len(receiver.wait_for(3)) == 3


# ---- what its answer means -----------------------------------------------------------------------

@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_2xx_is_success(api, recorder, name, status):
    recorder.answer = lambda request: (status, {}, b"")
    api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "succeeded" and run["attempts"][0]["status"] == status


@pytest.mark.parametrize("status", [400, 404, 429, 500, 503])
def test_other_answers_are_retried_until_success(api, recorder, name, status):
    recorder.answer = failing(2, status)
    api.add(name, recorder.url(), retry=QUICK)
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "succeeded"
    assert [(a["number"], a["status"]) for a in run["attempts"]] == [
        (1, status), (2, status), (3, 200)]
    assert {request.run for request in recorder.seen()} == {run["id"]}
    assert [request.attempt for request in recorder.seen()] == [1, 2, 3]


def test_a_redirect_is_not_followed(api, recorder, name):
    recorder.answer = lambda request: (302, {"Location": recorder.url("/elsewhere")}, b"")
    api.add(name, recorder.url("/here"), retry={"attempts": 1})
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "failed" and recorder.seen("/elsewhere") == []


def test_the_budget_ends_a_run_as_failed(api, recorder, name):
    recorder.answer = lambda request: (500, {}, b"broken")
    api.add(name, recorder.url(), retry=QUICK)
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "failed" and run["reason"] == "exhausted"
    assert len(run["attempts"]) == 3 and run["attempts"][-1]["response"] == "broken"


def test_410_ends_the_run_and_pauses_nothing(api, recorder, name):
    recorder.answer = lambda request: (410, {}, b"")
    api.add(name, recorder.url(), retry=QUICK)
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "failed" and run["reason"] == "gone" and len(run["attempts"]) == 1
    assert api.job(name)["paused"] is False


def test_retry_after_is_honoured_up_to_backoff_max(api, recorder, name):
    recorder.answer = failing(1, 503, {"Retry-After": "1"})
    api.add(name, recorder.url(), retry={**QUICK, "backoff_max": "5s"})
    ended(api, api.run_now(name)["id"])
    first, second = recorder.seen()
    assert 0.9 <= second.at - first.at < 3
    recorder.requests.clear()
    recorder.answer = failing(1, 503, {"Retry-After": "3600"})
    api.add(name + " capped", recorder.url(), retry={**QUICK, "backoff_max": "1s"})
    ended(api, api.run_now(name + " capped")["id"])
    first, second = recorder.seen()
    assert 0.5 <= second.at - first.at < 3


def test_a_timeout_is_an_attempt(api, receiver, name):
    api.add(name, receiver.url("/slow/3s"), target={"timeout": "1s"}, retry={"attempts": 1})
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "failed"
    (attempt,) = run["attempts"]
    assert attempt["error"] and not attempt["status"]


def test_nobody_listening_is_retried_and_explained(api, name):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    api.add(name, f"http://127.0.0.1:{port}/", retry={**QUICK, "attempts": 2})
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "failed" and len(run["attempts"]) == 2
    assert all(re.search("refused|connect", attempt["error"], re.I) for attempt in run["attempts"])


@pytest.mark.parametrize("path", ["/read-then-close", "/garbage", "/reset"])
def test_each_attempt_number_arrives_once_whatever_the_receiver_does(api, receiver, name, path):
    """Clients may repeat a request on a reused connection that closes; Cronally must not."""
    api.add(name + " warm", receiver.url("/warm"))
    for _ in range(3):
        ended(api, api.run_now(name + " warm")["id"])
    api.add(name, receiver.url(path), retry=QUICK)
    runs = [api.run_now(name)["id"] for _ in range(10)]
    for run in runs:
        ended(api, run)
    sent = [(record["run"], record["attempt"]) for record in receiver.records(path=path)]
    assert len(sent) == len(set(sent)) and {run for run, _ in sent} == set(runs)


def test_at_most_once_sends_once_and_says_unknown(api, receiver, name):
    api.add(name, receiver.url("/read-then-close"), delivery="at_most_once")
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "unknown" and run["reason"] == "fate_unknown"
    assert len(receiver.records(run=run["id"])) == 1


def test_at_most_once_succeeds_like_any_other(api, recorder, name):
    api.add(name, recorder.url(), "@every 1s", delivery="at_most_once")
    recorder.wait_for(2)
    api.remove(name)
    assert len({request.run for request in recorder.seen()}) == len(recorder.seen())


def test_at_most_once_does_not_retry_a_failure(api, recorder, name):
    recorder.answer = lambda request: (500, {}, b"")
    api.add(name, recorder.url(), delivery="at_most_once")
    assert ended(api, api.run_now(name)["id"])["verdict"] == "failed"
    assert len(recorder.seen()) == 1


def test_a_long_response_is_kept_to_64_kib(api, recorder, name):
    recorder.answer = lambda request: (200, {}, b"x" * 300_000)
    api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    assert run["verdict"] == "succeeded" and len(run["attempts"][0]["response"]) == 64 * 1024


def test_a_response_that_is_not_utf_8_is_still_json(api, recorder, name):
    recorder.answer = lambda request: (200, {}, b"\xff\xfe\x00 bytes")
    api.add(name, recorder.url())
    run = ended(api, api.run_now(name)["id"])
    assert "bytes" in run["attempts"][0]["response"]


# ---- when a run fails, somebody is told ----------------------------------------------------------

def test_the_failure_webhook_tells_of_failed_runs(api, recorder, name):
    recorder.answer = lambda request: (200 if request.path == "/failures" else 500, {}, b"")
    secret = api.expect(200, "PATCH", "/v2/account", {"signing_secret": "generate"}).json
    webhook = {"url": recorder.url("/failures"), "secret_headers": {"x-hook-key": "opens"}}
    api.expect(200, "PATCH", "/v2/account", {"failure_webhook": webhook})
    try:
        api.add(name, recorder.url("/job"), retry={"attempts": 1})
        run = ended(api, api.run_now(name)["id"])
        told = recorder.wait_for(1, "/failures", timeout=15)[0]
        assert told.json["type"] == "cronally.failures" and told.json["count"] >= 1
        assert run["id"] in json.dumps(told.json["runs"]) and told.json["since"].endswith("Z")
        assert told.headers["x-hook-key"] == "opens"
        assert signature_holds(secret["signing_secret"], told)
    finally:
        api.expect(200, "PATCH", "/v2/account", {"failure_webhook": None})


def test_the_failure_webhook_is_retried_and_its_failures_notify_nobody(api, recorder, name):
    tries = []

    def answer(request):
        if request.path != "/failures":
            return 500, {}, b""
        tries.append(request)
        return (500 if len(tries) == 1 else 200), {}, b""

    recorder.answer = answer
    api.expect(200, "PATCH", "/v2/account", {"failure_webhook": {"url": recorder.url("/failures")}})
    try:
        api.add(name, recorder.url("/job"), retry={"attempts": 1})
        ended(api, api.run_now(name)["id"])
        wait_until(lambda: len(tries) >= 2, 30, what="the webhook's second try")
        assert tries[0].headers["webhook-id"] == tries[1].headers["webhook-id"]
        assert tries[0].json["count"] == tries[1].json["count"]
    finally:
        api.expect(200, "PATCH", "/v2/account", {"failure_webhook": None})
