"""The Python client against the real server, as its README shows it; its wheel and sdist."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest

from processes import ROOT, Server, clean_environment

CLIENT = ROOT / "clients" / "python"
sys.path.insert(0, str(CLIENT / "src"))

import pycronally  # noqa: E402
from pycronally import NetworkError, api  # noqa: E402


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("server"), "--v1-signup").start()
    yield server
    assert server.stop() == 0, server.log()[-3000:]


@pytest.fixture(autouse=True)
def host(server, monkeypatch):
    """CRONALLY_HOST set at run time, as users of 2015 did."""
    monkeypatch.setattr(api, "CRONALLY_HOST", server.url)


def sign_up(email):
    status, answer = api.Signup().set_payload({"email": email}).request()
    assert (status, answer["status"]) == (200, "success"), answer
    return answer["response"]


@pytest.fixture
def account(name):
    return sign_up(f"{abs(hash(name))}@shop.example")


@pytest.fixture
def keys(account):
    return account["api_key"], account["api_secret"]


def add(keys, name="hourly", **more):
    status, answer = api.AddCronjob(*keys).set_payload(
        {"name": name, "cron": "0 * * * *", "delivery_type": "http",
         "delivery_http_url": "http://127.0.0.1:9/", **more}).request()
    assert (status, answer["status"]) == (200, "success"), answer
    return answer["response"]


def names(keys):
    status, answer = api.ListCronjobs(*keys).request()
    assert status == 200, answer
    return sorted(cronjob["name"] for cronjob in answer["response"])


def test_sign_up_and_info(account, keys):
    status, answer = api.Info(*keys).request()
    assert status == 200
    assert answer["status"] == "success"
    assert answer["response"]["account_id"] == account["account_id"]
    assert answer["response"]["email"] == account["email"]
    assert answer["response"]["cronjob_count"] == 0


def test_a_bad_email_and_a_used_one_are_400(account):
    for email in ("cronally.com", account["email"]):
        status, answer = api.Signup().set_payload({"email": email}).request()
        assert (status, answer["status"]) == (400, "error"), answer


def test_add_list_change_and_delete(keys):
    job = add(keys)
    assert (job["name"], job["cron"], job["deleted"]) == ("hourly", "0 * * * *", False)
    add(keys, "another \u00e9&=+%")
    assert names(keys) == ["another \u00e9&=+%", "hourly"]
    assert api.Info(*keys).request().body["response"]["cronjob_count"] == 2

    status, answer = api.UpdateCronjob(*keys).set_payload(
        {"cronjob_id": job["cronjob_id"], "name": "half past", "cron": "30 * * * *"}).request()
    assert status == 200, answer
    assert (answer["response"]["name"], answer["response"]["cron"]) == ("half past", "30 * * * *")

    status, answer = api.DeleteCronjob(*keys).set_payload(
        {"cronjob_id": job["cronjob_id"]}).request()
    assert status == 200, answer
    assert answer["response"]["deleted"] is True
    assert names(keys) == ["another \u00e9&=+%"]
    status, answer = api.DeleteCronjob(*keys).set_payload(
        {"cronjob_id": job["cronjob_id"]}).request()
    assert (status, answer["status"]) == (404, "error")


def test_a_cronjob_of_2015_goes_to_a_topic(keys):
    status, answer = api.AddCronjob(*keys).set_payload({
        "name": "my hourly cronjob", "cron": "0 * * * *",
        "sns_topic": "arn:aws:sns:us-east-1:123456789012:topic", "sns_message": "Hello",
        "sns_region": "us-east-1", "sns_access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "sns_secret_access_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}).request()
    assert status == 200, answer
    assert "secret" not in str(answer)


def test_bad_fields_are_400(keys):
    status, answer = api.AddCronjob(*keys).set_payload({"name": "n", "cron": "no"}).request()
    assert (status, answer["status"]) == (400, "error")
    assert names(keys) == []


def test_a_wrong_key_or_secret_is_401(keys, account, request):
    key, secret = keys
    other = sign_up("other-" + account["email"])
    for wrong in [(key, other["api_secret"]), (other["api_key"], secret), ("no-key", secret)]:
        status, answer = api.Info(*wrong).request()
        assert (status, answer["status"]) == (401, "error"), answer
    assert api.Info(key, secret).request().status == 200


def test_accounts_do_not_see_each_other(keys, account):
    other = sign_up("third-" + account["email"])
    job = add(keys)
    theirs = other["api_key"], other["api_secret"]
    assert names(theirs) == []
    assert api.DeleteCronjob(*theirs).set_payload(
        {"cronjob_id": job["cronjob_id"]}).request().status == 404
    assert names(keys) == ["hourly"]


def test_a_server_without_sign_up_and_one_that_is_down(tmp_path, monkeypatch):
    closed = Server(tmp_path).start()
    monkeypatch.setattr(api, "CRONALLY_HOST", closed.url)
    try:
        status, answer = api.Signup().set_payload({"email": "a@b.example"}).request()
        assert (status, answer["status"]) == (403, "error")
        assert "cronally account create" in answer["reason"]
        status, answer = api.Signup().set_payload(
            {"email": "a@b.example", "token": closed.token}).request()
        assert status == 200, answer
    finally:
        closed.stop()
    with pytest.raises(NetworkError):
        api.Info("key", "c2VjcmV0").request()


# ---- the README ------------------------------------------------------------------------------------

def test_the_readme_does_what_it_says(server, tmp_path):
    """Its Python, in one program, with the address of this server."""
    text = (CLIENT / "README.md").read_text()
    script = "\n".join(re.findall(r"```python\n(.*?)```", text, re.S))
    script = script.replace("https://cron.example", server.url)
    assert server.url in script
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True,
                          timeout=60, cwd=tmp_path,
                          env=clean_environment(PYTHONPATH=str(CLIENT / "src")))
    assert done.returncode == 0, done.stderr
    listed, count = done.stdout.splitlines()
    assert re.fullmatch(r"[0-9a-f-]{36} 0 \* \* \* \* hourly report", listed)
    assert count == "0 cronjobs"


# ---- what pip installs -----------------------------------------------------------------------------

BUILDER = ROOT / "build" / "python" / "bin" / "python"


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    if not BUILDER.exists():
        if os.environ.get("CRONALLY_NO_INSTALL") != "1":
            pytest.skip("build/python is not made: pip could not reach PyPI; see tests/requirements.txt")
        raise FileNotFoundError("build/python is missing; see tools/install")
    source = tmp_path_factory.mktemp("source") / "python"
    shutil.copytree(CLIENT, source, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run([BUILDER, "-m", "build", "--no-isolation", source], capture_output=True,
                          text=True, timeout=300, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path for path in (source / "dist").iterdir()}


def test_wheel_and_sdist_are_made(distributions):
    version = pycronally.__version__
    assert sorted(distributions) == [f"pycronally-{version}-py3-none-any.whl",
                                     f"pycronally-{version}.tar.gz"]


def test_the_wheel_works_where_nothing_else_is(distributions, server, keys, tmp_path):
    add(keys)
    wheel, = [path for name, path in distributions.items() if name.endswith(".whl")]
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True,
                   timeout=120)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([BUILDER, "-m", "pip", "--python", python, "install", "-q", "--no-index", wheel],
                   check=True, timeout=120, env=clean_environment())
    script = ("import pathlib, pycronally, pycronally.api as api\n"
              "assert (pathlib.Path(pycronally.__file__).parent / 'py.typed').exists()\n"
              "print(pycronally.__file__, [job['name'] for job in "
              "api.ListCronjobs().request().body['response']])")
    key, secret = keys
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, timeout=60,
                          cwd=tmp_path,
                          env=clean_environment(CRONALLY_URL=server.url, CRONALLY_API_KEY=key,
                                                CRONALLY_API_SECRET=secret))
    assert done.returncode == 0, done.stderr
    file, names_listed = done.stdout.strip().split(" ", 1)
    assert pathlib.Path(file).is_relative_to(tmp_path)
    assert names_listed == "['hourly']"
