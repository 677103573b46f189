"""What each call sends, what it returns, and what is raised when no answer comes."""

import ast
import http.server
import pathlib
import socket
import subprocess
import sys
import threading
import urllib.parse

import pytest

import pycronally
from pycronally import BadAnswer, CronallyError, NetworkError, RequestTimeout, UsageError, api
from stand_in import KEY, SECRET

ID = "0190f3a2-0000-7000-8000-000000000001"
SOURCES = pathlib.Path(pycronally.__file__).parent


def form_of(asked):
    return dict(urllib.parse.parse_qsl(asked.body.decode(), keep_blank_values=True,
                                       strict_parsing=True))


@pytest.mark.parametrize("call,payload,method,path,form", [
    (lambda: api.Signup(), {"email": "a@b.example"}, "POST", "/account/", {"email": "a@b.example"}),
    (lambda: api.Info(KEY, SECRET), None, "GET", "/account/", None),
    (lambda: api.AddCronjob(KEY, SECRET), {"name": "n", "cron": "0 * * * *", "sns_topic": None},
     "POST", "/cronjob/", {"name": "n", "cron": "0 * * * *"}),
    (lambda: api.ListCronjobs(KEY, SECRET), None, "GET", "/cronjobs/", None),
    (lambda: api.UpdateCronjob(KEY, SECRET), {"cronjob_id": ID, "cron": "1 * * * *"},
     "PATCH", f"/cronjob/{ID}", {"cron": "1 * * * *"}),
    (lambda: api.DeleteCronjob(KEY, SECRET), {"cronjob_id": ID}, "DELETE", f"/cronjob/{ID}/", None),
    (lambda: api.DeleteCronjob(KEY, SECRET), {"cronjob_id": "a/b c"},
     "DELETE", "/cronjob/a%2Fb%20c/", None),
])
def test_each_call_asks_signed_for_what_it_says(server, call, payload, method, path, form):
    request = call()
    if payload is not None:
        assert request.set_payload(payload) is request
        assert request.payload == payload
    status, answer = request.request()
    assert (status, answer) == (200, {"status": "success", "response": {}})
    asked, = server.asked
    assert (asked.method, asked.path) == (method, path)
    assert asked.headers["user-agent"] == f"pycronally/{pycronally.__version__}"
    if form is None:
        assert asked.body == b""
    else:
        assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
        assert form_of(asked) == form


def test_a_delete_says_that_it_has_no_body(server):
    api.DeleteCronjob(KEY, SECRET).set_payload({"cronjob_id": ID}).request()
    assert server.asked[0].headers["content-length"] == "0"


def test_fields_survive_whatever_they_hold(server):
    payload = {"name": "\u00e9 & = + % \U0001f600", "sns_secret_access_key": "a+b/c==", "n": 5}
    api.AddCronjob(KEY, SECRET).set_payload(payload).request()
    assert form_of(server.asked[0]) == {**payload, "n": "5"}


def test_the_payload_is_a_copy_and_the_last_one_counts(server):
    payload = {"name": "a"}
    call = api.AddCronjob(KEY, SECRET).set_payload({"name": "z", "cron": "x"}).set_payload(payload)
    payload["name"] = "b"
    call.request()
    assert form_of(server.asked[0]) == {"name": "a"}


@pytest.mark.parametrize("status", [201, 400, 401, 403, 404, 405, 500, 503])
def test_every_status_is_an_answer(server, status):
    server.answer = (status, {"status": "error", "response": {"reason": "no"}})
    answer = api.Info(KEY, SECRET).request()
    assert answer == (status, {"status": "error", "response": {"reason": "no"}})
    assert (answer.status, answer.body["status"]) == (status, "error")


def test_a_wrong_secret_is_a_401(server):
    assert api.Info(KEY, SECRET.replace("h", "i")).request()[0] == 401
    assert api.Info("another", SECRET).request()[0] == 401


def test_keys_come_from_the_environment_where_none_are_given(server, monkeypatch):
    monkeypatch.setenv("CRONALLY_API_KEY", KEY)
    monkeypatch.setenv("CRONALLY_API_SECRET", SECRET)
    assert api.Info().request().status == 200
    assert api.Info("another", SECRET).request().status == 401


# ---- the host --------------------------------------------------------------------------------------

def test_the_host_is_read_at_each_request(server, monkeypatch):
    call = api.Info(KEY, SECRET)
    for host in (server.url, server.url + "/", server.url.upper().replace("HTTP", "http")):
        monkeypatch.setattr(api, "CRONALLY_HOST", host)
        assert call.request().status == 200
    assert [asked.path for asked in server.asked] == ["/account/"] * 3


def test_below_a_path_the_signature_is_of_the_path_that_the_server_sees(server, monkeypatch):
    monkeypatch.setattr(api, "CRONALLY_HOST", server.url + "/cron/")
    assert api.Info(KEY, SECRET).request().status == 401  # the stand-in takes no prefix away
    asked, = server.asked
    assert asked.path == "/cron/account/"
    assert server.is_signed("GET", "/account/", asked.headers)


def test_without_a_scheme_https_is_meant(server, monkeypatch):
    monkeypatch.setattr(api, "CRONALLY_HOST", server.url.split("//")[1])
    with pytest.raises(NetworkError, match="no secure connection to https://127"):
        api.Info(KEY, SECRET).request()
    assert server.asked == []


@pytest.mark.parametrize("host", [
    "", "file:///etc/passwd", "ftp://h", "http://", "http://h:x", "http://[::1", "http://u:pw@h",
    "http://h?x=1", "http://h/#x", "http://h\n", "http://a b"])
def test_a_host_that_is_none_is_refused(monkeypatch, host):
    monkeypatch.setattr(api, "CRONALLY_HOST", host)
    with pytest.raises(UsageError) as refused:
        api.Info(KEY, SECRET).request()
    assert "pw" not in str(refused.value)


@pytest.mark.parametrize("url,wanted", [
    ("https://cron.example", "https://cron.example"), ("", "http://127.0.0.1:8787")])
def test_the_host_comes_from_the_environment_of_the_start(url, wanted):
    script = "import pycronally.api; print(pycronally.api.CRONALLY_HOST)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          env={"PYTHONPATH": str(SOURCES.parent), "CRONALLY_URL": url})
    assert done.stdout.strip() == wanted, done.stderr


def test_proxies_of_the_environment_are_used(server, monkeypatch):
    monkeypatch.setenv("http_proxy", server.url)
    monkeypatch.setattr(api, "CRONALLY_HOST", "http://cron.example")
    api.Info(KEY, SECRET).request()
    assert server.asked[0].path == "http://cron.example/account/"
    monkeypatch.setenv("no_proxy", "cron.example")
    with pytest.raises(NetworkError):
        api.Info(KEY, SECRET).request()
    assert len(server.asked) == 1


# ---- when no answer comes --------------------------------------------------------------------------

@pytest.mark.parametrize("call", [
    lambda: api.Info(), lambda: api.Info(KEY), lambda: api.Info("", ""),
    lambda: api.DeleteCronjob(KEY, SECRET), lambda: api.UpdateCronjob(KEY, SECRET),
    lambda: api.DeleteCronjob(KEY, SECRET).set_payload({"cronjob_id": ""}),
    lambda: api.Info(KEY + "\r\nX: y", SECRET), lambda: api.Info("\u20ac", SECRET),
    lambda: api.Info(KEY, "%%%")])
def test_what_cannot_be_asked_is_not_sent(server, call):
    with pytest.raises(UsageError):
        call().request()
    assert server.asked == []


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def test_a_server_that_is_down_is_a_network_error(monkeypatch):
    monkeypatch.setattr(api, "CRONALLY_HOST", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NetworkError, match="nothing listens at http://127"):
        api.Info(KEY, SECRET).request()
    with pytest.raises(OSError):
        api.Info(KEY, SECRET).request()


def test_a_host_that_is_unknown_is_a_network_error(monkeypatch):
    monkeypatch.setattr(api, "CRONALLY_HOST", "http://no-such-host.invalid")
    with pytest.raises(NetworkError, match="not known"):
        api.Info(KEY, SECRET).request()


def test_time_outs(server, monkeypatch):
    server.delay = 0.6
    with pytest.raises(RequestTimeout, match="0.1 s"):
        api.Info(KEY, SECRET).request(timeout=0.1)
    monkeypatch.setattr(api, "CRONALLY_TIMEOUT", 0.2)
    with pytest.raises(TimeoutError):
        api.Info(KEY, SECRET).request()
    assert api.Info(KEY, SECRET).request(timeout=None).status == 200


def test_an_answer_that_is_cut_off_is_a_network_error(server):
    server.cut = True
    with pytest.raises(NetworkError, match="failed"):
        api.Info(KEY, SECRET).request()


def test_what_is_no_http_is_a_network_error(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        thread = threading.Thread(target=answer)
        thread.start()
        monkeypatch.setattr(api, "CRONALLY_HOST", f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(NetworkError):
            api.Info(KEY, SECRET).request()
        thread.join()


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_without_json_is_named_with_its_status(server, status, body):
    server.answer = (status, body)
    with pytest.raises(BadAnswer) as raised:
        api.Info(KEY, SECRET).request()
    assert raised.value.status == status
    assert isinstance(raised.value, ValueError)


def test_redirects_are_not_followed(server):
    server.answer = (301, b"moved", {"Location": server.url + "/elsewhere/"})
    with pytest.raises(BadAnswer, match="redirect"):
        api.AddCronjob(KEY, SECRET).set_payload({"name": "n"}).request()
    assert len(server.asked) == 1


def test_no_error_shows_the_secret(server, monkeypatch):
    server.answer = (502, b"<html>")
    for host in (server.url, f"http://127.0.0.1:{free_port()}", "ftp://h"):
        monkeypatch.setattr(api, "CRONALLY_HOST", host)
        with pytest.raises(CronallyError) as raised:
            api.Info(KEY, SECRET).request()
        assert SECRET not in str(raised.value) and KEY not in str(raised.value)


def test_the_sources_are_python_3_9():
    for path in SOURCES.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 9))
    assert (SOURCES / "py.typed").exists()
