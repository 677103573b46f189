"""plan, apply, diff and export against a real server: idempotent, pruned by label, killed and
applied again, and a schema that agrees with the reader."""

import json
import pathlib
import re
import signal
import subprocess

import jsonschema
import pytest
import yaml

from client import Client, segment
from processes import ROOT, clean_environment, cronally_program, wait_until

MANY = 3000
TRIES_MAX = 8


@pytest.fixture
def cli(fresh_server):
    """Runs a verb; insists on its exit status."""
    def command(*arguments, status=0, **more):
        done = fresh_server.run_command(*arguments, **more)
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done
    return command


@pytest.fixture
def live(fresh_server):
    client = Client(fresh_server, checks=False)
    yield lambda: all_jobs(client)
    client.close()


def all_jobs(client):
    """All live jobs by name."""
    jobs, cursor = {}, ""
    while True:
        answer = client.send("GET", f"/v2/jobs?limit=1000{cursor}")
        assert answer.status == 200, answer
        jobs.update({job["name"]: job for job in answer.json["items"]})
        if not answer.json["next_cursor"]:
            return jobs
        cursor = f"&cursor={segment(answer.json['next_cursor'])}"


def document(name, schedule="0 9 * * *", more=""):
    return (f"---\nkind: job\nname: {name}\nschedule: '{schedule}'\nzone: Europe/Riga\n"
            f"target:\n  url: http://127.0.0.1:9/{name}\n{more}")


def many(count, schedule="0 9 * * *"):
    return "".join(document(f"many-{number}", schedule) for number in range(count))


def test_a_second_apply_changes_nothing(cli, live, tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(document("a") + document("b", "@every 1h", "  headers: {X-A: b}\n"))
    assert "2 to create, 0 to change, 0 to remove, 0 unchanged" in cli("plan", "-f", file).stdout
    assert live() == {}
    assert "2 created" in cli("apply", "-f", file).stdout
    before = live()
    again = cli("apply", "-f", file, "--detailed-exitcode").stdout
    assert "0 created, 0 changed, 0 removed, 2 unchanged" in again
    assert live() == before


def test_a_change_shows_fields_and_fires_and_is_made_once(cli, live, tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(document("a") + document("b"))
    cli("apply", "-f", file)
    file.write_text(document("a", "0 10 * * *") + document("b"))
    for verb in ("plan", "apply"):
        shown = cli(verb, *["--dry-run"][:verb == "apply"], "-f", file, "--detailed-exitcode",
                    status=2).stdout
        assert "~ change a\n    schedule: 0 9 * * * -> 0 10 * * *\n    fires before: " in shown
        assert re.search(r"fires after:  \S+T10:00:00\+0[23]:00, ", shown), shown
        assert "0 to create, 1 to change, 0 to remove, 1 unchanged\n" in shown
        assert "Applying starts nothing now.\n" in shown
    difference = cli("diff", "-f", file).stdout
    assert "-schedule: 0 9 * * *\n+schedule: 0 10 * * *\n" in difference
    cli("apply", "-f", file, "--detailed-exitcode", status=2)
    assert (live()["a"]["revision"], live()["b"]["revision"]) == (2, 1)
    planned = json.loads(cli("plan", "-f", file, "--json").stdout)
    assert planned["summary"] == {"create": 0, "change": 0, "secret": 0, "remove": 0, "unchanged": 2}


def test_prune_removes_what_carries_the_label_and_nothing_else(cli, live, tmp_path):
    file = tmp_path / "jobs.yaml"
    cli("job", "add", "by hand", "--every", "1h", "--url", "http://127.0.0.1:9/")
    cli("job", "add", "of others", "--every", "1h", "--url", "http://127.0.0.1:9/",
        "--label", "app=other")
    file.write_text(document("a") + document("b"))
    cli("apply", "-f", file, "-l", "app=shop")
    assert live()["a"]["labels"] == {"app": "shop"}
    file.write_text(document("a"))
    assert "0 removed" in cli("apply", "-f", file, "-l", "app=shop").stdout
    assert "- remove b\n" in cli("plan", "-f", file, "-l", "app=shop", "--prune").stdout
    assert "1 removed, 1 unchanged" in cli("apply", "-f", file, "-l", "app=shop", "--prune").stdout
    assert sorted(live()) == ["a", "by hand", "of others"]
    assert "--selector" in cli("apply", "-f", file, "--prune", status=2).stderr
    file.write_text("# nothing\n")
    cli("apply", "-f", file, "-l", "app=shop", "--prune", status=2)
    assert sorted(live()) == ["a", "by hand", "of others"]


def test_faults_name_file_line_and_column_and_nothing_is_written(cli, live, tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs/a.yaml").write_text(document("a"))
    (tmp_path / "jobs/b.yml").write_text(
        document("b", "61 * * * *", "  tineout: 3s\n") + "---\nkind: job\nname: a\nname: a\n")
    said = cli("apply", "-f", tmp_path / "jobs", status=2).stderr
    at = f"{tmp_path}/jobs/b.yml"
    assert f"  {at}:8:3: /target/tineout: is not a field here; did you mean 'timeout'?\n" in said
    assert f"  {at}:4:1: /schedule: column 1: '61' is no minute" in said
    assert f"  {at}:12:1: 'name' stands twice; it is on line 11 already\n" in said
    assert live() == {}
    cli("apply", "-f", tmp_path / "jobs", "--detailed-exitcode", status=1)


def test_secrets_come_from_the_environment_and_are_never_shown(cli, live, recorder, tmp_path):
    file = tmp_path / "jobs.yaml"
    file.write_text(f"kind: job\nname: a\nschedule: '@never'\ntarget:\n  url: {recorder.url()}\n"
                    "  secret_headers: {Authorization: '${env:TOKEN}'}\n")
    assert "'TOKEN' is not set" in cli("apply", "-f", file, status=2).stderr
    said = ""
    for value, counted in (("one-9f3", "1 created"), ("one-9f3", "0 changed"), ("two-9f3", "1 changed")):
        done = cli("apply", "-f", file, environment={"TOKEN": value})
        assert counted in done.stdout
        said += done.stdout + done.stderr
    exported = cli("export").stdout
    assert 'Authorization: "***"' in exported and "9f3" not in said + exported
    assert "0 to create, 0 to change" in cli("plan", "-f", "-", stdin=exported).stdout
    cli("job", "run", "a", "--wait")
    assert [request.headers["authorization"] for request in recorder.requests] == ["two-9f3"]


def test_what_export_writes_is_no_change(cli, tmp_path):
    cli("job", "add", "interval", "--every", "7s", "--url", "http://127.0.0.1:9/", "--paused",
        "--description", "a: b # c\n\"d\"", "--label", "on=010", "--header", "X-A:*x")
    cli("job", "add", "shot", "--at", "2066-01-01T00:00:00Z", "--url", "http://127.0.0.1:9/",
        "--delivery", "at_most_once", "--body", "{\"a\": 1}\n")
    exported = cli("export").stdout
    assert "0 to create, 0 to change, 0 to remove, 2 unchanged" in cli(
        "plan", "-f", "-", stdin=exported).stdout
    assert cli("diff", "-f", "-", "--detailed-exitcode", stdin=exported).stdout == ""
    assert "name: interval" not in cli("export", "--selector", "on=011").stdout


def start_apply(server, file):
    return subprocess.Popen([cronally_program(), "apply", "-f", str(file)], cwd=server.home,
                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env=clean_environment(CRONALLY_DATA_DIR=str(server.data)))


def declared(schedule):
    return {f"many-{number}": schedule for number in range(MANY)}


def schedules(jobs):
    return {name: job["schedule"] for name, job in jobs.items()}


@pytest.mark.parametrize("victim", ["client", "server"])
def test_a_killed_apply_is_finished_by_another(cli, fresh_server, live, tmp_path, victim):
    """Kills the one or the other once the first list is stored, until that hits the middle."""
    file = tmp_path / "jobs.yaml"
    in_the_middle = 0
    for number in range(TRIES_MAX):
        schedule = f"{number} 9 * * *"
        file.write_text(many(MANY, schedule))
        client = Client(fresh_server, checks=False)
        process = start_apply(fresh_server, file)
        wait_until(lambda: client.send("GET", "/v2/jobs/many-0").json.get("schedule") == schedule,
                   step=0.001, what="the first list")
        client.close()
        if victim == "client":
            process.kill()
        else:
            fresh_server.kill()
        process.communicate(timeout=60)
        if victim == "client":
            assert process.returncode in (0, -signal.SIGKILL)
        else:
            assert process.returncode in (0, 6, 7)
            fresh_server.start()
        jobs = schedules(live())
        written = sum(1 for value in jobs.values() if value == schedule)
        assert written % 1000 == 0, f"a list was stored in part: {written}"
        in_the_middle += 0 < written < MANY
        cli("apply", "-f", file)
        assert schedules(live()) == declared(schedule)
        assert "0 created, 0 changed, 0 removed" in cli("apply", "-f", file).stdout
        if in_the_middle:
            return
    raise AssertionError(f"{TRIES_MAX} kills, and none hit the middle")


# ---- the examples for CI --------------------------------------------------------------------------

EXAMPLES = ROOT / "docs/examples"


def scripts_of(name):
    """What each example runs: the plan's script, and the one that applies."""
    text = yaml.safe_load((EXAMPLES / name).read_text())
    if name.startswith("gitlab"):
        return ["\n".join(text[job]["script"]) for job in ("plan", "apply")]
    return ["\n".join(step["run"] for step in text["jobs"][job]["steps"] if "run" in step)
            for job in ("plan", "apply")]


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_the_examples_for_ci_plan_and_then_apply(fresh_server, live, tmp_path, name):
    work = tmp_path / "work"
    work.mkdir()
    (work / "jobs").symlink_to(EXAMPLES / "jobs")
    path = f"{pathlib.Path(cronally_program()).parent}:/usr/bin:/bin"
    environment = clean_environment(CRONALLY_URL=fresh_server.url, PATH=path, SHOP_TOKEN="s",
                                    CRONALLY_TOKEN=fresh_server.token)
    plan, apply = scripts_of(name)
    for script, jobs in ((plan, []), (apply, ["shop/invoices", "shop/warm-cache"])):
        done = subprocess.run(["bash", "-eo", "pipefail", "-c", script], cwd=work, text=True,
                              env=environment, capture_output=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "+ create shop/invoices\n" in done.stdout
        assert sorted(live()) == jobs


# ---- the schema for editors ----------------------------------------------------------------------

GOOD = {"kind": "job", "name": "x", "schedule": "@never", "target": {"url": "http://h/"}}
AGREED = [
    (True, {}),
    (True, {"zone": "Europe/Riga", "dst": "skip", "labels": {"a": "b"}, "paused": True}),
    (True, {"retry": {"attempts": 3, "backoff_min": "1s"}, "catch_up": {"mode": "all", "limit": 5}}),
    (True, {"target": {"type": "http", "url": "http://h/", "headers": {"X-A": "b"}, "body": None}}),
    (False, {"kind": "jbo"}),
    (False, {"kind": None}),
    (False, {"name": 1}),
    (False, {"name": ""}),
    (False, {"schedul": "@never"}),
    (False, {"schedule": None}),
    (False, {"paused": "yes"}),
    (False, {"labels": {"build": 10}}),
    (False, {"dst": "jump"}),
    (False, {"retry": {"attempts": 0}}),
    (False, {"retry": {"atempts": 3}}),
    (False, {"catch_up": {"mode": "latest", "max": 3}}),
    (False, {"target": {"url": "http://h/", "tineout": "3s"}}),
    (False, {"target": {"method": "GET"}}),
    (False, {"target": "http://h/"}),
]


@pytest.mark.parametrize("valid,change", AGREED, ids=str)
def test_the_schema_and_the_reader_agree(cli, valid, change):
    schema = json.loads(cli("export", "--schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    job = {**GOOD, **change}
    assert jsonschema.Draft202012Validator(schema).is_valid(job) == valid
    cli("plan", "-f", "-", stdin=json.dumps(job), status=0 if valid else 2)
