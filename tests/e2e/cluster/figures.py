"""Figures of the cluster: speed on one PostgreSQL with two nodes, what 1, 2 and 3 nodes carry, and
receivers that misbehave. Points for `tools/prove cluster`.
"""

import json
import pathlib
import re
import subprocess
import tempfile
import time

import load
from checker import instant_us, percentile
from cluster.namespaces import RECEIVERS
from cluster.nodes import HostReceiver
from cluster.plain import Nodes, OnePostgres, spread
from cluster.world import Setting
from faults import Impossible
from processes import Receiver, clean_environment, program
from proving import ms

SECOND = 1_000_000
HERD = 10_000
HERDS = 3
HERD_MAX_S = 1.0
STEADY_S = 30
RATES = (1000, 2000, 3000, 4000, 5000)
RATE_S = 6
HERD_ON_BENCH = 5_000
BAD_MODES = (("hang",), ("reset",), ("garbage",), ("read-then-close",), ("status",),
             ("slow", "--delay", "2s"))
BAD_JOBS = 3       # of each mode, each second
HEALTHY_JOBS = 42  # so that 30 % of all are bad
LOOK_S = 15


def added(verdicts):
    """The sums of several verdicts, as a figure."""
    counts = {}
    for verdict in verdicts:
        for kind, count in verdict["counts"].items():
            counts[kind] = counts.get(kind, 0) + count
    sums = {name: sum(verdict["figures"][name] for verdict in verdicts)
            for name in ("must", "requests")}
    repeated = sum(verdict["reported"].get("repeated", 0) for verdict in verdicts)
    others = {name: [verdict[name] for verdict in verdicts if verdict.get(name)]
              for name in ("over", "fallen", "odd")}
    said = "".join(f"; {name}: {str(values)[:160]}" for name, values in others.items() if values)
    return (f"{counts or 0}{said} ({sums['must']:,} due, {sums['requests']:,} requests, "
            f"{repeated} repeated)")


# ---- one PostgreSQL, two nodes ------------------------------------------------------------------

def with_nodes(count, work):
    """work(nodes, receiver, folder) on one PostgreSQL."""
    postgres = OnePostgres()
    try:
        with tempfile.TemporaryDirectory() as folder:
            nodes = Nodes(postgres, folder, count)
            receiver = Receiver(folder)
            try:
                return work(nodes, receiver, pathlib.Path(folder))
            finally:
                receiver.stop()
                nodes.close()
    finally:
        postgres.close()


def prove_herd(table, folder, given):
    given.proof.leave_world()

    def run(_, folder):
        def work(nodes, receiver, _):
            herds = [load.herd(nodes.all[0], receiver, HERD, f"/herd-{number}")
                     for number in range(HERDS)]
            return {"took_s": [herd.took() / SECOND for herd in herds],
                    "once": all(herd.each_once(HERD) for herd in herds),
                    "early": sum(herd.early() for herd in herds)}
        seen = with_nodes(2, work)
        seen["holds"] = (sorted(seen["took_s"])[HERDS // 2] <= HERD_MAX_S and seen["once"]
                         and seen["early"] == 0)
        return seen
    seen = given.proof.alone("herd", run)
    middle = sorted(seen["took_s"])[HERDS // 2]
    each = ", ".join(f"{value:.3f}" for value in seen["took_s"])
    table.add(f"one PostgreSQL, two nodes, {HERD:,} at one instant: to the last arrival, median of "
              f"{HERDS}", f"<= {HERD_MAX_S:g} s", f"{middle:.3f} s ({each})", middle <= HERD_MAX_S)
    table.add(f"{HERD:,} at one instant: each delivered once; early", "all; 0",
              f"{'all' if seen['once'] else 'NOT all'}; {seen['early']}",
              seen["once"] and seen["early"] == 0)


def prove_steady(table, folder, given):
    given.proof.leave_world()

    def run(_, folder):
        def work(nodes, receiver, _):
            seen = load.steady(nodes.api(), receiver, STEADY_S)
            return {"wanted": seen.wanted, "came": len(seen.records),
                    **{f"{name}_{share}": percentile(values, share / 100)
                       for name, values in (("sent", seen.sent), ("arrived", seen.arrived))
                       for share in (50, 99, 100)}}
        seen = with_nodes(2, work)
        seen["holds"] = (abs(seen["came"] - seen["wanted"]) <= seen["wanted"] / 1000
                         and seen["sent_99"] <= 30_000)
        return seen
    seen = given.proof.alone("steady", run)
    label = f"one PostgreSQL, two nodes, steady 1,000/s for {STEADY_S} s"
    table.add(f"{label}: requests", f"{seen['wanted']} +- 0.1 %", str(seen["came"]),
              abs(seen["came"] - seen["wanted"]) <= seen["wanted"] / 1000)
    table.add(f"{label}: lateness p99, ledger", "<= 30 ms", ms(seen["sent_99"]),
              seen["sent_99"] <= 30_000)
    table.add(f"{label}: lateness p50 / p99 / max, receiver", "reported",
              " / ".join(ms(seen[f"arrived_{share}"]) for share in (50, 99, 100)))


# ---- 1, 2 and 3 nodes ---------------------------------------------------------------------------

def carried(nodes, receiver, rate, before):
    """`rate` occurrences a second, where `before` are there already: {rate, share, p50, p99}."""
    base = load.now_us() // SECOND * SECOND
    load.add_many(nodes.api(), spread(receiver, rate - before, f"/rate-{rate}", base))
    time.sleep(3)
    begin = load.now_us() // SECOND * SECOND
    time.sleep(RATE_S)
    end = begin + RATE_S * SECOND
    time.sleep(1)
    late = [record["t_us"] - instant_us(record["scheduled_at"]) for record in receiver.records()
            if begin <= instant_us(record["scheduled_at"]) < end]
    share = len(late) / (rate * RATE_S)
    return {"rate": rate, "share": round(share, 4), "p50_us": percentile(late or [0], 0.5),
            "p99_us": percentile(late or [0], 0.99),
            "cpu": [load.cpu_seconds(node.pid) for node in nodes.all]}


def climb(nodes, receiver, _):
    seen, before = [], 0
    for rate in RATES:
        seen.append(carried(nodes, receiver, rate, before))
        before = rate
        if seen[-1]["share"] < 0.99 or seen[-1]["p99_us"] > SECOND:
            break
    return {"steps": seen}


def prove_sizes(table, folder, given):
    given.proof.leave_world()
    for count in (1, 2, 3):
        seen = given.proof.alone(f"sizes-{count}", lambda _, folder, count=count: {
            **with_nodes(count, climb), "holds": True})
        said = "; ".join(f"{step['rate']:,}/s: p50 {ms(step['p50_us'])}, p99 {ms(step['p99_us'])}"
                         + ("" if step["share"] >= 0.99 else f", only {step['share']:.0%} came")
                         for step in seen["steps"])
        table.add(f"{count} node{'s' * (count > 1)} and one PostgreSQL on the same cores", "reported",
                  said)


# ---- the stores by themselves -------------------------------------------------------------------

def prove_claims(table, folder, given):
    """bench/store_bench: 10,000 claims in a batch."""
    given.proof.leave_world()
    try:
        bench = program("CRONALLY_STORE_BENCH", "build/release/bench/store_bench")
    except FileNotFoundError:
        raise Impossible("store_bench is not built") from None
    done = subprocess.run([bench, "--benchmark_filter=claims_committed<Postgres>",
                           "--benchmark_format=json"], capture_output=True, text=True, timeout=300,
                          env=clean_environment())
    one = json.loads(done.stdout)["benchmarks"][0]
    rate = 10_000 / (one["real_time"] / 1000)
    table.add("claims committed on one PostgreSQL, synchronous_commit=on", ">= 40,000/s",
              f"{rate:,.0f}/s", rate >= 40_000)


def prove_conformance(table, folder, given):
    """The suite that every store passes, on SQLite and on PostgreSQL."""
    given.proof.leave_world()
    try:
        tests = program("CRONALLY_STORE_TEST", "build/release/store_test")
    except FileNotFoundError:
        raise Impossible("store_test is not built") from None
    report = folder / "report.json"
    subprocess.run([tests, "--gtest_filter=*/Spine*:*/Ledger*", "--gtest_brief=1",
                    f"--gtest_output=json:{report}"], capture_output=True, timeout=900,
                   env=clean_environment())
    counts = {}
    for suite in json.loads(report.read_text())["testsuites"]:
        store = re.sub(r"/.*", "", suite["name"])
        passed, failed = counts.get(store, (0, 0))
        counts[store] = (passed + suite["tests"] - suite["failures"], failed + suite["failures"])
    figure = ", ".join(f"{store}: {passed} passed, {failed} failed"
                       for store, (passed, failed) in sorted(counts.items()))
    table.add("conformance, the same tests on each store", "all pass", figure,
              len(counts) >= 2 and not any(failed for _, failed in counts.values()))


# ---- receivers that misbehave -------------------------------------------------------------------

def healthy(receiver):
    return spread(receiver, HEALTHY_JOBS, "/healthy", load.now_us() // SECOND * SECOND)


def p99_ms(receiver, seconds):
    begin = load.now_us()
    time.sleep(seconds)
    late = [record["t_us"] - instant_us(record["scheduled_at"])
            for record in receiver.records(path="/healthy")
            if instant_us(record["scheduled_at"]) >= begin]
    return percentile(late, 0.99) / 1000


def bad_receivers(stage, seen):
    """F29: 30 % of the destinations misbehave, each in its way."""
    seen["before_ms"] = p99_ms(stage.receiver, LOOK_S)
    bad = []
    try:
        for mode, *more in BAD_MODES:
            bad.append(HostReceiver(stage.network, RECEIVERS, stage.folder, "--mode", mode, *more,
                                    name=f"bad-{mode}"))
        bodies = [{**body, "name": f"bad {one.port} {body['name']}",
                   "target": {**body["target"], "timeout": "3s"},
                   "retry": {"attempts": 2, "backoff_min": "100ms"}}
                  for one in bad
                  for body in spread(one, BAD_JOBS, "/bad", load.now_us() // SECOND * SECOND)]
        api = stage.api_of(stage.setting.nodes[0])
        made = load.add_many(api, bodies)
        time.sleep(3)
        seen["during_ms"] = p99_ms(stage.receiver, LOOK_S)
        for job in made:
            api.remove(job["id"])
        time.sleep(7)  # the last of their attempts
    finally:
        for one in bad:
            one.stop()


def prove_receivers(table, folder, given):
    def run(world, folder):
        seen = {}
        verdict = world.trial(folder, Setting("F29: misbehaving receivers", bodies=healthy,
                                              clients=False), lambda stage: bad_receivers(stage, seen))
        return {**verdict, **seen}
    seen = given.proof.trial("F29-receivers", run)
    before, during = seen["before_ms"], seen["during_ms"]
    table.add("F29: 30 % of the destinations hang, reset, answer garbage, 500, after 2 s, or close: "
              "lateness p99 of the others", "<= 1.2 times that before, or <= 10 ms",
              f"{during:.2f} ms, before {before:.2f} ms", during <= max(1.2 * before, 10.0))
    table.add("F29: the others' runs: lost, doubled, late …", "0",
              f"{seen['counts'] or 0} ({seen['figures']['must']} due)", not seen["counts"])


def prove_bench_herd(table, folder, given):
    """F31, beside the standard load."""
    def run(world, folder):
        seen = {}
        def plan(stage):
            herd = load.herd(stage.nodes["n1"], stage.receiver, HERD_ON_BENCH, "/herd")
            seen.update(took_s=herd.took() / SECOND, once=herd.each_once(HERD_ON_BENCH))
        verdict = world.trial(folder, Setting("F31: a herd"), plan)
        return {**verdict, **seen, "holds": verdict["holds"] and seen["took_s"] <= 10}
    seen = given.proof.trial("F31-herd", run)
    table.add(f"F31: {HERD_ON_BENCH:,} at one instant beside the standard load: to the last arrival",
              "<= 10 s", f"{seen['took_s']:.2f} s, {'each once' if seen['once'] else 'NOT each once'}",
              seen["took_s"] <= 10 and seen["once"])
    table.add("F31: the standard load: lost, doubled, late …", "0", f"{seen['counts'] or 0}",
              not seen["counts"])


POINTS = {"conformance": prove_conformance, "claims": prove_claims, "one-herd": prove_herd,
          "one-steady": prove_steady, "sizes": prove_sizes, "receivers": prove_receivers,
          "herd": prove_bench_herd}
