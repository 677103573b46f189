"""commit_proxy.py on a host, under control of the harness."""

import json
import pathlib
import subprocess
import threading

from processes import clean_environment

PROGRAM = pathlib.Path(__file__).resolve().parent / "commit_proxy.py"
FIRST_PORT = 6001


class CommitProxy:
    """Clients on that host reach the databases through `addresses`, and a commit can be cut. Each
    cut is added to `cuts`: {t, cut}."""

    def __init__(self, network, host, targets, cuts):
        self.addresses = self.addresses_of(targets)
        self.cuts = cuts
        routes = [f"{address.rsplit(':', 1)[1]}={target}"
                  for address, target in zip(self.addresses, targets)]
        self.process = subprocess.Popen(
            network.command(host, "/usr/bin/python3", PROGRAM, *routes), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=clean_environment())
        if self.process.stdout.readline() != "ready\n":
            raise AssertionError("the proxy did not start")
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def addresses_of(targets):
        """Where a proxy in front of them listens."""
        return [f"127.0.0.1:{FIRST_PORT + number}" for number in range(len(targets))]

    def _listen(self):
        for line in self.process.stdout:
            self.cuts.append(json.loads(line))

    def cut_next(self, mode):
        """The next commit is cut: before, during or after it."""
        self._say(f"cut {mode}")

    def delay(self, ms, jitter_ms):
        """Every message takes so long, each way, from now on."""
        self._say(f"delay {ms} {jitter_ms}")

    def implicit(self, on):
        """Whether a pipeline's Sync outside of a transaction block counts as a commit."""
        self._say(f"implicit {'on' if on else 'off'}")

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
