"""The command line against a real server: verbs, exit codes, JSON, near matches, secrets."""

import json
import re
import subprocess
import time

import pytest

from processes import clean_environment, cronally_program, wait_until


@pytest.fixture
def cli(server):
    """Runs a verb; insists on its exit status."""
    def command(*arguments, status=0, **more):
        done = server.run_command(*arguments, **more)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done
    return command


def test_a_job_is_added_listed_shown_edited_and_removed(cli, recorder, name):
    cli("job", "add", name, "--every", "1h", "--url", recorder.url(), "--label", "a=b")
    assert name in cli("job", "list").stdout
    shown = json.loads(cli("job", "show", name, "--json").stdout)
    assert shown["schedule"] == "@every 1h" and shown["labels"] == {"a": "b"}
    cli("job", "edit", name, "--cron", "0 9 * * MON-FRI", "--zone", "Europe/Berlin")
    shown = json.loads(cli("job", "show", name, "--json").stdout)
    assert shown["schedule"] == "0 9 * * MON-FRI" and shown["zone"] == "Europe/Berlin"
    assert "Europe/Berlin" in cli("job", "show", name).stdout
    cli("job", "rm", name, "--yes")
    cli("job", "show", name, status=3)


def test_pause_and_resume(cli, recorder, name):
    cli("job", "add", name, "--every", "1h", "--url", recorder.url())
    cli("job", "pause", name)
    assert json.loads(cli("job", "show", name, "--json").stdout)["paused"] is True
    cli("job", "resume", name)
    assert json.loads(cli("job", "show", name, "--json").stdout)["paused"] is False


def test_job_run_wait_ends_with_the_runs_verdict(cli, recorder, name):
    cli("job", "add", name, "--never", "--url", recorder.url(), "--attempts", "1")
    assert "succeeded" in cli("job", "run", name, "--wait").stdout
    recorder.answer = lambda request: (500, {}, b"broken")
    done = cli("job", "run", name, "--wait", status=1)
    assert "failed" in done.stdout + done.stderr


def test_run_list_and_show(cli, recorder, name):
    cli("job", "add", name, "--never", "--url", recorder.url())
    cli("job", "run", name, "--wait")
    assert "succeeded" in cli("run", "list", "--job", name).stdout
    listed = json.loads(cli("run", "list", "--job", name, "--json").stdout)
    runs = listed["items"] if isinstance(listed, dict) else listed
    shown = json.loads(cli("run", "show", runs[0]["id"], "--json").stdout)
    assert shown["verdict"] == "succeeded" and shown["attempts"][0]["status"] == 200
    assert runs[0]["id"] in cli("run", "show", runs[0]["id"]).stdout


def test_run_watch_shows_a_line_for_each_change(server, cli, recorder, name):
    watch = subprocess.Popen([cronally_program(), "run", "watch"], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
                             env=clean_environment(CRONALLY_DATA_DIR=str(server.data)))
    try:
        time.sleep(0.5)
        cli("job", "add", name, "--never", "--url", recorder.url())
        cli("job", "run", name, "--wait")
        line = ""
        while not (name in line and "succeeded" in line):
            line = watch.stdout.readline()
            assert line, "run watch ended early: " + watch.stderr.read()
        assert "200 ok" in line and "attempt 1" in line
    finally:
        watch.terminate()
        watch.wait()
        watch.stdout.close()
        watch.stderr.close()


@pytest.mark.parametrize("arguments,status", [
    (("job", "show", "nobody-at-all"), 3),
    (("job", "rm", "nobody-at-all", "--yes"), 3),
    (("run", "show", "0190a5d4-7b9c-7c3e-8f00-0123456789ab"), 3),
    (("job", "add"), 2),
    (("job", "add", "x", "--every", "1h"), 2),
    (("job", "add", "x", "--cron", "61 * * * *", "--url", "http://127.0.0.1:9/"), 2),
    (("job", "add", "x", "--cron", "@hourly", "--every", "1h", "--url", "http://127.0.0.1:9/"), 2),
    (("frobnicate",), 2),
])
def test_exit_codes(cli, arguments, status):
    done = cli(*arguments, status=status)
    assert done.stderr.strip() and not done.stdout.strip()


def test_a_taken_name_is_a_conflict(cli, recorder, name):
    cli("job", "add", name, "--never", "--url", recorder.url())
    cli("job", "add", name, "--never", "--url", recorder.url(), status=5)


def test_a_wrong_token_is_not_allowed(cli):
    cli("job", "list", status=4, environment={"CRONALLY_TOKEN": "wrong"})


def test_no_server_is_unreachable(tmp_path):
    done = subprocess.run(
        [cronally_program(), "job", "list"], capture_output=True, text=True,
        env=clean_environment(CRONALLY_URL="http://127.0.0.1:9", CRONALLY_TOKEN="x"))
    assert done.returncode == 6 and "cronally serve" in done.stderr


@pytest.mark.parametrize("mistyped,meant", [
    (("jobb", "list"), "job"), (("job", "lst"), "list"), (("run", "wach"), "watch"),
    (("job", "add", "x", "--evry", "1h", "--url", "http://127.0.0.1:9/"), "--every")])
def test_a_mistyped_word_gets_a_near_match(cli, mistyped, meant):
    done = cli(*mistyped, status=2)
    assert meant in done.stderr and re.search("did you mean", done.stderr, re.I)


def test_next_needs_no_server(tmp_path):
    done = subprocess.run(
        [cronally_program(), "next", "30 2 * * *", "--zone", "Europe/Berlin", "--from",
         "2026-03-27T12:00:00Z", "--count", "3", "--plain"], capture_output=True, text=True,
        env=clean_environment(CRONALLY_DATA_DIR=str(tmp_path / "none")))
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        "2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]


def test_explain_describes_in_english(cli):
    text = cli("explain", "0 9 * * MON-FRI").stdout
    assert "Monday" in text and "Friday" in text and "9" in text


def test_version_names_its_parts(cli):
    text = cli("version").stdout
    assert re.search(r"tzdata.*20\d\d[a-z]", text) and "SQLite" in text and "OpenSSL" in text


def test_output_that_is_not_a_terminal_has_no_colours(cli, recorder, name):
    cli("job", "add", name, "--every", "1h", "--url", recorder.url())
    assert "\x1b" not in cli("job", "list").stdout + cli("job", "show", name).stdout


def test_a_secret_header_comes_from_a_file_or_standard_input(cli, recorder, name, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from-a-file\n")
    cli("job", "add", name, "--never", "--url", recorder.url(), "--secret-header", f"x-a=@{secret}",
        "--secret-header", "x-b=-", stdin="from-stdin\n")
    cli("job", "run", name, "--wait")
    headers = recorder.wait_for(1)[0].headers
    assert headers["x-a"] == "from-a-file" and headers["x-b"] == "from-stdin"
    assert "from-a-file" not in cli("job", "show", name).stdout


def test_a_secret_in_the_argument_list_is_refused(cli, recorder, name):
    done = cli("job", "add", name, "--never", "--url", recorder.url(), "--secret-header",
               "x-a=plain-secret", status=2)
    assert "@" in done.stderr and "plain-secret" not in done.stderr


def test_a_body_comes_from_a_file(cli, recorder, name, tmp_path):
    body = tmp_path / "body.json"
    body.write_text('{"n":{{attempt}}}')
    cli("job", "add", name, "--never", "--url", recorder.url(), "--method", "PUT", "--header",
        "content-type: application/json", "--body-file", str(body))
    cli("job", "run", name, "--wait")
    request = recorder.wait_for(1)[0]
    assert request.method == "PUT" and request.json == {"n": 1}


def test_tokens(cli, name):
    made = json.loads(cli("token", "create", name, "--json").stdout)
    assert name in cli("token", "list").stdout
    cli("job", "list", environment={"CRONALLY_TOKEN": made["token"]})
    cli("token", "revoke", made["id"])
    cli("job", "list", status=4, environment={"CRONALLY_TOKEN": made["token"]})


def test_account_show_and_edit(cli, recorder):
    assert "whsec_" not in cli("account", "show").stdout
    cli("account", "edit", "--failure-webhook", recorder.url("/failures"))
    assert recorder.url("/failures") in cli("account", "show").stdout


def test_backup_makes_a_private_copy(cli, recorder, name, tmp_path):
    cli("job", "add", name, "--every", "1h", "--url", recorder.url())
    copy = tmp_path / "copy.db"
    cli("backup", str(copy))
    assert (copy.stat().st_mode & 0o777) == 0o600


def test_help_of_every_verb_has_two_examples(cli):
    verbs = [["serve"], ["next"], ["explain"], ["backup"], ["version"]]
    verbs += [["job", verb] for verb in ("add", "list", "show", "edit", "rm", "pause", "resume",
                                         "run")]
    verbs += [["run", verb] for verb in ("list", "show", "watch")]
    verbs += [["token", verb] for verb in ("create", "list", "revoke")]
    verbs += [["account", verb] for verb in ("show", "edit")]
    for verb in verbs:
        text = cli(*verb, "--help").stdout
        examples = text[text.index("Examples:"):]
        assert examples.count("  cronally ") >= 2, verb


def test_watch_survives_a_pipe_that_closes(server, recorder, cli, name):
    """`cronally run watch | head -1` must end, not hang or crash."""
    cli("job", "add", name, "--every", "1s", "--url", recorder.url())
    watch = subprocess.Popen([cronally_program(), "run", "watch"], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
                             env=clean_environment(CRONALLY_DATA_DIR=str(server.data)))
    watch.stdout.readline()
    watch.stdout.close()
    wait_until(lambda: watch.poll() is not None, 15, what="the end of run watch")
    cli("job", "rm", name, "--yes")
