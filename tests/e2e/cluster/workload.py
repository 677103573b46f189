"""The standard load: jobs of every kind, about 40 occurrences a second, and clients that go on
creating, editing, pausing and deleting jobs through whichever node they meet.

Jobs: 24 every second and 60 every 1 to 60 seconds (catch-up all), 20 cron expressions in zones, 4
at most once, 4 whose receiver first answers 500. Asked for: one whose delivery takes seconds, since
its receiver reads slowly.
"""

import random
import threading

from cluster.recording import NotSent
from checker import instant_text
from kill_run import now_us

SECOND = 1_000_000
BEATS = 24
INTERVALS = 60
SLOW_BODY_BYTES = 200_000
CLIENTS = 3
CLIENT_ANSWER_MAX_S = 2
CLIENT_PAUSE_S = (0.5, 2.5)
CLIENT_JOBS_MAX = 6
ZONES = ("UTC", "Europe/Riga", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe",
         "Africa/Casablanca", "Asia/Kathmandu", "America/St_Johns", "Pacific/Chatham",
         "Antarctica/Troll")
EXPRESSIONS = ("* * * * * *", "*/2 * * * * *", "*/5 * * * * *", "1-59/3 * * * * *",
               "*/10 * * * * *", "15,45 * * * * *", "0 * * * * *", "* * * * *",
               "30 */1 * * * *", "7,17,27,37,47,57 * * * * *")
CATCH_UPS = ("all", "latest", "all", "skip", "all")


def job(name, schedule, url, mode="all", **more):
    """A job as the API takes it. Its retries outlast every fault."""
    body = {"name": name, "schedule": schedule,
            "target": {"type": "http", "url": url, "timeout": "5s"},
            "retry": {"attempts": 20, "backoff_min": "100ms", "backoff_max": "1s",
                      "age_max": "10m"},
            "catch_up": {"mode": mode, "window": "1h", "limit": 1000}}
    body.update(more)
    return body


def every(name, seconds, url, at, **more):
    return job(name, f"@every {seconds}s", url, anchor=instant_text(at), **more)


def standard(receiver, slow=None):
    """The bodies of its jobs. `slow`: a receiver that reads slowly."""
    base = now_us() // SECOND * SECOND
    url = receiver.url
    bodies = [every(f"beat {number}", 1, url("/beat"), base + number * SECOND // BEATS)
              for number in range(BEATS)]
    bodies += [every(f"every {seconds}", seconds, url("/every"), base + seconds * 7_000)
               for seconds in range(1, INTERVALS + 1)]
    bodies += [job(f"cron {number}", EXPRESSIONS[number % len(EXPRESSIONS)], url("/cron"),
                   mode=CATCH_UPS[number % len(CATCH_UPS)], zone=ZONES[number // 2])
               for number in range(2 * len(ZONES))]
    bodies += [every(f"at most once {number}", 2, url("/once"), base + number * 300_000,
                     delivery="at_most_once", retry={"attempts": 1}) for number in range(4)]
    bodies += [every(f"retried {number}", 3, url(f"/fail-first/{1 + number % 2}/x"),
                     base + number * 500_000) for number in range(4)]
    if slow:
        bodies.append(every("half sent", 1, slow.url("/slow"), base + 650_000, target={
            "type": "http", "url": slow.url("/slow"), "timeout": "10s",
            "body": "x" * SLOW_BODY_BYTES}))
    return bodies


class ApiClient:
    """One client in a thread of its own, with jobs of its own. A job of which it does not know what
    became is left alone for ever: a request may be carried out long after its client gave up."""

    def __init__(self, recording, api_of, hosts, url, name, seed):
        self.recording = recording
        self.api_of = api_of    # host -> a new Client; None while it is not up
        self.hosts = hosts
        self.url = url
        self.name = name
        self.chance = random.Random(seed)
        self.apis = {}
        self.jobs = {}          # id -> whether it is paused
        self.made = 0
        self.counts = {"acknowledged": 0, "unknown": 0, "not_sent": 0}
        self.odd = []           # what no client should meet
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopping.set()
        self.thread.join(60)

    def resume_all(self):
        """What it paused owes again, so that nothing is held at the end."""
        for one, paused in sorted(self.jobs.items()):
            if paused:
                self.resume(self.api_of(self.hosts[0]), one)

    def _run(self):
        while not self.stopping.wait(self.chance.uniform(*CLIENT_PAUSE_S)):
            host = self.chance.choice(self.hosts)
            try:
                if host not in self.apis:
                    self.apis[host] = self.api_of(host)
                known = self.step(self.apis[host])
                self.counts["acknowledged" if known else "unknown"] += 1
            except NotSent:
                self.counts["not_sent"] += 1
            except Exception as error:
                self.odd.append(f"{type(error).__name__}: {str(error)[:300]}")

    def schedule(self):
        """A schedule and its anchor, by chance."""
        return {"schedule": f"@every {self.chance.choice((1000, 1250, 1500, 2000, 3000))}ms",
                "anchor": instant_text(now_us() // 1000 * 1000)}

    def step(self, api):
        """One change; whether its fate is known."""
        if not self.jobs:
            return self.create(api)
        one = self.chance.choice(sorted(self.jobs))
        acts = {"edit": self.edit, "delete": self.delete,
                "pause": self.resume if self.jobs[one] else self.pause}
        if len(self.jobs) < CLIENT_JOBS_MAX:
            acts["create"] = lambda api, _: self.create(api)
        act = self.chance.choice(sorted(acts))
        known = acts[act](api, one)
        if not known:
            self.jobs.pop(one, None)
        return known

    def create(self, api):
        self.made += 1
        made = self.recording.create(api, job(f"{self.name} {self.made}", url=self.url,
                                              **self.schedule()))
        if made is not None:
            self.jobs[made] = False
        return made is not None

    def edit(self, api, one):
        """Of a paused job: it stays paused, and owes nothing until it is resumed."""
        if self.jobs[one]:
            return self.resume(api, one)
        return self.recording.edit(api, one, **self.schedule())

    def pause(self, api, one):
        known = self.recording.pause(api, one)
        self.jobs[one] = True
        return known

    def resume(self, api, one):
        known = self.recording.resume(api, one)
        self.jobs[one] = False
        return known

    def delete(self, api, one):
        known = self.recording.delete(api, one)
        self.jobs.pop(one, None)
        return known


class Clients:
    """All of them."""

    def __init__(self, recording, api_of, hosts, url, seed):
        self.all = [ApiClient(recording, api_of, hosts, url, f"client {number}",
                              seed * CLIENTS + number) for number in range(CLIENTS)]

    def stop(self):
        for one in self.all:
            one.stop()

    def resume_all(self):
        for one in self.all:
            one.resume_all()

    def counts(self):
        kinds = self.all[0].counts
        return {kind: sum(one.counts[kind] for one in self.all) for kind in kinds}

    def odd(self):
        return [text for one in self.all for text in one.odd]
