"""The real programs under test: a server on a data directory, and the receiver of deliveries.

CRONALLY_BIN, CRONALLY_RECEIVER and CRONALLY_AWS_FAKE choose other programs than those of the release
build.
"""

import http.client
import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
READY_MAX_S = 20


def program(variable, *candidates):
    """The path of a program under test, from the environment or the release build."""
    for path in [os.environ.get(variable), *[ROOT / name for name in candidates]]:
        if path and os.access(path, os.X_OK):
            return str(path)
    raise FileNotFoundError(
        f"{candidates[0]} is not built; run `cmake --preset release` and "
        f"`ninja -C build/release cronally receiver aws_fake`, or set {variable}")


def cronally_program():
    return program("CRONALLY_BIN", "build/release/cronally")


def receiver_program():
    return program("CRONALLY_RECEIVER", "build/release/tests/support/receiver")


def clean_environment(**more):
    """The environment without anything that would lead a program to another server, proxy or cloud."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("CRONALLY_", "AWS_")) and not name.lower().endswith("_proxy")}
    kept.update(LC_ALL="C.UTF-8", TZ="UTC", **more)
    return kept


def wait_until(condition, timeout=10.0, step=0.02, what="the condition"):
    """The first true value of condition(); fails after `timeout` seconds."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            said = what() if callable(what) else what
            raise AssertionError(f"{said} did not come true within {timeout} s")
        time.sleep(step)


class Server:
    """`cronally serve` on `home`/data; its log is `home`/server.log and grows over restarts."""

    def __init__(self, home, *arguments, environment=None, program=None):
        self.program = program if isinstance(program, list) else [program or cronally_program()]
        self.home = pathlib.Path(home)
        self.data = self.home / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self.data.chmod(0o700)
        self.log_file = self.home / "server.log"
        self.arguments = arguments
        self.environment = environment or {}
        self.process = None
        self.address = None

    def spawn(self):
        """Starts the process and does not wait for it."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(
                [*self.program, "serve", *self._listen(), "--data-dir", str(self.data),
                 *self.arguments],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.home,
                env=clean_environment(**self.environment))
        return self

    def _listen(self):
        return [] if "--listen" in self.arguments else ["--listen", "127.0.0.1:0"]

    def start(self):
        """Starts and waits for readiness. Returns the server."""
        self.spawn()
        self.wait_ready()
        return self

    def wait_ready(self, timeout=READY_MAX_S):
        wait_until(self._ready, timeout, step=0.005, what="readiness of the server")

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the server ended with {self.process.returncode}:\n"
                                 + self.log()[-3000:])
        try:
            record = json.loads((self.data / "server.json").read_text())
        except (OSError, ValueError):
            return False
        if record.get("pid") != self.process.pid:
            return False
        self.url = record["url"]
        self.address = self.url.split("//")[1].rstrip("/")
        return self.status_of("/readyz") == 200

    def status_of(self, path):
        """The status of a GET without a token; None when nothing answers."""
        try:
            connection = http.client.HTTPConnection(self.address, timeout=2)
            connection.request("GET", path)
            status = connection.getresponse().status
            connection.close()
            return status
        except OSError:
            return None

    @property
    def pid(self):
        return self.process.pid

    @property
    def token(self):
        return (self.data / "admin-token").read_text().strip()

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def signal(self, number):
        self.process.send_signal(number)

    def kill(self):
        """kill -9, and waits for the end."""
        self.process.kill()
        self.process.wait()

    def stop(self, timeout=40):
        """SIGTERM; returns the exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError(f"the server did not stop within {timeout} s") from None
        return self.process.returncode

    def run_command(self, *arguments, stdin=None, environment=None, timeout=60):
        """Runs a verb of the command line against this server's data directory."""
        return subprocess.run(
            [cronally_program(), *arguments], input=stdin, text=True, capture_output=True,
            timeout=timeout, cwd=self.home, stdin=None if stdin is not None else subprocess.DEVNULL,
            env=clean_environment(CRONALLY_DATA_DIR=str(self.data), **(environment or {})))

    def rss_kib(self):
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().split("\n"):
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
        raise AssertionError("no VmRSS")


class Standby(Server):
    """`cronally serve --standby` on the data directory of another server; its log is JSON."""

    def __init__(self, home, first):
        super().__init__(home, "--standby", "--log-level", "info", "--log-format", "json")
        self.data.rmdir()
        self.data = first.data

    def start(self):
        """Starts and waits until it stands by. Returns the server."""
        self.spawn()
        self.url = wait_until(self._named_url, what="the standby's address in its log")
        self.address = self.url.split("//")[1]
        return self

    def _named_url(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the standby ended with {self.process.returncode}:\n" + self.log())
        lines = [json.loads(line) for line in self.log().splitlines()]
        return next((line["url"] for line in lines if line.get("message") == "standing by"), None)


class Receiver:
    """tests/support/receiver with its log, one record for each request it has read. With the `port`
    of one that has stopped it comes back in its place, and goes on with its log."""

    host = "127.0.0.1"

    def __init__(self, home, *arguments, name="receiver", program=None, environment=None, port=0):
        self.log_file = pathlib.Path(home) / f"{name}.jsonl"
        words = program if isinstance(program, list) else [program or receiver_program()]
        self.process = subprocess.Popen(
            [*words, "--port", str(port), "--log", str(self.log_file), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env=clean_environment(**(environment or {})))
        line = self.process.stdout.readline()
        if not line.strip():
            raise AssertionError("the receiver did not start: " + self.process.stderr.read())
        self.port = int(line)

    def url(self, path="/"):
        return f"http://{self.host}:{self.port}{path}"

    def records(self, begin=0, **wanted):
        """The log so far: whole lines that begin at the byte `begin` or behind it; `wanted` keeps
        those whose fields are equal."""
        if not self.log_file.exists():
            return []
        with open(self.log_file, "rb") as log:
            if begin > 0:
                log.seek(begin - 1)
                log.readline()
            text = log.read().decode()
        records = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        return [record for record in records
                if all(record[key] == value for key, value in wanted.items())]

    def wait_for(self, count, timeout=10.0, step=0.02, **wanted):
        """Waits for at least `count` records that match, and returns them."""
        def enough():
            found = self.records(**wanted)
            return found if len(found) >= count else None
        return wait_until(enough, timeout, step, what=f"{count} requests {wanted or ''}")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()
