"""Topics of Amazon SNS as targets: what is published, what answers mean, where credentials come from.

The stand-in for AWS (tests/support/aws_fake) verifies each signature and field; moto's server shows
that another implementation understands them too.
"""

import html
import json
import re
import time

import pytest

from aws_peers import AwsFake, Moto
from client import Client
from processes import Server, wait_until
from test_runs import ended

REGION = "eu-west-1"
QUICK = {"attempts": 3, "backoff_min": "10ms", "backoff_max": "50ms"}


def topic(name="reports"):
    return f"arn:aws:sns:{REGION}:123456789012:{name}"


def sns_job(name, arn, schedule="@never", target=None, **more):
    return {"name": name, "schedule": schedule,
            "target": {"type": "sns", "topic_arn": arn, **(target or {})}, **more}


def add(api, name, arn, **more):
    return api.expect(201, "POST", "/v2/jobs", sns_job(name, arn, **more)).json


def carried_out(api, name):
    return ended(api, api.run_now(name)["id"])


def attributes_of(form):
    """{name: (type, value)} of a Publish."""
    found = {}
    number = 1
    while f"MessageAttributes.entry.{number}.Name" in form:
        entry = f"MessageAttributes.entry.{number}."
        found[form[entry + "Name"]] = (form[entry + "Value.DataType"],
                                       form[entry + "Value.StringValue"])
        number += 1
    return found


@pytest.fixture(scope="module")
def aws(tmp_path_factory):
    fake = AwsFake(tmp_path_factory.mktemp("aws"), "--delay", "5s")
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory, aws):
    environment = aws.environment(AWS_ACCESS_KEY_ID=AwsFake.KEY, AWS_SECRET_ACCESS_KEY=AwsFake.SECRET)
    server = Server(tmp_path_factory.mktemp("server"), environment=environment).start()
    yield server
    assert server.stop() == 0, server.log()[-3000:]


@pytest.fixture
def published(aws, name):
    """The publishes of this test's topic."""
    return lambda suffix="": aws.published(TopicArn=topic(topic_name(name)) + suffix)


def topic_name(name):
    return re.sub(r"[^A-Za-z0-9]", "_", name)


# ---- what is published ---------------------------------------------------------------------------

def test_a_run_is_one_signed_message(api, published, name):
    job = add(api, name, topic(topic_name(name)))
    run = carried_out(api, name)
    assert run["verdict"] == "succeeded" and run["attempts"][0]["status"] == 200, run
    assert "<MessageId>" in run["attempts"][0]["response"]
    (record,) = published()
    form = record["form"]
    assert json.loads(form["Message"]) == {"type": "cronally.run", "job": job["id"], "run": run["id"],
                                           "scheduled_at": run["scheduled_at"], "attempt": 1}
    assert attributes_of(form) == {
        "Cronally-Run": ("String", run["id"]), "Cronally-Job": ("String", job["id"]),
        "Cronally-Scheduled-At": ("String", run["scheduled_at"]),
        "Cronally-Attempt": ("Number", "1"), "Cronally-Fence": ("Number", str(run["fence"]))}
    assert not {"Subject", "MessageGroupId", "MessageDeduplicationId"} & set(form)
    assert record["key"] == AwsFake.KEY


def test_message_subject_and_attributes_are_the_jobs_with_placeholders(api, published, name):
    job = add(api, "zwölf & <elf> " + name, topic(topic_name(name)), target={
        "message": '{"name": "{{job.name}}", "run": "{{run.id}}", "n": {{attempt}}}',
        "subject": "of {{job.name}}" + "!" * 60,
        "message_attributes": {"kind": "büro {{attempt}}", "size": 7, "below": -1}})
    run = carried_out(api, job["id"])
    assert run["verdict"] == "succeeded", run
    (record,) = published()
    form = record["form"]
    assert json.loads(form["Message"]) == {"name": job["name"], "run": run["id"], "n": 1}
    assert form["Subject"] == ("of " + job["name"] + "!" * 60)[:99]
    attributes = attributes_of(form)
    assert attributes["kind"] == ("String", "büro 1") and attributes["size"] == ("Number", "7")
    assert attributes["below"] == ("Number", "-1")


def test_a_fifo_topic_gets_the_run_as_deduplication_and_the_job_as_group(api, published, name):
    arn = topic(topic_name(name)) + ".fifo"
    job = add(api, name, arn)
    run = carried_out(api, name)
    api.change(name, {"target": {"message_group_id": "group-{{job.id}}"}})
    second = carried_out(api, name)
    assert run["verdict"] == second["verdict"] == "succeeded"
    first, other = [record["form"] for record in published(".fifo")]
    assert first["MessageDeduplicationId"] == run["id"] and first["MessageGroupId"] == job["id"]
    assert other["MessageDeduplicationId"] == second["id"]
    assert other["MessageGroupId"] == "group-" + job["id"]


def test_a_repeated_message_of_a_fifo_topic_is_not_delivered_twice(tmp_path, name):
    """The answer of the first attempt comes too late, so its fate is unknown; the second carries the
    same id, and the topic takes it without delivering it again."""
    aws = AwsFake(tmp_path, "--slow-every", "2", "--delay", "3s")
    server = Server(tmp_path, environment=aws.environment(
        AWS_ACCESS_KEY_ID=AwsFake.KEY, AWS_SECRET_ACCESS_KEY=AwsFake.SECRET)).start()
    try:
        api = Client(server)
        add(api, "first", topic("a.fifo"))
        carried_out(api, "first")
        add(api, name, topic("b.fifo"), target={"timeout": "1s"}, retry=QUICK)
        run = carried_out(api, name)
        assert run["verdict"] == "succeeded" and len(run["attempts"]) == 2, run
        assert run["attempts"][0]["status"] is None
        records = wait_until(lambda: len(found := aws.published(TopicArn=topic("b.fifo"))) == 2 and found,
                             what="both publishes in the log")
        assert {record["form"]["MessageDeduplicationId"] for record in records} == {run["id"]}
        assert sorted(record["repeated"] for record in records) == [False, True]
    finally:
        server.kill()
        aws.stop()


# ---- what answers mean ---------------------------------------------------------------------------

@pytest.mark.parametrize("kind,status,error", [
    ("missing", 404, "NotFound: Topic does not exist"),
    ("forbidden", 403, "AuthorizationError: User: ")])
def test_what_no_retry_mends_fails_at_once(api, name, kind, status, error):
    add(api, name, topic(kind), retry=QUICK)
    run = carried_out(api, name)
    assert (run["verdict"], run["reason"]) == ("failed", "refused")
    (attempt,) = run["attempts"]
    assert attempt["status"] == status and attempt["error"].startswith(error)


@pytest.mark.parametrize("kind,status,error", [
    ("throttled", 400, "Throttling: Rate exceeded"),
    ("broken", 500, "InternalError: We encountered an internal error. Please try again.")])
def test_throttling_and_trouble_inside_aws_are_tried_again(api, name, kind, status, error):
    add(api, name, topic(kind), retry=QUICK)
    run = carried_out(api, name)
    assert (run["verdict"], run["reason"]) == ("failed", "exhausted")
    assert [(one["status"], one["error"]) for one in run["attempts"]] == [(status, error)] * 3


def test_an_answer_that_is_none_of_sns_leaves_the_fate_unknown(api, name):
    add(api, name, topic("garbage"), delivery="at_most_once")
    run = carried_out(api, name)
    assert (run["verdict"], run["reason"]) == ("unknown", "fate_unknown")
    assert run["attempts"][0]["status"] is None
    assert "no answer of SNS" in run["attempts"][0]["error"]


def test_a_late_answer_leaves_the_fate_unknown(api, name):
    add(api, name, topic("slow"), target={"timeout": "1s"}, delivery="at_most_once")
    run = carried_out(api, name)
    assert (run["verdict"], run["reason"]) == ("unknown", "fate_unknown")
    assert "timed out" in run["attempts"][0]["error"]


# ---- a key of the job's own ----------------------------------------------------------------------

def test_a_jobs_own_key_is_sealed_and_used(server, api, name, tmp_path):
    secret = "OwnSecret/" + "x" * 30
    aws = AwsFake(tmp_path, "--access-key-id", "AKIAOWNKEYOFTHEJOB00", "--secret-access-key", secret)
    other = Server(tmp_path, environment=aws.environment()).start()
    try:
        own = Client(other)
        credentials = {"access_key_id": "AKIAOWNKEYOFTHEJOB00", "secret_access_key": secret}
        job = add(own, name, topic(), target={"credentials": credentials})
        shown = {**credentials, "secret_access_key": "***"}
        assert job["target"]["credentials"] == shown
        assert own.job(name)["target"]["credentials"] == shown
        assert carried_out(own, name)["verdict"] == "succeeded"
        assert aws.published()[0]["key"] == "AKIAOWNKEYOFTHEJOB00"
        # What is shown may be sent back; what is sent anew replaces it.
        same = own.change(name, {"target": {"credentials": shown}})
        assert same["revision"] == 1
        own.change(name, {"target": {"credentials": {"secret_access_key": "wrong"}}})
        run = carried_out(own, name)
        assert (run["verdict"], run["reason"]) == ("failed", "refused")
        assert run["attempts"][0]["error"].startswith("SignatureDoesNotMatch: ")
        for path in [*other.data.iterdir(), other.log_file]:
            if path.is_file():
                assert secret.encode() not in path.read_bytes(), path
        problem = own.refused(422, "PATCH", "/v2/jobs/" + job["id"],
                              {"target": {"credentials": {"secret_access_key": "a b" + secret}}})
        assert secret not in json.dumps(problem)
    finally:
        other.kill()
        aws.stop()


# ---- where credentials come from -----------------------------------------------------------------

def shared_files(folder, config="", credentials=""):
    (folder / "config").write_text(config)
    (folder / "credentials").write_text(credentials)
    return {"AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials")}


KEYS = f"aws_access_key_id = {AwsFake.KEY}\naws_secret_access_key = {AwsFake.SECRET}\n"
ROLE = "role_arn = arn:aws:iam::123456789012:role/publisher\nexternal_id = e-1\n"


def of_environment(aws, folder):
    return {"AWS_ACCESS_KEY_ID": AwsFake.KEY, "AWS_SECRET_ACCESS_KEY": AwsFake.SECRET}


def of_default_profile(aws, folder):
    return shared_files(folder, credentials="[default]\n" + KEYS)


def of_named_profile(aws, folder):
    """AWS_PROFILE stands above keys of the environment."""
    files = shared_files(folder, credentials="[default]\n[build]\n" + KEYS)
    return {**files, "AWS_PROFILE": "build", "AWS_ACCESS_KEY_ID": "AKIAANOTHERONE000000",
            "AWS_SECRET_ACCESS_KEY": "x"}


def of_role(aws, folder):
    config = (f"[profile build]\n{ROLE}source_profile = keys\nregion = us-east-1\n"
              f"role_session_name = cronally-test\n")
    return {**shared_files(folder, config, "[keys]\n" + KEYS), "AWS_PROFILE": "build"}


def of_role_with_environment(aws, folder):
    config = f"[profile build]\n{ROLE}credential_source = Environment\n"
    return {**shared_files(folder, config), **of_environment(aws, folder), "AWS_PROFILE": "build"}


def of_web_identity(aws, folder):
    (folder / "token").write_text("web-identity-token\n")
    return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "token"),
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/pod"}


def of_container(aws, folder):
    (folder / "container-token").write_text("Basic abc\n")
    return {"AWS_CONTAINER_CREDENTIALS_FULL_URI": aws.url + "/container-credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "container-token")}


def of_instance(aws, folder):
    return {"AWS_EC2_METADATA_DISABLED": "false", "AWS_EC2_METADATA_SERVICE_ENDPOINT": aws.url}


@pytest.mark.parametrize("source,arguments,asked,by", [
    (of_environment, [], [], AwsFake.KEY),
    (of_default_profile, [], [], AwsFake.KEY),
    (of_named_profile, [], [], AwsFake.KEY),
    (of_role, ["--external-id", "e-1"], ["AssumeRole"], "ASIAFAKE"),
    (of_role_with_environment, ["--external-id", "e-1"], ["AssumeRole"], "ASIAFAKE"),
    (of_web_identity, [], ["AssumeRoleWithWebIdentity"], "ASIAFAKE"),
    (of_container, ["--container-token", "Basic abc"], ["container"], "ASIAFAKE"),
    (of_instance, [], ["PUT /latest/api/token",
                       "GET /latest/meta-data/iam/security-credentials/",
                       "GET /latest/meta-data/iam/security-credentials/the-role"], "ASIAFAKE"),
    (of_instance, ["--imds", "v1"], ["PUT /latest/api/token",
                                     "GET /latest/meta-data/iam/security-credentials/",
                                     "GET /latest/meta-data/iam/security-credentials/the-role"],
     "ASIAFAKE")],
    ids=lambda value: value.__name__ if callable(value) else None)
def test_credentials_come_from_each_source(tmp_path, name, source, arguments, asked, by):
    aws = AwsFake(tmp_path, *arguments)
    server = Server(tmp_path, environment=aws.environment(**source(aws, tmp_path))).start()
    try:
        api = Client(server)
        add(api, "job", topic())
        assert not aws.records(), "credentials are asked for before they are needed"
        for _ in range(2):
            run = carried_out(api, "job")
            assert run["verdict"] == "succeeded", (run, server.log()[-2000:])
        records = aws.records()
        actions = [record["form"]["Action"] for record in records]
        assert actions == [*asked, "Publish", "Publish"]
        assert all(record["key"].startswith(by) for record in aws.published())
        if source is of_role:
            assert records[0]["form"]["RoleSessionName"] == "cronally-test"
        for word in (AwsFake.SECRET, "token==", "secret/"):
            assert word not in server.log()
    finally:
        server.kill()
        aws.stop()


@pytest.mark.parametrize("environment,words", [
    ({}, ["environment: AWS_ACCESS_KEY_ID is not set", "profile default: neither ",
          "web identity: AWS_WEB_IDENTITY_TOKEN_FILE is not set", "container: ",
          "instance: AWS_EC2_METADATA_DISABLED is true"]),
    ({"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"}, ["of AWS_ACCESS_KEY_ID and "]),
    ({"AWS_PROFILE": "nobody"}, ["profile nobody: neither "]),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/x"}, ["leads elsewhere"]),
    ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"}, ["gives no credentials"])],
    ids=lambda value: None)
def test_where_none_are_found_the_error_says_what_was_tried(tmp_path, environment, words):
    aws = AwsFake(tmp_path)
    server = Server(tmp_path, environment=aws.environment(**environment)).start()
    try:
        api = Client(server)
        add(api, "job", topic(), retry={"attempts": 1})
        run = carried_out(api, "job")
        assert (run["verdict"], run["reason"]) == ("failed", "exhausted")
        (attempt,) = run["attempts"]
        assert attempt["status"] is None and attempt["first_byte_at"] is None
        assert attempt["error"].startswith("no credentials for AWS: ")
        for word in words:
            assert word in attempt["error"]
        assert not aws.published()
    finally:
        server.kill()
        aws.stop()


def test_credentials_that_end_are_renewed_ahead(tmp_path):
    """Lives of 4 s under ten runs a second for 14 s: no publish is ever refused."""
    aws = AwsFake(tmp_path, "--lifetime", "4s", "--container-token", "t")
    server = Server(tmp_path, environment=aws.environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/container-credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="t")).start()
    try:
        api = Client(server)
        for number in range(10):
            add(api, f"job {number}", topic(), schedule="@every 1s",
                anchor=f"2026-01-01T00:00:00.{number}Z")
        time.sleep(14)
        records = aws.published()
        assert {record["status"] for record in records} == {200}
        assert len(records) >= 130
        asked = len(aws.records("container"))
        assert 4 <= asked <= 6, "each about a second before its end"
        assert len({record["key"] for record in records}) == asked
        runs = [run for run in api.pages("/v2/runs") if run["state"] == "ended"]
        assert len(runs) >= 130
        assert all(run["verdict"] == "succeeded" and len(run["attempts"]) == 1 for run in runs)
    finally:
        server.kill()
        aws.stop()


def test_what_aws_calls_expired_is_renewed_and_sent_again_at_once(tmp_path):
    aws = AwsFake(tmp_path, "--lifetime", "1h", "--early-end", "59m57s", "--container-token", "t")
    server = Server(tmp_path, environment=aws.environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/container-credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="t")).start()
    try:
        api = Client(server)
        add(api, "job", topic(), retry={"backoff_min": "1h", "backoff_max": "1h"})
        assert len(carried_out(api, "job")["attempts"]) == 1
        time.sleep(3.2)
        run = carried_out(api, "job")
        assert run["verdict"] == "succeeded", run
        first, second = run["attempts"]
        assert first["error"].startswith("ExpiredToken: ") and second["status"] == 200
        assert len(aws.records("container")) == 2
    finally:
        server.kill()
        aws.stop()


@pytest.mark.parametrize("way", ["--clock-ahead", "--clock-behind"])
def test_a_clock_that_aws_finds_wrong_is_corrected_by_aws_own(tmp_path, way):
    aws = AwsFake(tmp_path, way, "20m", "--external-id", "e-1")
    server = Server(tmp_path, environment=aws.environment(**of_role(aws, tmp_path))).start()
    try:
        api = Client(server)
        add(api, "job", topic(), retry={"backoff_min": "1h", "backoff_max": "1h"})
        run = carried_out(api, "job")
        assert run["verdict"] == "succeeded" and len(run["attempts"]) == 2, run
        assert run["attempts"][0]["error"].startswith("SignatureDoesNotMatch: Signature ")
        assert len(carried_out(api, "job")["attempts"]) == 1
    finally:
        server.kill()
        aws.stop()


def test_deliveries_wait_within_their_time_for_credentials(tmp_path, receiver):
    """The endpoint reads and never answers: 2 s a try, 3 tries; a run that may take 1 s does not
    wait longer, and nothing else does either."""
    server = Server(tmp_path, environment={
        "HOME": "/nonexistent", "AWS_CONTAINER_CREDENTIALS_FULL_URI": receiver.url("/hang")}).start()
    try:
        api = Client(server)
        add(api, "job", topic(), target={"timeout": "1s"}, retry={"attempts": 1})
        api.add("http", receiver.url("/fine"))
        begun = time.monotonic()
        run = api.run_now("job")["id"]
        assert carried_out(api, "http")["verdict"] == "succeeded"
        assert time.monotonic() - begun < 1
        run = ended(api, run)
        assert time.monotonic() - begun < 3
        assert run["attempts"][0]["error"] == "no credentials for AWS came in time"
        assert server.stop() == 0
    finally:
        server.kill()


def test_an_endpoint_that_is_no_url_refuses_the_start(tmp_path):
    server = Server(tmp_path, environment={"AWS_ENDPOINT_URL_SNS": "localhost:4566"}).spawn()
    assert server.process.wait(20) == 2
    assert "AWS_ENDPOINT_URL_SNS must be an http or https URL" in server.log()


# ---- the command line ----------------------------------------------------------------------------

def test_the_command_line_declares_shows_and_edits_topics(server, api, name, tmp_path):
    (tmp_path / "secret").write_text(AwsFake.SECRET + "\n")
    done = server.run_command(
        "job", "add", name, "--never", "--sns-topic", topic("cli"), "--message", "hello",
        "--subject", "s", "--message-attribute", "size=7", "--message-attribute", "kind=a=b",
        "--sns-access-key-id", AwsFake.KEY, "--sns-secret-access-key", f"@{tmp_path}/secret",
        "--timeout", "5s")
    assert done.returncode == 0, done.stderr
    target = api.job(name)["target"]
    assert target == {
        "type": "sns", "topic_arn": topic("cli"), "region": None, "message": "hello", "subject": "s",
        "message_attributes": {"size": 7, "kind": "a=b"}, "message_group_id": None,
        "credentials": {"access_key_id": AwsFake.KEY, "secret_access_key": "***"}, "timeout": "5s"}
    assert carried_out(api, name)["verdict"] == "succeeded"
    shown = server.run_command("job", "show", name).stdout
    assert "SNS " + topic("cli") in shown and AwsFake.KEY in shown and "size=7" in shown
    done = server.run_command("job", "edit", name, "--subject", "default", "--message", "two",
                              "--remove-message-attribute", "kind", "--sns-access-key-id", "default")
    assert done.returncode == 0, done.stderr
    target = api.job(name)["target"]
    assert (target["subject"], target["message"], target["credentials"]) == (None, "two", None)
    assert target["message_attributes"] == {"size": 7}
    assert carried_out(api, name)["verdict"] == "succeeded"


@pytest.mark.parametrize("arguments,words", [
    (["--sns-access-key-id", "AKIAIOSFODNN7EXAMPLE", "--sns-secret-access-key", "hunter2"],
     "can be read by every user"),
    (["--sns-access-key-id", "AKIAIOSFODNN7EXAMPLE"], "credentials are a pair"),
    (["--url", "http://127.0.0.1/"], "a job has one target"),
    (["--message-attribute", "x"], "--message-attribute takes NAME=VALUE")])
def test_the_command_line_refuses(server, arguments, words):
    done = server.run_command("job", "add", "x", "--never", "--sns-topic", topic(), *arguments)
    assert done.returncode == 2 and words in done.stderr and "hunter2" not in done.stderr


# ---- another implementation ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def moto(tmp_path_factory):
    if not Moto.PYTHON.exists():
        pytest.skip("moto is not installed: pip could not reach PyPI; see tests/requirements.txt")
    moto = Moto(tmp_path_factory.mktemp("moto"))
    yield moto
    moto.stop()


@pytest.fixture(scope="module")
def moto_api(tmp_path_factory, moto):
    environment = {"AWS_ENDPOINT_URL": moto.url, "AWS_ACCESS_KEY_ID": AwsFake.KEY,
                   "AWS_SECRET_ACCESS_KEY": AwsFake.SECRET, "HOME": "/nonexistent"}
    server = Server(tmp_path_factory.mktemp("server"), environment=environment).start()
    yield Client(server)
    assert server.stop() == 0, server.log()[-3000:]


def element(text, name):
    return html.unescape(re.search(f"<{name}>(.*?)</{name}>", text, re.S).group(1))


def subscribed_queue(moto, arn, name, **fields):
    """The URL of a new queue that gets what the topic delivers."""
    url = element(moto.sqs(Action="CreateQueue", QueueName=name, **fields), "QueueUrl")
    moto.sns(Action="Subscribe", TopicArn=arn, Protocol="sqs",
             Endpoint=f"arn:aws:sqs:{REGION}:123456789012:{name}")
    return url


def received(moto, url):
    text = moto.sqs(Action="ReceiveMessage", QueueUrl=url, MaxNumberOfMessages="10")
    return [json.loads(html.unescape(body)) for body in re.findall("<Body>(.*?)</Body>", text, re.S)]


def test_moto_delivers_what_is_published(moto, moto_api, name):
    arn = element(moto.sns(Action="CreateTopic", Name="plain"), "TopicArn")
    queue = subscribed_queue(moto, arn, "plain")
    add(moto_api, name, arn, target={"message": "grüße {{run.id}}", "subject": "of {{attempt}}",
                                     "message_attributes": {"size": 7}})
    run = carried_out(moto_api, name)
    assert run["verdict"] == "succeeded", run
    (envelope,) = received(moto, queue)
    assert envelope["Message"] == "grüße " + run["id"] and envelope["Subject"] == "of 1"
    assert envelope["MessageAttributes"]["Cronally-Run"] == {"Type": "String", "Value": run["id"]}
    assert envelope["MessageAttributes"]["size"]["Type"] == "Number"


def test_moto_delivers_to_a_fifo_topic(moto, moto_api, name):
    fields = {"Attributes.entry.1.key": "FifoTopic", "Attributes.entry.1.value": "true"}
    arn = element(moto.sns(Action="CreateTopic", Name="ordered.fifo", **fields), "TopicArn")
    queue = subscribed_queue(moto, arn, "ordered.fifo",
                             **{"Attribute.1.Name": "FifoQueue", "Attribute.1.Value": "true"})
    add(moto_api, name, arn, target={"message": "one"})
    assert carried_out(moto_api, name)["verdict"] == "succeeded"
    (envelope,) = received(moto, queue)
    assert envelope["Message"] == "one"


def test_moto_refuses_a_topic_that_is_not_there(moto_api, name):
    add(moto_api, name, topic("nothing"))
    run = carried_out(moto_api, name)
    assert (run["verdict"], run["reason"]) == ("failed", "refused")
    assert run["attempts"][0]["error"].startswith("NotFound: ")
