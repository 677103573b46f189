"""The pure parts of F29, F30 and F31, and the receiver whose answers are bad."""

import http.client
import json
import ssl
import subprocess
import urllib.error
import urllib.request

import pytest

from checker import instant_text
from cluster import receivers
from cluster.bad_receiver import PIECE
from cluster.nodes import BAD_RECEIVER
from processes import clean_environment, wait_until

SECOND = 1_000_000
START = 1_780_000_000 * SECOND


def test_what_is_punctual_counts_as_unchanged_however_small_the_time_before():
    assert receivers.unchanged(2.0, 9.9) and receivers.unchanged(50.0, 60.0)
    assert not receivers.unchanged(2.0, 10.1) and not receivers.unchanged(50.0, 60.1)


def test_requests_are_counted_by_the_second_from_the_return_on():
    at = [START - 1, START, START + 999_999, START + SECOND, START + 3 * SECOND]
    assert receivers.per_second(at, START, 3) == [2, 1, 0]


def test_gaps_are_those_of_each_run_by_itself():
    records = [{"run": run, "t_us": START + at * SECOND}
               for run, at in (("a", 7), ("b", 1), ("a", 0), ("b", 9), ("a", 15))]
    assert sorted(receivers.gaps_s(records)) == [7, 8, 8]


def run_of(mode, took_s, number=1):
    return {"job_name": f"bad {mode} 0", "scheduled_at": instant_text(START), "attempts": [
        {"number": number, "ended_at": instant_text(START + round(took_s * SECOND))}]}


@pytest.mark.parametrize("mode,took_s,kept", [
    ("hang", 3.0, True), ("hang", 3.6, False), ("hang", 1.0, False), ("reset", 0.0, True),
    ("reset", 3.6, False)])
def test_a_time_out_is_kept_if_nothing_takes_longer_and_what_never_answers_not_less(mode, took_s,
                                                                                   kept):
    took = receivers.first_attempts_s([run_of("lost", 3.1), run_of("drip", 3.0),
                                       run_of("hang", 3.0), run_of(mode, took_s)])
    seen = {"took_s": {one: [min(values), max(values)] for one, values in took.items()}}
    assert receivers.timeouts_kept(seen) == kept


def test_a_mode_of_which_nothing_ended_keeps_no_time_out():
    assert not receivers.timeouts_kept({"took_s": {"hang": [3.0, 3.0]}})


def test_only_first_attempts_of_bad_jobs_are_timed():
    others = [run_of("hang", 9.0, number=2), {**run_of("hang", 9.0), "job_name": "/healthy 1"}]
    assert receivers.first_attempts_s(others) == {}


def test_each_endpoint_is_a_destination_of_its_own():
    urls = {receivers.endpoint(number, 80, "/") for number in range(receivers.ENDPOINTS)}
    assert len(urls) == receivers.ENDPOINTS


def test_a_minute_ahead_is_full_and_far_enough():
    instant = receivers.minute_ahead(20)
    assert instant % (60 * SECOND) == 0
    assert 20 * SECOND <= instant - receivers.load.now_us() <= 81 * SECOND


@pytest.fixture
def bad(tmp_path):
    """start(mode, …): the port of one; its log."""
    started, log = [], tmp_path / "bad.jsonl"

    def start(mode, *more):
        process = subprocess.Popen(
            ["/usr/bin/python3", BAD_RECEIVER, "--address", "127.0.0.1", "--mode", mode, "--log",
             log, *more], stdout=subprocess.PIPE, text=True, env=clean_environment())
        started.append(process)
        return int(process.stdout.readline())
    yield start, log
    for process in started:
        process.terminate()
        process.wait()
        process.stdout.close()


def answer_of(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/bad", body=b"{}")
    return connection, connection.getresponse()


def test_redirects_come_in_both_kinds_and_lead_where_they_are_told(bad):
    port = bad[0]("redirect", "--to", "http://127.0.0.1:9/trap")
    seen = []
    for _ in range(2):
        connection, answer = answer_of(port)
        seen.append((answer.status, answer.headers["Location"]))
        connection.close()
    assert seen == [(301, "http://127.0.0.1:9/trap"), (307, "http://127.0.0.1:9/trap")]


def test_a_flood_is_100_mb_and_says_how_much_was_taken(bad):
    start, log = bad
    port = start("flood")
    connection, answer = answer_of(port)
    assert answer.headers["Content-Length"] == "100000000"
    answer.read(1_000_000)
    answer.close()
    connection.close()
    wait_until(lambda: log.exists() and log.read_text(), what="the log")
    assert 1_000_000 - len(PIECE) <= json.loads(log.read_text())["sent"] < 50_000_000
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/bad", timeout=30) as whole:
        assert len(whole.read()) == 100_000_000


def test_nobody_trusts_its_certificate(bad, tmp_path):
    start, log = bad
    port = start("tls", "--certificate", receivers.certificate(tmp_path))
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(f"https://127.0.0.1:{port}/bad", timeout=10)
    context = ssl._create_unverified_context()
    urllib.request.urlopen(f"https://127.0.0.1:{port}/bad", timeout=10, context=context).close()
    wait_until(lambda: log.exists() and log.read_text(), what="the log")
    assert log.read_text().count("\n") == 1  # only who trusted it was answered


def test_a_drip_takes_longer_than_anybody_waits(bad):
    port = bad[0]("drip")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2.5)
    connection.request("POST", "/bad", body=b"{}")
    assert connection.sock.recv(1) == b"H" and connection.sock.recv(9) == b"T"
    connection.close()
