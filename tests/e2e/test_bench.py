"""`cronally bench` with small numbers: what it prints, and that it leaves nothing behind."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from processes import clean_environment, cronally_program, wait_until


def arguments(folder, *more, **flags):
    """A small bench on this folder; `flags` stand over its numbers."""
    chosen = {"dir": folder, "herd": 150, "steady": 20, "for": "2s", **flags}
    words = [word for name, value in chosen.items() for word in (f"--{name}", str(value))]
    return [cronally_program(), "bench", *words, *more]


def servers_in(folder):
    """Process ids of programs that have this folder on their command line."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(folder).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass  # it ended meanwhile
    return found


def test_both_loads_are_delivered_and_everything_is_removed(tmp_path):
    done = subprocess.run(arguments(tmp_path, "--json"), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    herd, steady = figures["herd"], figures["steady"]
    assert herd["jobs"] == herd["delivered"] == 150
    assert 0 < herd["last_us"] < 10_000_000 and herd["processor_us"] > 0
    assert steady["jobs"] == 20 and steady["due"] == steady["delivered"] == 40
    for late in (steady["late_at_first_byte"], steady["late_at_receiver"],
                 herd["late_at_receiver"]):
        assert 0 <= late["p50_us"] <= late["p99_us"] <= late["max_us"] < 10_000_000
    assert os.listdir(tmp_path) == []
    assert servers_in(tmp_path) == []


def test_a_load_can_be_left_out_and_the_table_is_for_people(tmp_path):
    done = subprocess.run(arguments(tmp_path, steady=0), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=120, env=clean_environment())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 jobs due at one instant" in done.stdout and "150 of 150" in done.stdout
    assert "steady" not in done.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_on_the_way_it_leaves_nothing_behind(tmp_path, number):
    process = subprocess.Popen(arguments(tmp_path, herd=0, **{"for": "1h"}),
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env=clean_environment())
    try:
        wait_until(lambda: any(tmp_path.rglob("server.json")), 20, what="a server")
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 1 and out == ""
    assert "stopped before its end" in err
    assert os.listdir(tmp_path) == []
    assert servers_in(tmp_path) == []


def test_its_server_ends_with_it_even_when_it_is_killed(tmp_path):
    process = subprocess.Popen(arguments(tmp_path, herd=0, **{"for": "1h"}),
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=clean_environment())
    wait_until(lambda: any(tmp_path.rglob("server.json")), 20, what="a server")
    process.kill()
    process.wait()
    wait_until(lambda: servers_in(tmp_path) == [], 40, what="the end of the server")


@pytest.mark.parametrize("flag, value, complaint", [
    ("herd", 200001, "--herd takes 0 to 200000 jobs"),
    ("steady", -1, "--steady takes 0 to 10000 jobs"),
    ("for", "1500ms", "--for takes whole seconds, 1s to 1h"),
    ("for", "soon", "--for: "),
    ("dir", "/nowhere/at/all", "--dir: there is no directory '/nowhere/at/all'"),
])
def test_what_it_cannot_do_is_refused_before_anything_is_made(tmp_path, flag, value, complaint):
    done = subprocess.run(arguments(tmp_path, **{flag: value}), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=30, env=clean_environment())
    assert done.returncode == 2 and complaint in done.stderr, done.stderr
    assert os.listdir(tmp_path) == []
