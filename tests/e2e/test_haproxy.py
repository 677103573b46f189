"""packaging/haproxy.cfg, as it ships but for addresses, before two real servers on a PostgreSQL."""

import contextlib
import http.client
import json
import re
import shutil
import subprocess
import threading
import time

import pytest

import kill_run
from client import Client
from kill_run import now_us
from ports import ReservedPort
from processes import ROOT, clean_environment, wait_until
from shared_servers import JOBS, TTL_S, judged, latest, nodes

CONFIGURATION = ROOT / "packaging" / "haproxy.cfg"


def haproxy():
    found = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if found is None:
        pytest.skip("HAProxy is not installed (Debian's haproxy)")
    return found


def configuration(bind, addresses):
    """The shipped text with these addresses; lines of servers that are not there are left out."""
    text = CONFIGURATION.read_text()
    text, count = re.subn(r"^    bind :8787$", f"    bind {bind}", text, flags=re.M)
    assert count == 1
    numbers = {int(number) for number in re.findall(r"^    server n(\d) ", text, flags=re.M)}
    for number in numbers:
        line = (f"    server n{number} {addresses[number - 1]}\n" if number <= len(addresses)
                else "")
        text, count = re.subn(rf"^    server n{number} \S+\n", line, text, flags=re.M)
        assert count == 2, "each server stands in both backends"
    return text


@contextlib.contextmanager
def balancer(folder, addresses):
    """A running HAProxy; its address."""
    reserved = ReservedPort()
    port = reserved.number
    file = folder / "haproxy.cfg"
    file.write_text(configuration(f"127.0.0.1:{port}", addresses))
    with open(folder / "haproxy.log", "wb") as log:
        process = subprocess.Popen([haproxy(), "-db", "-f", str(file)], stdin=subprocess.DEVNULL,
                                   stdout=log, stderr=log, env=clean_environment())
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()
        reserved.release()


def ask(address, token, method, path, body=None, headers=None):
    connection = http.client.HTTPConnection(address, timeout=10)
    try:
        connection.request(method, path, json.dumps(body) if body is not None else None,
                           {"Authorization": f"Bearer {token}", "Content-Type": "application/json",
                            **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def answers(address, token):
    try:
        return ask(address, token, "GET", "/v2/account")[0] == 200
    except OSError:
        return False  # the balancer does not listen yet


class Callers:
    """Threads that read and write through the balancer without pause, and note each answer."""

    def __init__(self, address, token):
        self.address, self.token = address, token
        self.answers = []  # (begun, seconds, what, status or the error)
        self.stopping = False
        self.threads = [threading.Thread(target=self._call, args=(number,), daemon=True)
                        for number in range(2)]
        for thread in self.threads:
            thread.start()

    def _call(self, number):
        for i in range(100_000):
            if self.stopping:
                return
            if i % 2:
                call = ("GET", "/v2/jobs?limit=1", None)
            else:
                call = ("POST", "/v2/jobs", {
                    "name": f"called {number} {i}", "schedule": "@never",
                    "target": {"type": "http", "url": "http://127.0.0.1:9/"}})
            begun = time.monotonic()
            try:
                said, _ = ask(self.address, self.token, *call)
            except (OSError, http.client.HTTPException) as error:
                said = f"{type(error).__name__}: {error}"
            self.answers.append((begun, time.monotonic() - begun, call[:2], said))
            time.sleep(0.01)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()
        return self.answers


@contextlib.contextmanager
def served(folder, database):
    """Two servers that keep their ports over restarts, and the address of the balancer before them."""
    reserved = [ReservedPort() for _ in range(2)]
    ports = [port.number for port in reserved]
    with nodes(folder, database, 2) as cluster:
        for server, port in zip(cluster.all, ports):
            server.stop()
            server.arguments = (*server.arguments, "--listen", f"127.0.0.1:{port}")
        cluster.start()
        with balancer(folder, [f"127.0.0.1:{port}" for port in ports]) as address:
            token = cluster.all[0].token
            wait_until(lambda: answers(address, token), what="an answer through the balancer")
            yield cluster, address, token
    for port in reserved:
        port.release()


def test_the_shipped_configuration_is_valid():
    done = subprocess.run([haproxy(), "-c", "-f", str(CONFIGURATION)], capture_output=True,
                          text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr


def test_a_rolling_restart_is_felt_by_nobody(tmp_path, database, receiver):
    with served(tmp_path, database) as (cluster, address, token):
        jobs = kill_run.add_jobs(Client(cluster.all[0], checks=False), receiver, JOBS)
        cluster.wait_shared()
        receiver.wait_for(JOBS * 2, path="/kill")
        callers = Callers(address, token)
        begun = now_us()
        restarts = []
        for server in cluster.all:
            stopping = time.monotonic()
            assert server.stop() == 0
            server.start()
            restarts.append((stopping, time.monotonic()))
            cluster.wait_shared()
        receiver.wait_for(len(receiver.records()) + JOBS, path="/kill")
        answers = callers.stop()
        failed = [answer for answer in answers if answer[3] not in (200, 201)]
        assert not failed, (len(answers), failed[:5])
        for first, last in restarts:
            assert any(first <= at <= last for at, _, _, _ in answers), "nobody called meanwhile"
        requests = judged(Client(cluster.all[0], checks=False), jobs, receiver)
        assert latest(requests, begun) <= 1


def test_a_server_that_is_killed_costs_the_requests_it_had(tmp_path, database):
    with served(tmp_path, database) as (cluster, address, token):
        callers = Callers(address, token)
        time.sleep(0.5)
        cluster.all[1].kill()
        killed = time.monotonic()
        time.sleep(TTL_S + 1)
        answers = callers.stop()
        failed = [answer for answer in answers if answer[3] not in (200, 201)]
        assert len(failed) <= 2, "one for each caller"
        assert all(begun <= killed for begun, _, _, _ in failed), failed
        assert max(took for _, took, _, _ in answers) < 5


def test_without_a_database_a_server_says_why(tmp_path, postgres):
    address_of_database = postgres.address(postgres.create_database())
    with served(tmp_path, address_of_database) as (_, address, token):
        postgres.stop()
        try:
            def refusal():
                status, body = ask(address, token, "GET", "/v2/jobs")
                return json.loads(body) if status == 503 and body.startswith("{") else None
            problem = wait_until(refusal, 10, step=0.1, what="a reason in JSON")
            assert "database" in problem["detail"], problem
        finally:
            postgres.start()
        wait_until(lambda: ask(address, token, "GET", "/v2/jobs")[0] == 200, 10, step=0.1,
                   what="answers again")
