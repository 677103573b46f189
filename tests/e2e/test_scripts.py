"""The scripts around the product: what ./test counts, and how ./run asks for packages."""

import json
import os
import subprocess

import pytest

from processes import ROOT, clean_environment

GTEST = {"testsuites": [{"name": "A", "testsuite": [
    {"name": "good", "status": "RUN", "result": "COMPLETED"},
    {"name": "bad", "status": "RUN", "result": "COMPLETED", "failures": [{"failure": "x"}]},
    {"name": "skipped", "status": "RUN", "result": "SKIPPED"},
    {"name": "off", "status": "NOTRUN", "result": "SUPPRESSED"}]}]}
JUNIT = ('<testsuites><testsuite><testcase classname="a" name="b"/><testcase classname="a" name="c">'
         '<failure/></testcase><testcase classname="a" name="d"><skipped/></testcase></testsuite>'
         "</testsuites>")


def tally(kind, path, status):
    done = subprocess.run([str(ROOT / "tools/tally"), kind, str(path), str(status)],
                          capture_output=True, text=True, check=True)
    return done.stdout.split("\n")


@pytest.mark.parametrize("kind,text,status,counts", [
    ("gtest", json.dumps(GTEST), 1, "1 1 2"),
    ("junit", JUNIT, 1, "1 1 1"),
    ("gtest", '{"testsuites": []}', 0, "0 0 0"),
    ("gtest", '{"testsuites": []}', 139, "0 1 0"),
    ("gtest", '{"testsuites": [', 139, "0 1 0"),
    ("junit", "<testsuites/>", 5, "0 0 0"),
    ("junit", "<testsuites/>", 2, "0 1 0"),
])
def test_reports_are_counted_and_a_crash_is_a_failure(tmp_path, kind, text, status, counts):
    report = tmp_path / "report"
    report.write_text(text)
    assert tally(kind, report, status)[0] == counts


def test_a_missing_report_is_a_failure(tmp_path):
    assert tally("gtest", tmp_path / "none", 134)[0] == "0 1 0"


@pytest.fixture
def bare_path(tmp_path):
    """A PATH on which no package is installed and apt-get may not be called."""
    for name, text in (("dpkg-query", "exit 1"), ("apt-get", "echo called >&2; exit 100"),
                       ("sudo", "echo called >&2; exit 100")):
        tool = tmp_path / name
        tool.write_text(f"#!/bin/sh\n{text}\n")
        tool.chmod(0o755)
    return f"{tmp_path}:{os.environ['PATH']}"


@pytest.mark.parametrize("script", ["run", "test"])
def test_no_install_refuses_and_lists(bare_path, script):
    done = subprocess.run([str(ROOT / script)], capture_output=True, text=True, timeout=20,
                          env=clean_environment(PATH=bare_path, CRONALLY_NO_INSTALL="1"))
    assert done.returncode == 1
    assert "  clang-19\n" in done.stdout and "CRONALLY_NO_INSTALL=1" in done.stdout
    assert "called" not in done.stderr


@pytest.mark.parametrize("script,argument", [("run", "--twice"), ("test", "--bogus")])
def test_an_unknown_option_is_a_usage_error(script, argument):
    done = subprocess.run([str(ROOT / script), argument], capture_output=True, text=True)
    assert done.returncode == 2 and argument in done.stderr


@pytest.mark.parametrize("script", ["run", "test"])
def test_help_says_what_it_does(script):
    done = subprocess.run([str(ROOT / script), "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith(f"./{script} ")
