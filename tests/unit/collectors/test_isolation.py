"""exporter.collectors.isolation: a failing or hanging collector costs exactly its own series."""

import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from exporter.clock import SystemClock
from exporter.collectors.isolation import IsolatedCollectors
from tests.support.clocks import FakeClock

SHORT = 0.1  # seconds until a collector that hangs by design is given up
LONG = 10.0  # never reached


class Stub:
    """A collector that does what a test asks of it."""

    isolated = True

    def __init__(self, name: str, behave: Callable[[], Iterable[Metric]] | None = None) -> None:
        self.name = name
        self.behave = behave or (lambda: [GaugeMetricFamily(f"{name}_value", "a value", 1)])
        self.calls = 0

    def collect(self) -> Iterable[Metric]:
        self.calls += 1
        return self.behave()


def scrape(collectors: IsolatedCollectors) -> dict[str, float]:
    return {
        f"{sample.name}{{{','.join(sample.labels.values())}}}": sample.value
        for family in collectors.collect()
        for sample in family.samples
    }


def test_every_collector_is_reported_with_success_duration_and_time_of_the_last_success() -> None:
    clock = FakeClock(wall=1_700_000_100.0)

    def slow() -> Iterable[Metric]:
        clock.advance(2.5)
        return []

    stub = Stub("a", slow)
    found = scrape(IsolatedCollectors([stub], LONG, clock))
    assert found == {
        "exporter_collector_success{a}": 1,
        "exporter_collector_duration_seconds{a}": 2.5,
        "exporter_collector_last_success_timestamp_seconds{a}": 1_700_000_102.5,
    }


def test_a_failing_collector_costs_its_own_series_alone() -> None:
    def fail() -> Iterable[Metric]:
        raise OSError("no such thing")

    found = scrape(IsolatedCollectors([Stub("good"), Stub("bad", fail)], LONG, SystemClock()))
    assert found["good_value{}"] == 1
    assert found["exporter_collector_success{good}"] == 1
    assert found["exporter_collector_success{bad}"] == 0
    assert "exporter_collector_last_success_timestamp_seconds{bad}" not in found


def test_a_collector_that_is_not_isolated_comes_first_and_has_no_series_about_it() -> None:
    own = Stub("own")
    own.isolated = False
    families = [
        family.name for family in IsolatedCollectors([Stub("world"), own], LONG, SystemClock()).collect()
    ]
    assert families[:2] == ["own_value", "world_value"]
    found = scrape(IsolatedCollectors([own], LONG, SystemClock()))
    assert found == {"own_value{}": 1}


def test_what_a_failed_collector_had_given_is_dropped() -> None:
    def half() -> Iterable[Metric]:
        yield GaugeMetricFamily("half_value", "shown too early", 1)
        raise ValueError("the other half")

    found = scrape(IsolatedCollectors([Stub("half", half)], LONG, SystemClock()))
    assert "half_value{}" not in found
    assert found["exporter_collector_success{half}"] == 0


@pytest.mark.parametrize(
    ("label", "value"),
    [("fine", None), ("\ud800", 1.0), (7, 1.0)],
    ids=["no value", "half a character", "no text"],
)
def test_series_that_could_not_be_written_out_fail_their_collector_and_not_the_scrape(
    label: Any, value: Any
) -> None:
    def broken() -> Iterable[Metric]:
        family = GaugeMetricFamily("broken_value", "not a series", labels=["label"])
        family.add_metric([label], value)
        return [family]

    registry = CollectorRegistry()
    registry.register(IsolatedCollectors([Stub("good"), Stub("broken", broken)], LONG, SystemClock()))
    text = generate_latest(registry).decode()
    assert "good_value 1.0\n" in text
    assert 'exporter_collector_success{collector="broken"} 0.0\n' in text
    assert "broken_value" not in text


def test_a_hanging_collector_is_failed_at_the_deadline_and_never_called_twice_at_once() -> None:
    release, entered = threading.Event(), threading.Event()

    def hang() -> Iterable[Metric]:
        entered.set()
        release.wait(LONG)
        return [GaugeMetricFamily("hung_value", "late", 1)]

    stub = Stub("hung", hang)
    collectors = IsolatedCollectors([stub, Stub("good")], SHORT, SystemClock())
    before = threading.active_count()
    for _ in range(3):
        found = scrape(collectors)
        assert found["exporter_collector_success{hung}"] == 0
        assert found["exporter_collector_success{good}"] == 1
        assert found["good_value{}"] == 1
    assert found["exporter_collector_duration_seconds{hung}"] >= SHORT
    assert entered.is_set()
    assert stub.calls == 1
    assert threading.active_count() == before + 2
    release.set()


def test_a_collector_that_has_hung_recovers_by_itself() -> None:
    release, returned = threading.Event(), threading.Event()

    def hang() -> Iterable[Metric]:
        release.wait(LONG)
        yield GaugeMetricFamily("hung_value", "late", stub.calls)
        returned.set()

    stub = Stub("hung", hang)
    clock = SystemClock()
    collectors = IsolatedCollectors([stub], SHORT, clock)
    assert "hung_value{}" not in scrape(collectors)
    release.set()
    assert returned.wait(LONG)
    found: dict[str, float] = {}
    give_up = clock.monotonic() + LONG
    while "hung_value{}" not in found and clock.monotonic() < give_up:
        found = scrape(collectors)
    assert found["hung_value{}"] == 2  # from a call of its own: the late answer is not shown
    assert found["exporter_collector_success{hung}"] == 1


def test_collectors_run_side_by_side() -> None:
    barrier = threading.Barrier(2, timeout=LONG)

    def meet() -> Iterable[Metric]:
        barrier.wait()
        return []

    found = scrape(IsolatedCollectors([Stub("a", meet), Stub("b", meet)], LONG, SystemClock()))
    assert found["exporter_collector_success{a}"] == found["exporter_collector_success{b}"] == 1


def test_two_scrapes_at_once_are_both_answered_whole() -> None:
    entered, release = threading.Event(), threading.Event()

    def slow() -> Iterable[Metric]:
        entered.set()
        release.wait(LONG)
        return [GaugeMetricFamily("slow_value", "a value", 1)]

    collectors = IsolatedCollectors([Stub("slow", slow)], LONG, SystemClock())
    results: list[dict[str, float]] = []
    threads = [threading.Thread(target=lambda: results.append(scrape(collectors))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert entered.wait(LONG)
    release.set()
    for thread in threads:
        thread.join(LONG)
    assert [result["slow_value{}"] for result in results] == [1, 1]


def test_a_problem_is_logged_once_until_it_changes_or_ends(caplog: pytest.LogCaptureFixture) -> None:
    problems: list[str | None] = ["one", "one", "two", None, None, "one"]
    todo = iter(problems)

    def behave() -> Iterable[Metric]:
        problem = next(todo)
        if problem is not None:
            raise RuntimeError(problem)
        return []

    collectors = IsolatedCollectors([Stub("moody", behave)], LONG, SystemClock())
    with caplog.at_level(logging.INFO):
        for _ in problems:
            scrape(collectors)
    assert all("moody" in message for message in caplog.messages)
    assert [
        (record.levelname, record.getMessage().partition(" missing: ")[2]) for record in caplog.records
    ] == [
        ("WARNING", "RuntimeError: one"),
        ("WARNING", "RuntimeError: two"),
        ("INFO", ""),
        ("WARNING", "RuntimeError: one"),
    ]


def test_a_hung_collector_does_not_keep_the_interpreter_from_its_exit() -> None:
    program = """
import threading
from exporter.clock import SystemClock
from exporter.collectors.isolation import IsolatedCollectors
from tests.support.clocks import FakeClock
class Hung:
    name = "hung"
    isolated = True
    def collect(self):
        threading.Event().wait()
print(len(IsolatedCollectors([Hung()], 0.05, SystemClock()).collect()))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "3\n"
