"""exporter.run.surroundings: what is around a load, as last scraped."""

from typing import Any, cast

import pytest

from exporter.run.surroundings import Around
from exporter.run.view import Surroundings
from tests.support.clocks import FakeClock

Labels = tuple[tuple[str, str], ...]
MIB = 2**20


class Scraped:
    """Stands for a recorder: the newest values, set by hand."""

    def __init__(self) -> None:
        self.values: dict[str, dict[Labels, float]] = {}
        self.at = 1000.0

    def set(self, name: str, value: float, **labels: str) -> None:
        """One series."""
        self.values.setdefault(name, {})[tuple(sorted(labels.items()))] = value

    def newest(self, name: str, **labels: str) -> dict[Labels, float]:
        """As the recorder has it."""
        found = self.values.get(name, {})
        return {key: value for key, value in found.items() if labels.items() <= dict(key).items()}

    def latest(self, name: str, /, **labels: str) -> float | None:
        """The first of them."""
        return next(iter(self.newest(name, **labels).values()), None)

    def last(self, name: str, /, **labels: str) -> tuple[float, float] | None:
        """The first of them, and when it was scraped."""
        value = self.latest(name, **labels)
        return None if value is None else (self.at, value)

    def now(self) -> float:
        """The recorder's clock."""
        return self.at


class Scene:
    """A run that looks every five seconds."""

    def __init__(self, is_target: bool = True) -> None:
        self.scraped = Scraped()
        self.clock = FakeClock()
        self.successes = 0
        recorder = cast(Any, self.scraped)
        self.around = Around(recorder, is_target, None, lambda: self.successes, self.clock)

    def look(self) -> Surroundings:
        """Five seconds later."""
        self.clock.advance(5)
        self.around.look()
        return self.around.latest


def test_nothing_that_is_scraped_is_nothing_that_is_known() -> None:
    assert Scene().look() == Surroundings()


def test_cpu_is_told_from_two_scrapes_and_stays_where_one_is_looked_at_twice() -> None:
    scene = Scene()
    cores, hosts = [], []
    for used in (10.0, 12.5, 12.5, 15.0):
        scene.scraped.set("observed_process_cpu_seconds_total", used, process="r", role="router", mode="user")
        scene.scraped.set("node_cpu_seconds_total", used, cpu="0", mode="user")
        scene.scraped.set("node_cpu_seconds_total", 3 * used, cpu="0", mode="idle")
        seen = scene.look()
        cores.append(seen.router_cpu_cores)
        hosts.append(seen.host_cpu_ratio)
    assert cores == [None, 0.5, 0.5, pytest.approx(0.25)]
    assert hosts == [None, 0.25, 0.25, 0.25]


def test_a_process_that_uses_no_cpu_for_long_is_at_zero() -> None:
    scene = Scene()
    scene.scraped.set("observed_process_cpu_seconds_total", 10.0, process="r", role="router", mode="user")
    assert [scene.look().router_cpu_cores for _ in range(5)][-1] == 0


def test_memory_is_that_of_all_processes_of_the_router_and_has_a_trend_after_a_while() -> None:
    scene = Scene()
    seen = Surroundings()
    for second in range(0, 3600, 5):
        for name in ("a", "b"):
            scene.scraped.set(
                "observed_process_resident_memory_bytes",
                (100 + second / 60) * MIB,
                process=name,
                role="router",
            )
        seen = scene.look()
        assert (seen.router_memory_bytes_per_hour is None) == (second < 1200)
    assert seen.router_memory_at_start_bytes == 200 * MIB
    assert seen.router_memory_bytes_per_hour == pytest.approx(120 * MIB, rel=0.05)


def test_a_router_is_down_where_neither_probe_nor_load_gets_an_answer() -> None:
    scene = Scene()
    scene.scraped.set("router_up", 0.0)
    assert [scene.look().router_down_seconds for _ in range(3)] == [0, 5, 10]
    scene.successes = 7
    assert scene.look().router_down_seconds is None
    scene.scraped.set("router_up", 1.0)
    assert scene.look().router_down_seconds is None


def test_another_router_is_not_what_is_around_the_load() -> None:
    scene = Scene(is_target=False)
    scene.scraped.set("observed_process_resident_memory_bytes", MIB, process="r", role="router")
    scene.scraped.set("router_up", 0.0)
    scene.scraped.set("router_nodes", 2, status="online")
    assert scene.look() == Surroundings()


def test_nodes_are_counted_by_status() -> None:
    scene = Scene()
    scene.scraped.set("router_nodes", 2, status="online")
    scene.scraped.set("router_nodes", 1, status="offline")
    seen = scene.look()
    assert (seen.nodes_online, seen.nodes_known) == (2, 3)


def test_what_the_router_counts_is_told_from_the_begin_and_its_rate_by_when_it_was_read() -> None:
    scene = Scene()
    seen = []
    # Each scrape has the reading that the one before set off, 5 s ago; the first is as old as itself.
    for total, age in ((100, 0.0), (100, 5.0), (200, 5.0), (300, 5.0), (400, 5.0)):
        scene.scraped.set("router_requests_total", float(total), outcome="success")
        scene.scraped.set("router_requests_total", total / 100, outcome="failure")
        scene.scraped.set("router_probe_age_seconds", age)
        found = scene.look()
        scene.scraped.at += 5
        seen.append((found.requests, found.failures, found.requests_per_second))
    assert seen[0] == (0.0, 0.0, None)
    assert seen[-1][:2] == (303.0, 3.0)
    assert seen[-1][2] == pytest.approx(303 / 15)


def test_a_router_that_counts_nothing_more_is_at_zero() -> None:
    scene = Scene()
    scene.scraped.set("router_requests_total", 5.0, outcome="success")
    for _ in range(5):
        found = scene.look()
        scene.scraped.at += 5
    assert (found.requests, found.requests_per_second) == (0.0, 0.0)
    assert found.failures is None
