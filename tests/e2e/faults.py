"""What the fault tests inject, and a service under load to inject it into.

Each fault is a context or a function that needs root or a tool; where this machine has it not, it
raises Impossible with the reason, and the caller counts the row as skipped.
"""

import contextlib
import fcntl
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import threading
import time

import checker
import kill_run
from client import Client
from processes import ROOT, Receiver, Server, wait_until

FS_IOC_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32), linux/fs.h
GOING_FLAGS_NOLOGFLUSH = 2    # as a power cut: the journal is not flushed either


class Impossible(Exception):
    """This machine cannot do it; the text says why."""


def need_root():
    if os.geteuid() != 0:
        raise Impossible("needs root")


def need_program(name):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if not path:
        raise Impossible(f"{name} is not installed")
    return path


def hooks_program():
    """The optimised build that heeds a test's clock."""
    return hooks_build("cronally")


def hooks_receiver():
    return hooks_build("tests/support/receiver")


def hooks_build(name):
    path = ROOT / "build/hooks" / name
    if not os.access(path, os.X_OK):
        raise Impossible(f"build/hooks/{name} is not built: cmake --preset hooks, then "
                         "ninja -C build/hooks cronally receiver")
    return str(path)


# ---- disks ----------------------------------------------------------------------------------------

def run_quietly(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise Impossible(f"{pathlib.Path(command[0]).name}: {done.stderr.strip()[:200]}")


@contextlib.contextmanager
def mounted(folder, *arguments):
    """A mount on `folder`, made; gone afterwards."""
    need_root()
    folder.mkdir(parents=True, exist_ok=True)
    run_quietly(need_program("mount"), *arguments, folder)
    try:
        yield folder
    finally:
        subprocess.run([need_program("umount"), "-l", str(folder)], capture_output=True)


def small_disk(folder, mib):
    return mounted(folder, "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs")


class LoopDisk:
    """An ext4 of its own in a file, whose power can be cut."""

    def __init__(self, folder, mib=256):
        need_root()
        self.image = folder / "disk.img"
        self.path = folder / "disk"
        self.path.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(mib << 20)
        run_quietly(need_program("mkfs.ext4"), "-q", "-F", self.image)
        self.mount()

    def mount(self):
        run_quietly(need_program("mount"), "-o", "loop", self.image, self.path)

    def unmount(self):
        """A process that has just been killed may hold it for a moment."""
        wait_until(lambda: subprocess.run(["umount", str(self.path)],
                                          capture_output=True).returncode == 0, 10, step=0.05,
                   what="the end of the mount")

    def remove(self):
        subprocess.run(["umount", "-l", str(self.path)], capture_output=True)

    def cut_power(self):
        """From here on nothing reaches the disk: what was not flushed is lost."""
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(handle, FS_IOC_SHUTDOWN, struct.pack("I", GOING_FLAGS_NOLOGFLUSH))
        except OSError as error:
            raise Impossible(f"this kernel cannot shut an ext4 down: {error}") from None
        finally:
            os.close(handle)


def fill(folder):
    """Takes all the space of a disk but what its file system keeps; returns the file."""
    filler = folder / "filler"
    with open(filler, "wb") as out:
        for piece in (1 << 20, 4096):
            with contextlib.suppress(OSError):
                while True:
                    os.write(out.fileno(), b"x" * piece)
    return filler


# ---- system calls ---------------------------------------------------------------------------------

class Injection:
    """strace on all threads of a process: `inject` into the system calls `calls`."""

    def __init__(self, pid, calls, inject, log):
        self.log = pathlib.Path(log)
        self.process = subprocess.Popen(
            [need_program("strace"), "-f", "-ttt", "-o", str(self.log), "-p", str(pid),
             "-e", f"trace={calls}", "-e", f"inject={calls}:{inject}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        first = self.process.stderr.readline()
        if "attached" not in first:
            raise Impossible(f"strace: {first.strip()}")
        # Its pipe must not fill: it says a line for each thread.
        threading.Thread(target=self.process.stderr.read, daemon=True).start()

    def calls(self):
        """(instant in seconds, call, whether it was injected) of each call so far."""
        found = []
        for line in self.log.read_text(errors="replace").splitlines():
            match = re.match(r"\d+ +(\d+\.\d+) +(?:<\.\.\. )?(\w+)", line)
            if match and "unfinished" not in line and "=" in line:
                found.append((float(match.group(1)), match.group(2), "INJECTED" in line))
        return found

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait()


# ---- the clock ------------------------------------------------------------------------------------

class TestClock:
    """The clock of a server of the hooks build, moved while it runs."""

    __test__ = False

    def __init__(self, folder):
        self.file = pathlib.Path(folder) / "clock"
        self.set()

    def set(self, offset_s=0, ahead_s=0, rate=1):
        """`offset_s`: the wall clock is set; `ahead_s`: the machine slept; `rate`: both run so."""
        sign = "-" if offset_s < 0 else ""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"offset={sign}{abs(offset_s)}s ahead={ahead_s}s rate={rate}\n")
        fresh.replace(self.file)
        time.sleep(0.01)  # the server looks every 2 ms

    def service(self, folder, **more):
        """A service whose server and receiver both go by this clock."""
        environment = {"CRONALLY_TEST_CLOCK_FILE": str(self.file)}
        return Service(folder, program=hooks_program(), environment=environment,
                       receiver=Receiver(folder, program=hooks_receiver(),
                                         environment=environment), **more)


# ---- a service under load --------------------------------------------------------------------------

class Service:
    """A server with `count` jobs `@every 1s`, catch-up all, and what became of them all."""

    def __init__(self, folder, count=40, home=None, program=None, environment=None,
                 receiver=None, path="/kill"):
        self.server = Server(home or folder, "--log-level", "warning", environment=environment,
                             program=program)
        self.receiver = receiver or Receiver(folder)
        self.deaths = []
        self.jobs = []
        try:
            self.again()
            if count:
                self.jobs = kill_run.add_jobs(self.api, self.receiver, count, path)
                self.receiver.wait_for(count, timeout=10)
        except BaseException:
            self.close()
            raise

    def again(self):
        """Starts the server, and once more after its death."""
        self.server.start()
        self.api = Client(self.server, checks=False)

    def died(self):
        """Notes that the server has ended, or ends it."""
        self.deaths.append(kill_run.kill(self.server))

    def ready_text(self):
        """What /readyz says; the empty text when nothing answers."""
        try:
            answer = Client(self.server, token="", checks=False).send("GET", "/readyz", timeout=5)
            return answer.body.decode()
        except OSError:
            return ""

    def wait_unready(self, word, timeout=15):
        wait_until(lambda: word in self.ready_text(), timeout, step=0.02, what=f"unready: {word}")

    def wait_again(self, timeout=30):
        """Seconds until the server is ready."""
        begun = time.monotonic()
        wait_until(lambda: self.ready_text() == "ok\n", timeout, step=0.02,
                   what=lambda: f"readiness ({self.ready_text()})")
        return time.monotonic() - begun

    def requests(self):
        return self.receiver.records()

    def rows(self, sql, *values):
        """Rows of the database, read while the server runs or has stopped."""
        with kill_run.open_database(self.server) as database:
            return database.execute(sql, values).fetchall()

    def cpu_s(self):
        """Processor time of the server so far."""
        fields = pathlib.Path(f"/proc/{self.server.pid}/stat").read_text().rsplit(")", 1)[1]
        user, system = fields.split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def lateness_ms(self, since_us=0):
        return [(record["t_us"] - checker.instant_us(record["scheduled_at"])) / 1000
                for record in self.requests() if record["t_us"] >= since_us]

    def finish(self, until=None):
        """Stops in order once everything due is settled; the checker's findings."""
        time.sleep(1.5)
        until = until or kill_run.now_us()
        time.sleep(0.2)
        wait_until(lambda: kill_run.settled(self.api, until), 60, step=0.2, what="all verdicts")
        runs = self.api.pages("/v2/runs")
        requests = self.requests()
        self.server.stop()
        evidence = checker.Evidence(self.jobs, until, requests, runs,
                                    kill_run.spans_of(self.server), self.deaths)
        findings = kill_run.judge(evidence)
        if kill_run.integrity(self.server) != "ok":
            findings.add("corrupt", kill_run.integrity(self.server))
        self.due = len(checker.due_of(evidence))
        return findings

    def close(self):
        if self.server.process and self.server.process.poll() is None:
            self.server.kill()
        self.receiver.stop()


class Writers:
    """Threads that create jobs until stopped, and remember which were acknowledged."""

    def __init__(self, server, threads=2):
        self.acknowledged = []
        self.refused = []  # (status, code)
        self.took_s = []
        self.stopping = False
        self.threads = [threading.Thread(target=self._write, args=(server, number), daemon=True)
                        for number in range(threads)]
        for thread in self.threads:
            thread.start()

    def _write(self, server, number):
        api = Client(server, checks=False)
        turn = random.getrandbits(40)
        for i in range(1_000_000):
            if self.stopping:
                return
            name = f"written {number} {turn} {i}"
            body = {"name": name, "schedule": "@never",
                    "target": {"type": "http", "url": "http://127.0.0.1:9/"}}
            begun = time.monotonic()
            try:
                answer = api.send("POST", "/v2/jobs", body, timeout=20)
            except (OSError, ValueError, EOFError):
                return
            except Exception as error:  # http.client has many for a peer that died
                if type(error).__module__ != "http.client":
                    raise
                return
            self.took_s.append(time.monotonic() - begun)
            if answer.status == 201:
                self.acknowledged.append(name)
            else:
                self.refused.append((answer.status, (answer.json or {}).get("code")))
                time.sleep(0.05)

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join()

    def lost(self, api):
        """Acknowledged names that the server does not know."""
        known = {job["name"] for job in api.pages("/v2/jobs", name_prefix="written ")}
        if not self.acknowledged:
            raise AssertionError("nothing was acknowledged, so nothing could be lost")
        return [name for name in self.acknowledged if name not in known]
