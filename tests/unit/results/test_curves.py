"""exporter.results.curves, axis and svg: gaps stay gaps, few points are drawn, marks are round."""

import re

import pytest

from exporter.live.message import Phase
from exporter.results.axis import (
    elapsed_mark,
    logarithmic_marks,
    number_text,
    time_marks,
    value_marks,
)
from exporter.results.curves import MAX_BINS, Line, Panel, gauge, parted, rate, series_of
from exporter.results.document_parts import PhasePart
from exporter.results.panels import MAX_LINES, panels_of
from exporter.results.run_record import record_of
from exporter.results.svg import LEFT, RIGHT, WIDTH, events_svg, panel_svg
from exporter.results.timeline import Event, Kind, Row, Timeline, timeline_of
from exporter.timeseries import SeriesStore
from tests.support.eventful_hour import eventful_hour
from tests.support.run_results import evidence, run_result

BEGAN = 1_764_000_000.0


def minute(*rows: Row) -> Timeline:
    """A time axis of a minute of load."""
    phases = (PhasePart(since=BEGAN, until=BEGAN + 60, phase=Phase.LOAD),)
    return Timeline(BEGAN, BEGAN + 60, BEGAN, phases, rows, 0)


def test_a_missing_sample_is_a_gap_and_no_line_is_drawn_over_it() -> None:
    series = series_of({BEGAN + second: 1.0 for second in (0, 5, 10, 40, 45, 50)})
    stretches = gauge(series, 1.0)
    assert [[time - BEGAN for time, _ in stretch] for stretch in stretches] == [[0, 5, 10], [40, 45, 50]]


def test_what_is_not_known_is_a_gap() -> None:
    assert parted([(1.0, 1.0), None, (2.0, 2.0), (3.0, 3.0), None]) == (
        ((1.0, 1.0),),
        ((2.0, 2.0), (3.0, 3.0)),
    )


def test_a_rate_is_the_rise_of_a_counter_by_the_second_over_a_reset() -> None:
    series = series_of({BEGAN: 10.0, BEGAN + 5: 60.0, BEGAN + 10: 20.0})
    (stretch,) = rate(series, 1.0, 100.0)
    assert stretch == ((BEGAN + 5, 1000.0), (BEGAN + 10, 400.0))


def test_of_many_samples_few_are_drawn_and_no_peak_is_lost() -> None:
    values = {BEGAN + 5 * at: 1.0 for at in range(20_000)}
    values[BEGAN + 50_000] = 9.0
    (stretch,) = gauge(series_of(values), 100_000 / MAX_BINS)
    assert len(stretch) <= 2 * (MAX_BINS + 1)
    assert max(stretch, key=lambda point: point[1]) == (BEGAN + 50_000, 9.0)


def test_an_hour_has_a_panel_for_each_thing_that_is_known() -> None:
    record = record_of(eventful_hour(), "a", ())
    panels = panels_of(record, timeline_of(record))
    assert [panel.title for panel in panels] == [
        "Requests a second",
        "Latency of 2xx",
        "Memory of router and nodes (RssAnon and swap)",
        "Files, threads and connections of the router",
        "CPU in use",
        "GPU in use",
        "GPU memory in use",
        "Time in the router's collector of garbage",
        "Heap of the router, by its own account",
    ]
    rates = {line.name: line for line in panels[0].lines}
    assert max(rates["successes (2xx)"].values) == 40.0
    assert min(rates["successes (2xx)"].values) == 0.0
    assert max(rates["failures"].values) > 6
    cpu = {line.name: line.values for line in panels[4].lines}
    assert list(cpu) == ["host", "router (router)", "node-1 (node)", "wrk (load)"]
    assert cpu["host"][10] == pytest.approx(1.2)
    assert cpu["router (router)"][10] == pytest.approx(0.4)


def test_a_run_without_seconds_is_drawn_from_its_scrapes() -> None:
    store = SeriesStore()
    for scrape in range(13):
        time = BEGAN + 5 * scrape
        for status, count in (("2xx", 100.0 * scrape), ("5xx", 5.0 * scrape)):
            labels = {"route": "local", "model": "m", "status_class": status}
            store.add("benchmark_requests_total", labels, time, count)
        store.add("benchmark_request_failures_total", {"reason": "read"}, time, 1.0 * scrape)
        for quantile in ("0.5", "0.95", "0.99"):
            labels = {"quantile": quantile, "route": "local", "model": "m"}
            store.add("benchmark_request_duration_quantile_seconds", labels, time, 0.02)
    record = record_of(run_result(evidence(series=store)), "a", ())
    rates, latency = panels_of(record, timeline_of(record))
    assert "no record by the second" in rates.note
    assert {line.name: set(line.values) for line in rates.lines} == {
        "successes (2xx)": {20.0},
        "failures": {1.2},
    }
    assert {line.name: set(line.values) for line in latency.lines} == {
        name: {20.0} for name in ("p50", "p95", "p99")
    }


def test_of_very_many_processes_those_that_are_greatest_are_drawn_and_it_is_said() -> None:
    store = SeriesStore()
    for number in range(30):
        labels = {"process": f"node-{number}", "role": "node"}
        for scrape in range(3):
            memory = (number + 1) * 2.0**20
            store.add("observed_process_anonymous_memory_bytes", labels, BEGAN + 5 * scrape, memory)
    record = record_of(run_result(evidence(series=store)), "a", ())
    (panel,) = (each for each in panels_of(record, timeline_of(record)) if "Memory" in each.title)
    assert panel.note == f"the {MAX_LINES} greatest of 30"
    assert {line.name for line in panel.lines} == {f"node-{number} (node)" for number in range(22, 30)}
    assert max(max(line.values) for line in panel.lines) == 30.0


def points(svg: str) -> list[list[tuple[float, float]]]:
    """The places of every curve, by stretch."""
    (path,) = re.findall(r'<path class="line c0" d="([^"]+)"', svg)
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", part)]
        for part in path.split("M")[1:]
    ]


def test_a_curve_lies_at_its_times_and_values() -> None:
    line = Line("a", (((BEGAN, 0.0), (BEGAN + 30, 50.0)), ((BEGAN + 60, 100.0),)))
    found = points(panel_svg(Panel("t", "ms", (line,)), minute()))
    assert found[0][0] == (LEFT, 160.0)
    assert found[0][1] == (LEFT + (WIDTH - LEFT - RIGHT) / 2, 84.0)
    # A point alone is drawn as a dot.
    assert found[1] == [(WIDTH - RIGHT, 8.0)] * 2


def test_a_logarithmic_axis_puts_decades_equally_far_apart() -> None:
    line = Line("a", (((BEGAN, 1.0), (BEGAN + 30, 10.0), (BEGAN + 60, 100.0)),))
    ((low, middle, high),) = points(panel_svg(Panel("t", "ms", (line,), is_logarithmic=True), minute()))
    assert low[1] - middle[1] == pytest.approx(middle[1] - high[1])


def test_what_failed_and_restarts_are_marked_in_every_panel_and_moments_can_be_seen() -> None:
    rows = (
        Row("stalls", Kind.FAIL, (Event(BEGAN + 15, BEGAN + 30, "no success"),)),
        Row("restarts", Kind.RESTART, (Event(BEGAN + 60, BEGAN + 60, "router was restarted"),)),
    )
    timeline, line = minute(*rows), Line("a", (((BEGAN, 1.0), (BEGAN + 60, 1.0)),))
    panel = panel_svg(Panel("t", "", (line,)), timeline)
    quarter = (WIDTH - LEFT - RIGHT) / 4
    assert f'<rect class="failed" x="{LEFT + quarter:.1f}" y="8" width="{quarter:.1f}"' in panel
    assert '<path class="restarted"' in panel
    strip = events_svg(timeline)
    assert re.search(r'class="bar restart" x="945\.5" y="\d+" width="2\.5"', strip)
    assert "<title>01:00: router was restarted</title>" in strip


@pytest.mark.parametrize(
    ("seconds", "first", "last"),
    [
        (7, "0 s", "7 s"),
        (60, "0 s", "1 min"),
        (90, "0 s", "1:30"),
        (3600, "0 s", "1 h"),
        (5400, "0 s", "1 h 30"),
        (2 * 86_400, "0 s", "2 d"),
        (60 * 86_400, "0 s", "56 d"),
    ],
)
def test_marks_of_time_are_few_and_round(seconds: float, first: str, last: str) -> None:
    marks = time_marks(BEGAN, BEGAN + seconds, BEGAN, 8)
    assert 4 <= len(marks) <= 9
    assert (elapsed_mark(marks[0] - BEGAN), elapsed_mark(marks[-1] - BEGAN)) == (first, last)


@pytest.mark.parametrize(
    ("top", "marks"),
    [
        (0.0, [0, 1]),
        (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1.0]),
        (7.0, [0, 2, 4, 6, 8]),
        (41.0, [0, 10, 20, 30, 40, 50]),
    ],
)
def test_marks_of_values_are_round_and_reach_the_greatest(top: float, marks: list[float]) -> None:
    assert value_marks(top) == pytest.approx(marks)


def test_logarithmic_marks_enclose_the_values() -> None:
    assert logarithmic_marks(3.0, 700.0) == pytest.approx([1, 10, 100, 1000])
    assert logarithmic_marks(3.0, 70.0) == pytest.approx([1, 2, 5, 10, 20, 50, 100])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (0.00012, "1.2e-04"),
        (0.0123, "0.0123"),
        (12.345, "12.3"),
        (1234.5, "1,234"),
        (3e9, "3e+09"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number_text(value) == text
