"""What goes over from server to server on one PostgreSQL, while nothing is broken."""

import random
import time

import kill_run
from client import Client
from checker import instant_text, instant_us
from kill_run import now_us
from shared_servers import AT_MOST_ONCE, SECOND, judged_at_most_once, latest, node_of, nodes


def test_servers_that_come_and_go_cost_an_at_most_once_job_nothing(tmp_path, database, receiver):
    chance = random.Random(11)
    with nodes(tmp_path, database, 2) as cluster:
        stays, comes_and_goes = cluster.all
        api = Client(stays, checks=False)
        jobs = kill_run.add_jobs(api, receiver, 100, **AT_MOST_ONCE)
        cluster.wait_shared()
        shared = now_us()
        for _ in range(6):
            time.sleep(chance.uniform(0.2, 1.2))
            assert comes_and_goes.stop() == 0
            time.sleep(chance.uniform(0.2, 1.2))
            comes_and_goes.start()
            cluster.wait_shared()
        assert latest(judged_at_most_once(api, jobs, receiver), shared) <= 1


def test_a_job_made_just_before_its_first_instant_runs_whoever_owns_it(tmp_path, database,
                                                                       receiver):
    with nodes(tmp_path, database, 2) as cluster:
        cluster.wait_shared()
        api = Client(cluster.all[0], checks=False)
        owed = {}
        for number in range(100):
            first = now_us() + 1_000 + number % 20 * 1_000
            job = api.add(f"just-{number}", receiver.url("/just"), "@every 1h",
                          anchor=instant_text(first), catch_up={"mode": "skip"})
            if instant_us(job["created_at"]) < first:
                owed[job["id"]] = first
            time.sleep(0.03)
        assert len(owed) > 20
        records = receiver.wait_for(len(owed), path="/just")
        assert {record["job"]: instant_us(record["scheduled_at"]) for record in records} == owed
        assert max(record["t_us"] - owed[record["job"]] for record in records) <= SECOND
        # Not all of them at the server that was asked.
        by = {run["attempts"][0]["node"] for run in api.pages("/v2/runs", state="ended")}
        assert by == {node_of(server) for server in cluster.all}
