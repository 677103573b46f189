"""SNS, measured: a thousand publishes a second to a strict stand-in for AWS that throttles, a thousand
through moto at its own speed, credentials that end in mid-run.

    prove_sns.py [--only POINT ...]

The judge is the stand-in's log: it verifies every signature and every field.
"""

import statistics
import sys
import time

import load
import proving
from aws_peers import AwsFake, Moto
from checker import instant_text, instant_us, percentile
from client import Client
from processes import Server, wait_until
from proving import ms

RATE = 1000
SECONDS = 30
THROTTLE_EVERY = 50
MOTO_MESSAGES = 1000
LIFETIME_S = 8
MID_RUN_S = 30
TOPIC = "arn:aws:sns:eu-west-1:123456789012:reports"


def sns_job(name, schedule, arn=TOPIC, **more):
    return {"name": name, "schedule": schedule, "target": {"type": "sns", "topic_arn": arn}, **more}


def steady_jobs(count):
    """`count` jobs, each due once a second, at instants spread over the second."""
    base = load.now_us() // load.SECOND * load.SECOND
    retry = {"attempts": 10, "backoff_min": "50ms", "backoff_max": "1s"}
    return [sns_job(f"sns {number}", "@every 1s", retry=retry,
                    anchor=instant_text(base + number * load.SECOND // count))
            for number in range(count)]


def watched(api, aws, jobs, seconds):
    """What the stand-in was sent for what fell due within so many seconds."""
    load.add_many(api, jobs)
    time.sleep(3)
    begin = load.now_us()
    time.sleep(seconds)
    end = load.now_us()
    time.sleep(5)
    return [record for record in aws.published()
            if begin <= instant_us(scheduled_of(record)) < end]


def field_of(record, name):
    form, number = record["form"], 1
    while form[f"MessageAttributes.entry.{number}.Name"] != name:
        number += 1
    return form[f"MessageAttributes.entry.{number}.Value.StringValue"]


def scheduled_of(record):
    return field_of(record, "Cronally-Scheduled-At")


def run_of(record):
    return field_of(record, "Cronally-Run")


def add_delivery_rows(table, label, records, wanted):
    taken = [record for record in records if record["status"] == 200]
    runs = [run_of(record) for record in taken]
    table.add(f"{label}: messages taken", f"{wanted} +- 0.1 %", str(len(taken)),
              abs(len(taken) - wanted) <= wanted / 1000)
    table.add(f"{label}: runs taken twice", "0", str(len(runs) - len(set(runs))),
              len(runs) == len(set(runs)))
    open_runs = {run_of(record) for record in records} - set(runs)
    table.add(f"{label}: runs never taken", "0", str(len(open_runs)), not open_runs)
    attempts = [(run_of(record), field_of(record, "Cronally-Attempt")) for record in records]
    table.add(f"{label}: attempt numbers sent twice", "0",
              str(len(attempts) - len(set(attempts))), len(attempts) == len(set(attempts)))


def prove_throttled(table, folder, given):
    aws = AwsFake(folder, "--throttle-every", str(THROTTLE_EVERY))
    server = Server(folder, "--log-level", "warning", environment=aws.environment(
        AWS_ACCESS_KEY_ID=AwsFake.KEY, AWS_SECRET_ACCESS_KEY=AwsFake.SECRET)).start()
    try:
        cpu, begun = load.cpu_seconds(server.pid), time.monotonic()
        records = watched(Client(server, checks=False), aws, steady_jobs(RATE), SECONDS)
        share = (load.cpu_seconds(server.pid) - cpu) / (time.monotonic() - begun)
        label = f"sns {RATE:,}/s for {SECONDS} s, each {THROTTLE_EVERY}th throttled"
        throttled = sum(record["status"] == 400 for record in records)
        table.add(f"{label}: throttled", f"about {RATE * SECONDS // THROTTLE_EVERY}",
                  str(throttled), throttled >= RATE * SECONDS // THROTTLE_EVERY * 0.9)
        table.add(f"{label}: other refusals", "0",
                  str(sum(record["status"] not in (200, 400) for record in records)),
                  all(record["status"] in (200, 400) for record in records))
        add_delivery_rows(table, label, records, RATE * SECONDS)
        late = [record["t_us"] - instant_us(scheduled_of(record)) for record in records
                if field_of(record, "Cronally-Attempt") == "1"]
        table.add(f"{label}: first attempt at the stand-in, p50 / p99 after the instant", "reported",
                  f"{ms(percentile(late, 0.5))} / {ms(percentile(late, 0.99))}")
        table.add(f"{label}: processor", "reported", f"{share:.1%} of a core")
    finally:
        server.kill()
        aws.stop()


def prove_renewal(table, folder, given):
    aws = AwsFake(folder, "--lifetime", f"{LIFETIME_S}s", "--container-token", "t")
    server = Server(folder, "--log-level", "warning", environment=aws.environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/container-credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="t")).start()
    try:
        records = watched(Client(server, checks=False), aws, steady_jobs(RATE), MID_RUN_S)
        label = f"sns {RATE:,}/s, credentials end each {LIFETIME_S} s"
        keys = len({record["key"] for record in records})
        table.add(f"{label}: credentials used", f">= {MID_RUN_S // LIFETIME_S}", str(keys),
                  keys >= MID_RUN_S // LIFETIME_S)
        refused = sum(record["status"] != 200 for record in records)
        table.add(f"{label}: publishes refused", "0", str(refused), refused == 0)
        add_delivery_rows(table, label, records, RATE * MID_RUN_S)
    finally:
        server.kill()
        aws.stop()


def prove_refused(table, folder, given):
    """The stand-in ends credentials long before they say so: each end is heard from AWS alone."""
    aws = AwsFake(folder, "--lifetime", "1h", "--early-end", "59m48s", "--container-token", "t")
    server = Server(folder, "--log-level", "warning", environment=aws.environment(
        AWS_CONTAINER_CREDENTIALS_FULL_URI=aws.url + "/container-credentials",
        AWS_CONTAINER_AUTHORIZATION_TOKEN="t")).start()
    try:
        records = watched(Client(server, checks=False), aws, steady_jobs(RATE), 12)
        label = f"sns {RATE:,}/s, AWS calls credentials expired after 12 s"
        refused = sum(record["status"] == 403 for record in records)
        table.add(f"{label}: publishes refused", ">= 1", str(refused), refused >= 1)
        asked = len(aws.records("container"))
        table.add(f"{label}: searches for credentials", "2", str(asked), asked == 2)
        add_delivery_rows(table, label, records, RATE * 12)
    finally:
        server.kill()
        aws.stop()


def prove_moto(table, folder, given):
    moto = Moto(folder)
    server = Server(folder, "--log-level", "warning", environment={
        "AWS_ENDPOINT_URL": moto.url, "AWS_ACCESS_KEY_ID": AwsFake.KEY,
        "AWS_SECRET_ACCESS_KEY": AwsFake.SECRET, "HOME": "/nonexistent"}).start()
    try:
        moto.sns(Action="CreateTopic", Name="reports")
        api = Client(server, checks=False)
        due = load.now_us() + 3 * load.SECOND
        load.add_many(api, [sns_job(f"moto {number}", f"@at {instant_text(due)}")
                            for number in range(MOTO_MESSAGES)])
        runs = wait_until(lambda: len(found := ended_runs(api)) == MOTO_MESSAGES and found, 120,
                          step=0.5, what=lambda: f"the end of {MOTO_MESSAGES} runs")
        good = sum(run["verdict"] == "succeeded" for run in runs)
        took = (max(instant_us(run["attempts"][-1]["ended_at"]) for run in runs) - due) / 1e6
        table.add(f"sns: {MOTO_MESSAGES:,} publishes through moto: taken", str(MOTO_MESSAGES),
                  str(good), good == MOTO_MESSAGES)
        table.add(f"sns: {MOTO_MESSAGES:,} publishes through moto: rate", "moto's own",
                  f"{MOTO_MESSAGES / took:.0f}/s")
        attempts = statistics.mean(len(run["attempts"]) for run in runs)
        table.add(f"sns: {MOTO_MESSAGES:,} publishes through moto: attempts a run", "reported",
                  f"{attempts:.2f}")
    finally:
        server.kill()
        moto.stop()


def ended_runs(api):
    return [run for run in api.pages("/v2/runs") if run["state"] == "ended"]


def prove_all(table, folder, given):
    """Each on a folder of its own."""
    for name, point in (("throttled", prove_throttled), ("renewal", prove_renewal),
                        ("refused", prove_refused), ("moto", prove_moto)):
        (folder / name).mkdir()
        point(table, folder / name, given)


POINTS = {"sns": prove_all}


def main():
    given = proving.parser(POINTS, __doc__.split("\n", 1)[0]).parse_args()
    return proving.prove(POINTS, given)


if __name__ == "__main__":
    sys.exit(main())
