"""Writes the folder that cluster/checker.py judges, while a run goes on and at its end.

Each change of a job goes through here, so that the time of its request and of its acknowledgement
are known. One that was not answered has no `ack_hi`: nobody knows whether it was carried out.
Several threads may change jobs, each its own.
"""

import http.client
import json
import pathlib
import re
import threading

import checker
from client import segment
from kill_run import now_us
from processes import wait_until

UNITS_US = {"ms": 1000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
ANSWER_MAX_S = 8  # the server says 503 after 5
SETTLE_MAX_S = 60


def schedule_of(body):
    """The schedule of a job as the checker's spec has it. Intervals need an `anchor`."""
    text = body["schedule"]
    if text == "@never":
        return None
    if text.startswith("@at "):
        return {"at": [checker.instant_us(text[4:])]}
    if text.startswith("@every "):
        parts = re.findall(r"(\d+)(ms|s|m|h)", text)
        return {"every": sum(int(number) * UNITS_US[unit] for number, unit in parts),
                "anchor": checker.instant_us(body["anchor"])}
    return {"cron": text, "zone": body.get("zone", "UTC"), "dst": body.get("dst", "run")}


class NotSent(Exception):
    """Nothing listens there: the request did not leave, and nothing is recorded of it."""


def said(api, method, path, body=None, timeout=ANSWER_MAX_S):
    """The answer of an edit and when it came; None and None where its fate is open: no answer in
    time, or the server's word that it cannot tell."""
    try:
        answer = api.send(method, path, body, timeout=timeout)
    except ConnectionRefusedError as why:
        raise NotSent(str(why)) from None
    except (OSError, http.client.HTTPException):
        return None, None
    if answer.status == 503:
        return None, None
    assert 200 <= answer.status < 300, f"{method} {path}: {answer}"
    return answer, now_us()


def owners(runs):
    """Who acted for which run under which fence, by its attempts."""
    return [{"node": attempt["node"], "run": run["id"], "fence": attempt["fence"]}
            for run in runs for attempt in run["attempts"] if attempt.get("node")]


class Recording:
    """A run in `folder`. `window_us`: how late is punctual. `answer_max_s`: how long a client waits
    for an answer. An edit returns whether it was acknowledged, and raises NotSent."""

    def __init__(self, folder, window_us, answer_max_s=ANSWER_MAX_S):
        self.folder = pathlib.Path(folder)
        self.window_us = window_us
        self.answer_max_s = answer_max_s
        self.bodies = {}  # id -> what was last asked for
        self.lock = threading.Lock()

    def create(self, api, body):
        """A new job; its id, or None when the answer did not come."""
        sent = now_us()
        answer, answered = said(api, "POST", "/v2/jobs", body, self.answer_max_s)
        if answered is None:  # whether it is there is known at the end, by its name
            self._change(sent, None, body, name=body["name"])
            return None
        job = answer.json["id"]
        self.bodies[job] = body
        self._change(sent, answered, body, job=job)
        return job

    def create_all(self, api, bodies):
        """New jobs, in one request; their ids."""
        sent = now_us()
        answer = api.send("POST", "/v2/jobs/bulk", {"items": bodies}, timeout=30)
        assert answer.status in (200, 201), answer
        answered = now_us()
        jobs = [job["id"] for job in answer.json["items"]]
        for job, body in zip(jobs, bodies):
            self.bodies[job] = body
            self._change(sent, answered, body, job=job)
        return jobs

    def edit(self, api, job, **fields):
        """Changes fields of a job."""
        body = {**self.bodies[job], **fields}
        return self._act(api, job, body, "PATCH", f"/v2/jobs/{job}", fields)

    def pause(self, api, job):
        return self._act(api, job, None, "POST", f"/v2/jobs/{job}/pause", pauses=True)

    def resume(self, api, job):
        return self._act(api, job, self.bodies[job], "POST", f"/v2/jobs/{job}/resume")

    def delete(self, api, job):
        return self._act(api, job, None, "DELETE", f"/v2/jobs/{job}")

    def _act(self, api, job, body, method, path, fields=None, pauses=False):
        sent = now_us()
        _, answered = said(api, method, path, fields, self.answer_max_s)
        if body:
            self.bodies[job] = body
        self._change(sent, answered, body, job=job, pauses=pauses)
        return answered is not None

    def _change(self, sent, answered, body, pauses=False, **who):
        line = {**who, "ack_lo": sent, "ack_hi": answered, "window": self.window_us,
                "schedule": schedule_of(body) if body else None, "pauses": pauses}
        if body:
            line.update(delivery=body.get("delivery", "at_least_once"),
                        catch_up=body.get("catch_up", {}).get("mode", "latest"),
                        attempts_max=body.get("retry", {}).get("attempts", 5))
        self._append("spec.jsonl", [line])

    def _append(self, name, lines):
        with self.lock, open(self.folder / name, "a", encoding="utf-8") as out:
            for line in lines:
                out.write(json.dumps(line) + "\n")

    def finish(self, api, requests, spans, title, hosts=dict, settle_max_s=SETTLE_MAX_S, **about):
        """Waits until everything due by now is settled, and writes what receivers and ledger say.
        `requests`, `spans` and `hosts` are called then; a span is (job, after, until, reason), a
        host the value of a node's id."""
        end = now_us()
        wait_until(lambda: not self._open(api, end), settle_max_s, step=0.2,
                   what=lambda: f"the end of all runs: {self._open(api, end)[:3]}")
        self._name_unanswered(api)
        self._append("recv.jsonl", requests())
        runs = api.pages("/v2/runs")
        self._append("claims.jsonl", [{"run": run} for run in runs])
        self._append("claims.jsonl", [{"yours": told} for told in owners(runs)])
        self._append("claims.jsonl", [{"node": {"id": node, "host": host}}
                                      for node, host in sorted(hosts().items())])
        self._append("claims.jsonl", [
            {"span": dict(zip(("job", "after", "until", "reason"), span))} for span in spans()])
        (self.folder / "faults.jsonl").touch()
        (self.folder / "run.json").write_text(json.dumps({"end": end, "title": title, **about}))

    @staticmethod
    def _open(api, end):
        """Runs that are due and have not ended; a paused job holds its own."""
        query = {"until": checker.instant_text(end + 1)}
        runs = [run for state in ("requested", "claimed", "begun")
                for run in api.pages("/v2/runs", state=state, **query)]
        held = runs and {job["id"] for job in api.pages("/v2/jobs") if job["paused"]}
        return [run for run in runs if run["job_id"] not in held]

    def _name_unanswered(self, api):
        """Lines that know only a name get the job's id; those of jobs that never were are
        dropped."""
        file = self.folder / "spec.jsonl"
        lines = []
        for line in map(json.loads, file.read_text().splitlines()):
            if "name" in line:
                answer = api.send("GET", f"/v2/jobs/{segment(line.pop('name'))}")
                if answer.status != 200:
                    continue
                line["job"] = answer.json["id"]
            lines.append(json.dumps(line) + "\n")
        file.write_text("".join(lines))
