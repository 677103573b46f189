"""Draws a run as SVG: bands are faults, a lane is a job or a client, a mark is what happened in it.

Marks and windows have one of four kinds, which are their colours: `good`, `open` (undetermined or
excused), `late`, `bad`. Marks that fall on one pixel become one, of the worst kind, whose tooltip
says how many there are; so the picture of a long run stays small. Under the lanes the lateness of
each first request is drawn, on a logarithmic scale. Instants are microseconds.
"""

import collections
import dataclasses
import math
from xml.sax.saxutils import escape

import checker as base
from cluster import checker

KINDS = ("good", "open", "late", "bad")  # the worst last
COLOURS = {"good": "#2e7d32", "open": "#9e9e9e", "late": "#ef6c00", "bad": "#c62828"}
WIDTH = 1200       # of the drawing's plane, pixels
LEFT = 170         # the lanes' names
LANE = 18
PANEL = 140        # the lateness
LATENESS_MS = (0.1, 100_000.0)
STEPS_S = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)


@dataclasses.dataclass(frozen=True)
class Band:
    t0: int
    t1: int
    label: str


@dataclasses.dataclass(frozen=True)
class Mark:
    t: int
    kind: str = "good"
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Window:
    t0: int
    t1: int
    kind: str = "good"


@dataclasses.dataclass
class Lane:
    name: str
    marks: list = dataclasses.field(default_factory=list)
    windows: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Timeline:
    """svg() is the picture. `lateness`: (instant, milliseconds, kind) of each first request."""
    title: str
    t0: int
    t1: int
    bands: list = dataclasses.field(default_factory=list)
    lanes: list = dataclasses.field(default_factory=list)
    lateness: list = dataclasses.field(default_factory=list)

    def svg(self):
        self.top = 64
        self.bottom = self.top + LANE * len(self.lanes) + (PANEL + 16 if self.lateness else 0)
        body = [*self._bands(), *self._axis()]
        for number, lane in enumerate(self.lanes):
            body += self._lane(lane, self.top + number * LANE)
        if self.lateness:
            body += self._lateness(self.bottom - PANEL)
        return "\n".join([self._head(), *body, "</svg>"]) + "\n"

    def x(self, t):
        share = (t - self.t0) / max(1, self.t1 - self.t0)
        return LEFT + min(1.0, max(0.0, share)) * WIDTH

    def _head(self):
        height = self.bottom + 30
        styles = "".join(f".{kind}{{stroke:{colour};fill:{colour}}}"
                         for kind, colour in COLOURS.items())
        legend = "".join(
            f'<text x="{LEFT + 90 * place}" y="36" class="{kind}" style="stroke:none">■ {kind}</text>'
            for place, kind in enumerate(KINDS))
        return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + 20} {height}" '
                f'font-family="sans-serif" font-size="11">\n<style>{styles}'
                ".band{fill:#ffe0b2;stroke:none}.grid{stroke:#e0e0e0}text{stroke:none}</style>\n"
                f'<rect width="100%" height="100%" fill="white"/>\n'
                f'<text x="10" y="18" font-size="14">{escape(self.title)}</text>\n{legend}')

    def _bands(self):
        for band in self.bands:
            left, right = self.x(band.t0), self.x(band.t1)
            yield (f'<g><title>{escape(band.label)}</title><rect class="band" x="{left:.1f}" y="44" '
                   f'width="{max(1.0, right - left):.1f}" height="{self.bottom - 44}"/>'
                   f'<text x="{left + 2:.1f}" y="56">{escape(band.label)}</text></g>')

    def _axis(self):
        span_s = max(1.0, (self.t1 - self.t0) / 1e6)
        step = next((step for step in STEPS_S if span_s / step <= 12), STEPS_S[-1])
        for second in range(0, int(span_s) + 1, step):
            x = self.x(self.t0 + second * 1_000_000)
            yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{self.top}" y2="{self.bottom}"/>'
            yield f'<text x="{x:.1f}" y="{self.bottom + 14}" text-anchor="middle">{second} s</text>'

    def _lane(self, lane, y):
        yield f'<text x="{LEFT - 6}" y="{y + 13}" text-anchor="end">{escape(lane.name[-24:])}</text>'
        for window in lane.windows:
            left = self.x(window.t0)
            width = max(0.5, self.x(window.t1) - left)
            yield (f'<rect class="{window.kind}" x="{left:.1f}" y="{y + 3}" width="{width:.1f}" '
                   f'height="{LANE - 6}" fill-opacity="0.25" stroke="none"/>')
        columns = collections.defaultdict(list)
        for mark in lane.marks:
            columns[round(self.x(mark.t))].append(mark)
        for x, marks in sorted(columns.items()):
            worst = max(marks, key=lambda mark: KINDS.index(mark.kind))
            count = f" ({len(marks)})" if len(marks) > 1 else ""
            yield (f'<line class="{worst.kind}" x1="{x}" x2="{x}" y1="{y + 2}" y2="{y + LANE - 3}">'
                   f"<title>{escape(worst.text or worst.kind)}{count}</title></line>")

    def _lateness(self, y):
        low, high = (math.log10(value) for value in LATENESS_MS)
        def height(value):
            share = (math.log10(min(max(value, LATENESS_MS[0]), LATENESS_MS[1])) - low) / (high - low)
            return y + PANEL - share * PANEL
        for value in (1, 10, 100, 1000, 10_000):
            yield (f'<line class="grid" x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{height(value):.1f}" '
                   f'y2="{height(value):.1f}"/><text x="{LEFT - 6}" y="{height(value) + 4:.1f}" '
                   f'text-anchor="end">{value} ms late</text>')
        dots = {(round(self.x(t)), round(height(value)), kind) for t, value, kind in self.lateness}
        for x, up, kind in sorted(dots):
            yield f'<circle class="{kind}" cx="{x}" cy="{up}" r="1.5" stroke="none"/>'


def of_record(record, lanes_max=60):
    """A run of the cluster (checker.Record): a lane for each job, the worst jobs first if they are
    too many. A window is from an instant to its deadline, a mark a request."""
    due = checker.due_of(record)
    calm = checker.Calm(record.faults)
    record, _ = checker.named(record, due, calm)
    first = checker.first_requests(record)
    lanes = {change.job: Lane(change.job) for change in record.changes}
    lateness = []
    for job, instant in sorted(due.must | due.may):
        request = first.get((job, instant))
        deadline = calm.deadline(instant, due.owner[job, instant].window)
        kind = window_kind(record, due, (job, instant), request)
        lanes[job].windows.append(Window(instant, deadline, kind))
    for request in record.requests:
        key = (request["job"], base.instant_us(request["scheduled_at"]))
        kind = request_kind(due, calm, key, request, first)
        text = f"{request['scheduled_at']} attempt {request['attempt']} fence {request['fence']}"
        lanes.setdefault(key[0], Lane(key[0])).marks.append(Mark(request["t_us"], kind, text))
        if request is first[key]:
            lateness.append((request["t_us"], max(0.1, (request["t_us"] - key[1]) / 1000), kind))
    chosen = sorted(lanes.values(), key=badness, reverse=True)[:lanes_max]
    bands = [Band(fault.t0, fault.t1, f"{fault.kind} {' '.join(fault.scope)}")
             for fault in record.faults]
    begin = min([change.ack_lo for change in record.changes], default=record.end - 1)
    return Timeline(record.title, begin, record.end, bands,
                    sorted(chosen, key=lambda lane: lane.name), lateness)


def window_kind(record, due, key, request):
    if request is not None:
        return "good"
    allowed = due.owner[key].catch_up != "all" and any(
        span["job"] == key[0] and span["after"] < key[1] <= span["until"] for span in record.spans)
    return "open" if allowed or key not in due.must else "bad"


def request_kind(due, calm, key, request, first):
    if key not in due.owner:
        return "bad"
    if request is not first[key]:
        return "open"  # a later attempt
    window = due.owner[key].window
    if request["t_us"] > calm.deadline(key[1], window):
        return "bad"
    return "late" if request["t_us"] > key[1] + window else "good"


def badness(lane):
    kinds = [mark.kind for mark in lane.marks] + [window.kind for window in lane.windows]
    return kinds.count("bad"), kinds.count("late")
