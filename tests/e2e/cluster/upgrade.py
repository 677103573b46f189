"""A rolling upgrade over a change of the schema, with the program of the version before: nodes of
both versions side by side on one PostgreSQL. A point for `tools/prove cluster`.

The version before is this repository's newest commit whose schema is older; it is built once, into
`build/previous`.
"""

import os
import pathlib
import subprocess
import tempfile
import time

import checker
import kill_run
from client import Client
from cluster.plain import OnePostgres
from faults import Impossible, need_program
from processes import ROOT, Receiver, Server, clean_environment, cronally_program, wait_until
from shared_servers import Nodes, SECOND, judged, latest

MIGRATIONS = "src/store/postgres/migrations"
BUILD_MAX_S = 3600
SIDE_BY_SIDE_S = 10
LATE_MAX_S = 1.0


def git(*words):
    done = subprocess.run([need_program("git"), "-C", str(ROOT), *words], capture_output=True,
                          text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise Impossible(f"git {words[0]}: {done.stderr.strip()[:200]}")
    return done.stdout.strip()


def previous_commit():
    """The newest commit of the main line that has another schema of PostgreSQL."""
    newest = git("log", "-1", "--first-parent", "--format=%H", "--", MIGRATIONS)
    return git("rev-parse", f"{newest}^1")


def previous_program(commit):
    """The `cronally` of that commit, built unless it was before."""
    folder = ROOT / "build" / "previous" / commit[:12]
    program = folder / "build" / "release" / "cronally"
    if not program.exists():
        if not folder.exists():
            git("worktree", "add", "--detach", str(folder), commit)
        for words in (["cmake", "--preset", "release"],
                      ["ninja", "-C", "build/release", "-j", str(os.cpu_count()), "cronally"]):
            done = subprocess.run([need_program(words[0]), *words[1:]], cwd=folder, text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL, timeout=BUILD_MAX_S)
            if done.returncode != 0:
                raise Impossible(f"the version before, {commit[:12]}: {done.stdout[-300:]}")
    return str(program)


def schema_of(postgres):
    return int(postgres.query("SELECT max(version) FROM cronally.schema_version", "cronally")[0])


def edit_through(nodes, receiver, words):
    """A job is made and run through each node, and seen by all others at once."""
    for number, node in enumerate(nodes):
        api = Client(node, checks=False)
        name = f"{words}-{number}"
        api.add(name, receiver.url(f"/{name}"), "@never")
        for other in nodes:
            through = Client(other, checks=False)
            run = through.run_now(name)
            wait_until(lambda: through.run(run["id"])["verdict"] == "succeeded", 10,
                       what="the run of a job that another version made")
            through.close()
        api.close()


def refusal(program, database):
    """What the program says that may not start on this schema, and its exit status."""
    with tempfile.TemporaryDirectory() as home:
        data = pathlib.Path(home) / "data"
        data.mkdir(mode=0o700)
        done = subprocess.run(
            [program, "serve", "--listen", "127.0.0.1:0", "--data-dir", str(data), "--database",
             database], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
            env=clean_environment())
        return done.returncode, done.stderr.strip().splitlines()[-1]


def share_of(runs, begin, end):
    """How many attempts each node made between the two instants."""
    made = {}
    for run in runs:
        for attempt in run["attempts"]:
            if begin <= checker.instant_us(attempt["ended_at"]) <= end:
                made[attempt["node"]] = made.get(attempt["node"], 0) + 1
    return sorted(made.values())


def upgrade(old, folder):
    """The trial; figures for its rows. AssertionError says what went wrong."""
    postgres = OnePostgres()
    receiver = Receiver(folder)
    cluster = Nodes(folder, postgres.url, 2)
    try:
        for node in cluster.all:
            node.program = [old]
        cluster.start()
        cluster.wait_shared()
        schemas = [schema_of(postgres)]
        jobs = kill_run.add_jobs(Client(cluster.all[0], checks=False), receiver)
        begun = kill_run.now_us()
        mixed = None
        for number, node in enumerate(cluster.all):
            assert node.stop() == 0, node.log()[-2000:]
            node.program = [cronally_program()]
            node.start()
            cluster.wait_shared()
            schemas.append(schema_of(postgres))
            edit_through(cluster.all, receiver, f"new-{number + 1}")
            if number == 0:
                begin = kill_run.now_us()
                time.sleep(SIDE_BY_SIDE_S)
                mixed = (begin, kill_run.now_us())
        status, said = refusal(old, postgres.url)
        api = Client(cluster.all[0], checks=False)
        requests = judged(api, jobs, receiver)
        shares = share_of(api.pages("/v2/runs"), *mixed)
        return {"schemas": schemas, "late_s": latest(requests, begun), "requests": len(requests),
                "shares": shares, "refused": status == 1 and "newer" in said, "said": said,
                "holds": True}
    finally:
        cluster.end()
        receiver.stop()
        postgres.close()


def prove_upgrade(table, folder, given):
    commit = previous_commit()
    old = previous_program(commit)
    given.proof.leave_world()
    seen = given.proof.alone("upgrade", lambda _, folder: upgrade(old, folder))
    first, last = seen["schemas"][0], seen["schemas"][-1]
    table.add(f"rolling upgrade of two nodes from {commit[:9]}, schema {first} to {last}, "
              f"{kill_run.JOBS} occurrences/s: lost, doubled …; at most late",
              f"0; <= {LATE_MAX_S:g} s", f"0 ({seen['requests']} requests); {seen['late_s']:.2f} s",
              seen["late_s"] <= LATE_MAX_S and last > first)
    table.add(f"both versions side by side for {SIDE_BY_SIDE_S} s: attempts of each; edits through "
              "each", "both; clean", f"{', '.join(map(str, seen['shares']))}; clean",
              len(seen["shares"]) == 2)
    table.add("the version before, started on the newer schema", "refused", seen["said"][:120],
              seen["refused"])


POINTS = {"upgrade": prove_upgrade}
