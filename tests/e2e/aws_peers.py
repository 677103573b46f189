"""What stands in for AWS: a strict fake of our own, and moto's server."""

import http.client
import json
import pathlib
import socket
import subprocess
import urllib.parse

from ports import ReservedPort
from processes import ROOT, clean_environment, program, wait_until


class AwsFake:
    """tests/support/aws_fake with its log: what it was sent, and what it said."""

    KEY = "AKIAIOSFODNN7EXAMPLE"
    SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"

    def __init__(self, home, *arguments, name="aws_fake"):
        self.log_file = pathlib.Path(home) / f"{name}.jsonl"
        self.process = subprocess.Popen(
            [program("CRONALLY_AWS_FAKE", "build/release/tests/support/aws_fake"),
             "--log", str(self.log_file), *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=clean_environment())
        line = self.process.stdout.readline()
        if not line.strip():
            raise AssertionError("the stand-in for AWS did not start")
        self.url = f"http://127.0.0.1:{int(line)}"

    def environment(self, **more):
        """What leads a server here; the host's own files and metadata service are left out."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_EC2_METADATA_DISABLED": "true",
                "HOME": "/nonexistent", **more}

    def records(self, action=None, **wanted):
        """Its log so far; `wanted` keeps those whose form has these fields."""
        if not self.log_file.exists():
            return []
        text = self.log_file.read_text()
        records = [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]
        if action:
            wanted["Action"] = action
        return [record for record in records
                if all(record["form"].get(key) == value for key, value in wanted.items())]

    def published(self, **wanted):
        return self.records("Publish", **wanted)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


class Moto:
    """moto's server (PyPI), of the environment that tests/requirements.txt describes."""

    PYTHON = ROOT / "build/python/bin/python"

    def __init__(self, home):
        if not self.PYTHON.exists():
            raise FileNotFoundError("build/python is missing; run `bash -c '. tools/install; "
                                    "python_environment'`, as ./test does")
        self.reserved = ReservedPort()
        self.port = self.reserved.number
        self.url = f"http://127.0.0.1:{self.port}"
        with open(pathlib.Path(home) / "moto.log", "ab") as log:
            self.process = subprocess.Popen(
                [str(self.PYTHON), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean_environment(HOME=str(home)))
        wait_until(self._listens, 60, step=0.1, what="moto's server")

    def _listens(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def call(self, service, version, **fields):
        """One action of the query protocol; the answer's text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        scope = f"AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/{service}/aws4_request"
        headers = {"Content-Type": "application/x-www-form-urlencoded",
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, "
                                    "Signature=0"}
        connection.request("POST", "/", urllib.parse.urlencode({**fields, "Version": version}),
                           headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        assert answer.status == 200, text
        return text

    def sns(self, **fields):
        return self.call("sns", "2010-03-31", **fields)

    def sqs(self, **fields):
        return self.call("sqs", "2012-11-05", **fields)

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.reserved.release()
