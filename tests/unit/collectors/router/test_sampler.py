"""exporter.collectors.router.sampler: the last reading is given at once, with its age, and never for ever."""

import logging
import queue
from collections.abc import Iterator

import pytest

from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.reading import Reading
from exporter.collectors.router.sampler import MAX_AGE_SECONDS, RouterSampler
from exporter.live.probe_result import ProbeResult
from exporter.settings.router_api import RouterApi
from tests.support.clocks import FakeClock
from tests.support.waiting import wait_for

UP, DOWN = Reading(ProbeResult.ANSWERED, models=2), Reading(ProbeResult.REFUSED)
LATE, UNTRUSTED = Reading(ProbeResult.TIMEOUT), Reading(ProbeResult.CERTIFICATE_UNTRUSTED, "self-signed")
API = RouterApi(url="https://router:8443", timeout_seconds=1.5)


class TickingClock(FakeClock):
    """Goes on by `step` each time it is asked."""

    step = 0.0

    def monotonic(self) -> float:
        self.advance(self.step)
        return super().monotonic()


class Router:
    """Is read when a test lets it."""

    def __init__(self) -> None:
        self.clock = TickingClock()
        self.begun = 0
        self._answers: queue.SimpleQueue[Reading] = queue.SimpleQueue()
        self.sampler = RouterSampler(self._read, API, self.clock, RightOfWay())

    def _read(self) -> Reading:
        self.begun += 1
        return self._answers.get()

    def answer(self, reading: Reading) -> None:
        self._answers.put(reading)

    def read(self, reading: Reading) -> None:
        """Scrapes until one has this reading, new."""
        self.sampler.latest()
        self.answer(reading)
        wait_for("the reading", lambda: self._is_last(reading))

    def _is_last(self, reading: Reading) -> bool:
        latest = self.sampler.latest()
        return latest is not None and latest[0] is reading and latest[1] == 0


@pytest.fixture
def router() -> Iterator[Router]:
    router = Router()
    yield router
    for _ in range(8):
        router.answer(UP)


def first_reading(router: Router) -> None:
    router.answer(UP)
    assert router.sampler.latest() == (UP, 0.0)


def test_the_first_scrape_waits_a_little_for_a_router_that_answers_at_once(router: Router) -> None:
    first_reading(router)


def test_a_scrape_takes_the_last_reading_and_its_age_while_the_router_is_slow(router: Router) -> None:
    first_reading(router)
    router.clock.advance(2.0)
    assert router.sampler.latest() == (UP, 2.0)
    router.clock.advance(1.0)
    assert router.sampler.latest() == (UP, 3.0)


def test_no_reading_is_begun_while_one_is_under_way(router: Router) -> None:
    first_reading(router)
    for _ in range(5):
        router.clock.advance(2.0)
        router.sampler.latest()
    wait_for("the second reading", lambda: router.begun == 2)
    for _ in range(5):
        router.sampler.latest()
    assert router.begun == 2


def test_a_lookup_that_hangs_is_a_time_out_and_not_the_answer_of_before(router: Router) -> None:
    first_reading(router)
    router.clock.advance(2.0)
    router.sampler.latest()
    wait_for("the second reading", lambda: router.begun == 2)
    router.clock.advance(7.0)
    assert router.sampler.latest() == (LATE, 0.0)
    router.clock.advance(500.0)
    assert router.sampler.latest() == (LATE, 0.0)


def test_a_router_is_read_every_two_seconds_however_many_scrape(router: Router) -> None:
    first_reading(router)
    for _ in range(5):
        router.clock.advance(0.3)
        assert router.sampler.latest() is not None
    assert router.begun == 1
    router.clock.advance(0.6)
    router.read(DOWN)
    assert router.begun == 2


def test_an_answer_of_long_ago_is_none(router: Router) -> None:
    first_reading(router)
    router.clock.advance(MAX_AGE_SECONDS + 1)
    router.clock.step = 0.2  # so that the wait for a new one ends
    assert router.sampler.latest() is None


def test_a_scrape_after_a_pause_has_a_new_answer(router: Router) -> None:
    first_reading(router)
    router.clock.advance(60.0)
    router.answer(DOWN)
    assert router.sampler.latest() == (DOWN, 0.0)


def test_what_the_router_comes_to_is_logged_once_and_so_is_its_end(
    router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first_reading(router)
    for reading in (DOWN, DOWN, DOWN, UNTRUSTED, UNTRUSTED, UP, UP):
        router.clock.advance(5.0)
        router.read(reading)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "router https://router:8443: its probe failed: connection refused"),
        (
            "WARNING",
            "router https://router:8443: its probe failed: its certificate is not trusted "
            "(self-signed); router.tls_config says what is trusted",
        ),
        ("INFO", "router https://router:8443: answered"),
    ]


def test_a_router_that_answers_every_other_probe_does_not_fill_the_log(
    router: Router, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first_reading(router)
    for _ in range(50):
        for reading in (LATE, UP):
            router.clock.advance(5.0)
            router.read(reading)
    assert [record.getMessage() for record in caplog.records] == [
        "router https://router:8443: its probe failed: no answer within 1.5 s",
        "router https://router:8443: answered",
    ]
