"""What the picture of a run shows, and that it stays a picture when the run is long."""

from xml.etree import ElementTree

from cluster import timeline
from cluster.test_checker import KILLED, SECOND, START, TEN, clean, doubled, removed, request_of

SVG = "{http://www.w3.org/2000/svg}"


def elements(drawing, name, kind):
    root = ElementTree.fromstring(drawing.svg())
    return [one for one in root.iter(SVG + name) if one.get("class") == kind]


def test_a_clean_run_is_green_and_orange_with_a_band_for_its_fault():
    drawing = timeline.of_record(clean())
    assert not elements(drawing, "rect", "bad") and not elements(drawing, "line", "bad")
    assert len(elements(drawing, "rect", "band")) == 1
    assert elements(drawing, "line", "late") and elements(drawing, "rect", "good")
    assert [lane.name for lane in drawing.lanes] == ["a", "b", "c", "d"]


def test_what_is_missing_is_a_red_window():
    record = clean()
    removed(record)
    assert len(elements(timeline.of_record(record), "rect", "bad")) == 1


def test_what_came_too_late_is_a_red_mark_and_a_red_dot():
    record = clean()
    request_of(record, "a", TEN)["t_us"] += 5 * SECOND
    drawing = timeline.of_record(record)
    assert len(elements(drawing, "line", "bad")) == len(elements(drawing, "circle", "bad")) == 1


def test_a_later_attempt_is_grey():
    record = clean()
    doubled(record)
    lane = timeline.of_record(record).lanes[0]
    assert [mark.kind for mark in lane.marks].count("open") == 1


def test_marks_of_one_pixel_become_one_of_the_worst_kind():
    marks = [timeline.Mark(START + k, "bad" if k == 500 else "good", f"mark {k}")
             for k in range(100_000)]
    drawing = timeline.Timeline("t", START, START + 100 * SECOND, [], [timeline.Lane("x", marks)])
    assert len(drawing.svg()) < 10_000
    (worst,) = elements(drawing, "line", "bad")
    assert worst.find(SVG + "title").text.startswith("mark 500 (")


def test_the_worst_jobs_are_shown_where_there_are_too_many():
    record = clean()
    request_of(record, "b", KILLED - 40_000 - 10 * SECOND)["t_us"] += 5 * SECOND
    assert [lane.name for lane in timeline.of_record(record, lanes_max=1).lanes] == ["b"]


def test_texts_are_escaped():
    drawing = timeline.Timeline("<script>", START, START + SECOND,
                                [timeline.Band(START, START + SECOND, "a & b")],
                                [timeline.Lane('"<&', [timeline.Mark(START, "good", "<x>")])])
    texts = [one.text for one in ElementTree.fromstring(drawing.svg()).iter() if one.text]
    assert {"<script>", "a & b", '"<&', "<x>"} <= set(texts)
