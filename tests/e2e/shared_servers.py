"""Servers on one PostgreSQL: started together, looked at one by one, and what they did judged."""

import collections
import contextlib
import http.client
import secrets

import checker
import kill_run
from kill_run import now_us
from processes import Server, wait_until

SECOND = 1_000_000
TTL_S = 2
JOBS = 20
AT_MOST_ONCE = {"delivery": "at_most_once", "retry": {"attempts": 1}}  # of a job


class Nodes:
    """Servers on one database, with the same key and admin token, on data directories of their own."""

    def __init__(self, folder, database, count, *arguments):
        key, token = secrets.token_bytes(32), "cronally_" + secrets.token_urlsafe(32)
        self.all = []
        for number in range(count):
            server = Server(folder / f"n{number}", "--database", database, "--lease-ttl",
                            f"{TTL_S}s", *arguments)
            for name, content in (("master.key", key), ("admin-token", token.encode() + b"\n")):
                (server.data / name).write_bytes(content)
                (server.data / name).chmod(0o600)
            self.all.append(server)

    def start(self):
        """All at the same moment."""
        for server in self.all:
            server.spawn()
        for server in self.all:
            server.wait_ready()
        return self

    def end(self):
        for server in self.all:
            if server.process and server.process.poll() is None:
                server.kill()

    def wait_shared(self):
        """Until every one has its share of the shards."""
        fair = -(-64 // len(self.all))
        least = 64 - fair * (len(self.all) - 1)
        wait_until(lambda: all(shards(server) >= least for server in self.all),
                   what="a share of the shards for each")


@contextlib.contextmanager
def nodes(folder, database, count, *arguments):
    made = Nodes(folder, database, count, *arguments)
    try:
        yield made.start()
    finally:
        made.end()


def asked(server, path, method="GET", timeout=10):
    """Status and text of an answer, with the server's own token."""
    connection = http.client.HTTPConnection(server.address, timeout=timeout)
    connection.request(method, path, headers={"Authorization": f"Bearer {server.token}"})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, body


def metric(server, name):
    """The lines of a metric, labels to value."""
    _, page = asked(server, "/metrics")
    found = {}
    for line in page.splitlines():
        if line.startswith(name) and line[len(name)] in "{ ":
            labels, value = line[len(name):].rsplit(" ", 1)
            found[labels] = float(value)
    return found


def shards(server):
    return metric(server, "cronally_shards_owned")[""]


def node_of(server):
    return next(iter(metric(server, "cronally_node_info"))).split('"')[1]


def judged(api, jobs, receiver, deaths=(), unrecorded=()):
    """The requests of these jobs, all that was due by now being settled, and nothing being wrong."""
    until = now_us()
    wait_until(lambda: kill_run.settled(api, until), 30, step=0.1, what="the end of all runs")
    runs = api.pages("/v2/runs")
    requests = receiver.records(path="/kill")
    findings = kill_run.judge(checker.Evidence(jobs, until, requests, runs, [], list(deaths),
                                               unrecorded=list(unrecorded)))
    assert not findings.counts(), str(findings)
    assert sum(1 for _ in checker.due_of(checker.Evidence(jobs, until, [], [], [], []))) > 0
    return requests


def judged_at_most_once(api, jobs, receiver):
    """As judged(), of jobs that are sent at most once; here each occurrence was, and succeeded."""
    requests = judged(api, jobs, receiver)
    times = collections.Counter((request["job"], request["scheduled_at"]) for request in requests)
    assert set(times.values()) == {1}, times.most_common(3)
    ended = collections.Counter((run["verdict"], run["reason"])
                                for run in api.pages("/v2/runs", state="ended"))
    assert {verdict for verdict, _ in ended} == {"succeeded"}, ended
    return requests


def latest(requests, since):
    """The longest lateness of first attempts and successors that came after `since`, in seconds."""
    return max((request["t_us"] - checker.instant_us(request["scheduled_at"])) / SECOND
               for request in requests if request["t_us"] >= since)
