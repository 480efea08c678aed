"""Keeps a run's scraped series: what the verdict reads, and what `series.om.gz` holds.

It scrapes the exporter as Prometheus does, so that a run is judged and kept also where no Prometheus runs.
"""

import itertools
import logging
import re
import threading

import requests
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import Clock
from exporter.run.http_answer import Answer, BoundedHttp, UnansweredError
from exporter.run.spool import SpooledStore
from exporter.timeseries import Labels

TIMEOUT_SECONDS = 4.0
MAX_ANSWER_BYTES = 16 << 20
MAX_LINES, MAX_LINE_BYTES = 100_000, 1 << 14
"""of an answer: what it takes to read it grows faster than its bytes"""
EDGE_TRIES = 3
SCRAPES_A_FLUSH = 6
"""half a minute: so much is lost where the run is killed"""
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
"""names in quotes may be anything, and no `series.om.gz` that has one could be loaded"""
_log = logging.getLogger(__name__)


class Recorder:
    """Scrapes `url` every `interval_seconds` in a thread of its own, from `start` to `stop`.

    `session` is for this thread alone; `store` is this recorder's to add to until `stop`.
    """

    def __init__(
        self, url: str, interval_seconds: float, clock: Clock, session: requests.Session, store: SpooledStore
    ) -> None:
        self._url = url
        self._interval = interval_seconds
        self._clock = clock
        self._boot = clock.wall() - clock.since_boot()
        """Unix s"""
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._http = BoundedHttp(session, TIMEOUT_SECONDS, MAX_ANSWER_BYTES)
        self._store = store
        self._next = 0.0
        """when the next scrape is due, on the monotonic clock"""
        self.scrapes = 0
        self.failed_scrapes = 0
        """those that were not made in their time too"""

    def start(self) -> None:
        """Begin; the first scrape is made at once, in the caller's thread, so that a run has a beginning."""
        self._scrape_surely()
        self._next = self._clock.monotonic() + self._interval
        self._thread.start()

    def stop(self) -> None:
        """One last scrape, and the end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._count_missed()
        self._scrape_surely()
        self._store.flush()

    def now(self) -> float:
        """Unix s by the wall clock as it was at the beginning: set back it would reorder the samples."""
        return self._boot + self._clock.since_boot()

    def scrape_again(self) -> None:
        """Another last one, after `stop`."""
        self.scrape()
        self._store.flush()

    def _scrape_surely(self) -> None:
        """The first and the last scrape hold a run's totals: one that fails is tried again."""
        until = self._clock.monotonic() + TIMEOUT_SECONDS
        for _ in range(EDGE_TRIES):
            # One that took all of its time would do so again.
            if self.scrape() or self._clock.monotonic() >= until:
                return

    def _run(self) -> None:
        while not self._stopping.wait(max(0.0, self._next - self._clock.monotonic())):
            self._count_missed()
            self._next += self._interval
            self.scrape()

    def _count_missed(self) -> None:
        """A scrape that was not made in its time is missing; two at once do not make up for it."""
        missed = max(0, int((self._clock.monotonic() - self._next) // self._interval))
        self.failed_scrapes += missed
        self._next += missed * self._interval

    def scrape(self) -> bool:
        """One scrape; a failed one is counted and leaves a gap, as in Prometheus. Whether it succeeded."""
        time = self.now()
        try:
            families = families_of(self._http.ask("GET", self._url))
        except UnansweredError as error:
            _log.info("scrape of %s failed: %s", self._url, error)
            self.failed_scrapes += 1
            return False
        with self._store.lock:
            for sample in itertools.chain.from_iterable(family.samples for family in families):
                self._store.add(sample.name, sample.labels, time, float(sample.value))
        self.scrapes += 1
        # The first too: a run that is killed at once has a beginning.
        if self.scrapes % SCRAPES_A_FLUSH == 1:
            self._store.flush()
        return True

    def latest(self, name: str, /, **labels: str) -> float | None:
        """The newest value of one series, or None where it is unknown or older than two intervals."""
        return next(iter(self.newest(name, **labels).values()), None)

    def last(self, name: str, /, **labels: str) -> tuple[float, float] | None:
        """Time (Unix s) and value of the newest sample of one series, however old; None: there is none."""
        return self._store.last(name, **labels)

    def newest(self, name: str, /, **labels: str) -> dict[Labels, float]:
        """The newest value of each series, by its labels, where it is no older than two intervals."""
        oldest = self.now() - 2 * self._interval - TIMEOUT_SECONDS
        found = self._store.newest(name, **labels)
        return {each: value for each, (time, value) in found.items() if time >= oldest}


def families_of(answer: Answer) -> list[Metric]:
    """What is in an answer of `/metrics`; raises UnansweredError where it is none."""
    if answer.status != 200:
        raise UnansweredError(f"HTTP {answer.status}")
    lines = answer.body.splitlines()
    if len(lines) > MAX_LINES or max(map(len, lines), default=0) > MAX_LINE_BYTES:
        raise UnansweredError(
            f"more than {MAX_LINES:,} lines, or one of more than {MAX_LINE_BYTES >> 10} KiB"
        )
    try:
        families = list(text_string_to_metric_families(answer.body.decode()))
    except (ValueError, LookupError) as error:  # an index beyond a line's end, too
        raise UnansweredError("what it sends are no metrics") from error
    for sample in itertools.chain.from_iterable(family.samples for family in families):
        if not (_NAME.fullmatch(sample.name) and all(map(_LABEL.fullmatch, sample.labels))):
            raise UnansweredError("a name of what it sends is none that every Prometheus takes")
    return families
