"""Figures of the cluster: speed on one PostgreSQL with two nodes, what 1, 2 and 3 nodes carry, and
the stores by themselves. Points for `tools/prove cluster`.
"""

import json
import pathlib
import subprocess
import time

import load
from checker import instant_us, percentile
from cluster.plain import spread, with_nodes
from faults import Impossible
from processes import clean_environment, program
from proving import ms

SECOND = 1_000_000
HERD = 10_000
HERDS = 3
HERD_MAX_S = 1.0
STEADY_S = 30
RATES = (1000, 2000, 4000, 6000, 8000, *range(10_000, 30_001, 1000))
RATE_S = 6
CLAIMS_MIN = 40_000


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

def processors():
    """Seconds that all processors worked, and that they were idle, so far."""
    ticks = list(map(int, pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]))
    idle = ticks[3] + ticks[4]
    return {"busy": (sum(ticks) - idle) / load.TICKS, "idle": idle / load.TICKS}


def used(nodes, receiver):
    """Processor seconds so far, by who used them."""
    return {"nodes": sum(load.cpu_seconds(node.pid) for node in nodes.all),
            "database": nodes.postgres.cpu_seconds(), "receiver": load.cpu_seconds(receiver.process.pid),
            **processors()}


def carried(nodes, receiver, rate, before):
    """`rate` occurrences a second, where `before` are there already: what came of them, how late,
    and the processor seconds that went into them."""
    base = load.now_us() // SECOND * SECOND
    load.add_many(nodes.api(), spread(receiver, rate - before, f"/rate-{rate}", base))
    time.sleep(3)
    place = receiver.log_file.stat().st_size
    begin = (load.now_us() // SECOND + 1) * SECOND
    end = begin + RATE_S * SECOND
    load.sleep_until(begin)
    start = used(nodes, receiver)
    load.sleep_until(end)
    cpu = {who: value - start[who] for who, value in used(nodes, receiver).items()}
    time.sleep(1)
    late = [record["t_us"] - instant_us(record["scheduled_at"]) for record in receiver.records(place)
            if begin <= instant_us(record["scheduled_at"]) < end]
    return {"rate": rate, "share": round(len(late) / (rate * RATE_S), 4),
            "p50_us": percentile(late or [0], 0.5), "p99_us": percentile(late or [0], 0.99),
            "idle": round(cpu["idle"] / (cpu["idle"] + cpu["busy"]), 3),
            "per_1000_s": {who: round(cpu[who] / (rate * RATE_S / 1000), 3)
                           for who in ("nodes", "database", "receiver")}}


def kept(step):
    return step["share"] >= 0.99 and step["p99_us"] <= SECOND


def climb(nodes, receiver, _):
    seen, before = [], 0
    for rate in RATES:
        seen.append(carried(nodes, receiver, rate, before))
        before = rate
        if not kept(seen[-1]):
            break
    return {"steps": seen}


def step_text(step):
    per = step["per_1000_s"]
    return (f"{step['rate']:,}/s: p50 {ms(step['p50_us'])}, p99 {ms(step['p99_us'])}"
            + ("" if step["share"] >= 0.99 else f", only {step['share']:.0%} came")
            + f"; for 1,000: nodes {per['nodes']} s, database {per['database']} s, receiver "
            f"{per['receiver']} s of processor; processors idle {step['idle']:.0%}")


def prove_sizes(table, folder, given):
    """The load grows until it is not carried: not all came, or p99 is later than a second."""
    given.proof.leave_world()
    for count in (1, 2, 3):
        steps = given.proof.alone(f"sizes-{count}", lambda _, folder, count=count: {
            **with_nodes(count, climb), "holds": True})["steps"]
        label = f"{count} node{'s' * (count > 1)} and one PostgreSQL on the same cores"
        best = [step for step in steps if kept(step)][-1:]
        table.add(f"{label}: the most that is carried", "reported",
                  step_text(best[0]) if best else "nothing")
        for step in steps:
            if not kept(step):
                table.add(f"{label}: above it", "reported", step_text(step))


# ---- the stores by themselves -------------------------------------------------------------------

def prove_claims(table, folder, given):
    """bench/store_bench: batches of 10,000 claims, and the same rows by COPY alone."""
    given.proof.leave_world()
    try:
        bench = program("CRONALLY_STORE_BENCH", "build/release/bench/store_bench")
    except FileNotFoundError:
        raise Impossible("store_bench is not built") from None

    def run(_, folder):
        done = subprocess.run([bench, "--benchmark_filter=claims_(committed<Postgres>|copied)",
                               "--benchmark_repetitions=3", "--benchmark_format=json"],
                              capture_output=True, text=True, timeout=300, env=clean_environment())
        rows = json.loads(done.stdout)["benchmarks"]
        rates = lambda name: sorted(row["items_per_second"] for row in rows
                                    if row["run_type"] == "iteration" and name in row["name"])
        seen = {"committed": rates("claims_committed"), "copied": rates("claims_copied")}
        return {**seen, "holds": seen["committed"][1] >= CLAIMS_MIN}
    seen = given.proof.alone("claims", run)
    said = lambda rates: f"{rates[1]:,.0f}/s ({', '.join(f'{rate:,.0f}' for rate in rates)})"
    table.add("claims committed on one PostgreSQL, synchronous_commit=on, median of 3",
              f">= {CLAIMS_MIN:,}/s", said(seen["committed"]), seen["holds"])
    table.add("the same rows by COPY and COMMIT alone, in the same run", "a peer",
              said(seen["copied"]))


def conformance_counts(reports):
    """store -> {passed, failed, skipped, names}, of gtest's reports of the suite."""
    counts = {}
    for suite in (suite for report in reports for suite in report["testsuites"]):
        store, _, kind = suite["name"].partition("/")
        one = counts.setdefault(store, {"passed": 0, "failed": 0, "skipped": 0, "names": []})
        for test in suite["testsuite"]:
            told = ("failed" if test.get("failures") else
                    "skipped" if test["result"] == "SKIPPED" else "passed")
            one[told] += 1
            one["names"].append(f"{kind}.{test['name'].partition('/')[0]}")
    return counts


def prove_conformance(table, folder, given):
    """The suite that every store passes: on SQLite, on PostgreSQL, and on the simulation's model,
    which has no ledger to read."""
    given.proof.leave_world()
    try:
        tests = [program("CRONALLY_STORE_TEST", "build/release/store_test"),
                 program("SIM_TEST", "build/release/tests/sim/sim_test")]
    except FileNotFoundError:
        raise Impossible("store_test or sim_test is not built") from None

    def run(_, folder):
        reports = []
        for number, test in enumerate(tests):
            file = folder / f"report-{number}.json"
            subprocess.run([test, "--gtest_filter=*/Spine*:*/Ledger*", "--gtest_brief=1",
                            f"--gtest_output=json:{file}"], capture_output=True, timeout=900,
                           env=clean_environment())
            reports.append(json.loads(file.read_text()))
        counts = conformance_counts(reports)
        names = {store: set(one["names"]) for store, one in counts.items()}
        same = names.get("Sqlite") == names.get("Postgres") is not None
        return {"counts": counts, "same": same, "holds": same and "Model" in counts and not any(
            one["failed"] for one in counts.values())}
    seen = given.proof.alone("conformance", run)
    table.add("conformance, the same tests on each store", "all pass",
              ", ".join(f"{store}: {one['passed']} passed, {one['failed']} failed, {one['skipped']} "
                        "skipped" for store, one in sorted(seen["counts"].items()))
              + ("" if seen["same"] else "; NOT the same tests on SQLite and PostgreSQL"),
              seen["holds"])


POINTS = {"conformance": prove_conformance, "claims": prove_claims, "one-herd": prove_herd,
          "one-steady": prove_steady, "sizes": prove_sizes}
