"""The pure parts of the cluster's figures."""

import types

import pytest

from cluster import figures
from processes import Receiver


def step(**more):
    return {"rate": 1000, "share": 1.0, "p99_us": 2000, **more}


def test_a_load_is_carried_if_all_of_it_comes_within_a_second():
    assert figures.kept(step())
    assert not figures.kept(step(share=0.98))
    assert not figures.kept(step(p99_us=1_000_001))


def test_conformance_is_counted_for_each_store():
    suite = lambda name, *tests: {"name": name, "testsuite": list(tests)}
    test = lambda name, result="COMPLETED", **more: {"name": name, "result": result, **more}
    reports = [
        {"testsuites": [suite("Sqlite/SpineClaims", test("One/Sqlite"), test("Two/Sqlite", "SKIPPED")),
                        suite("Postgres/SpineClaims", test("One/Postgres"),
                              test("Two/Postgres", failures=[{}]))]},
        {"testsuites": [suite("Model/SpineClaims", test("One/OneHolder"))]}]
    counts = figures.conformance_counts(reports)
    assert counts["Sqlite"] == {"passed": 1, "failed": 0, "skipped": 1,
                                "names": ["SpineClaims.One", "SpineClaims.Two"]}
    assert counts["Postgres"]["failed"] == 1
    assert counts["Postgres"]["names"] == counts["Sqlite"]["names"]
    assert counts["Model"]["passed"] == 1


@pytest.mark.parametrize("begin,found", [(0, [1, 22]), (1, [22]), (8, [22]), (9, [22]), (10, [])])
def test_a_log_is_read_from_the_next_whole_line_on(tmp_path, begin, found):
    log = tmp_path / "log"
    log.write_text('{"n": 1}\n{"n": 22}\n{"n": 3')
    receiver = types.SimpleNamespace(log_file=log)
    assert [one["n"] for one in Receiver.records(receiver, begin)] == found
