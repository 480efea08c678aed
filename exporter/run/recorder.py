"""Keeps a run's scraped series: what the verdict reads, and what `series.om.gz` holds.

It scrapes the exporter as Prometheus does, so that a run is judged and kept also where no Prometheus runs.
"""

import itertools
import logging
import threading

import requests
from prometheus_client.parser import text_string_to_metric_families

from exporter.clock import Clock
from exporter.timeseries import SeriesStore

TIMEOUT_SECONDS = 4.0
EDGE_TRIES = 3
MAX_SAMPLES = 20_000_000
"""about 320 MB; an hour of a thousand series at 5 s is 720,000"""
_log = logging.getLogger(__name__)


class Recorder:
    """Scrapes `url` every `interval_seconds` in a thread of its own, from `start` to `stop`.

    `session` is for this thread alone.
    """

    def __init__(self, url: str, interval_seconds: float, clock: Clock, session: requests.Session) -> None:
        self._url = url
        self._interval = interval_seconds
        self._clock = clock
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._session = session
        self._samples = 0
        self.store = SeriesStore()
        self.scrapes = 0
        self.failed_scrapes = 0

    def start(self) -> None:
        """Begin; the first scrape is made at once, in the caller's thread, so that a run has a beginning."""
        self._scrape_surely()
        self._thread.start()

    def stop(self) -> None:
        """One last scrape, and the end."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._scrape_surely()

    def _scrape_surely(self) -> None:
        """The first and the last scrape hold a run's totals: one that fails is tried again."""
        any(self.scrape() for _ in range(EDGE_TRIES))

    def _run(self) -> None:
        next_scrape = self._clock.monotonic() + self._interval
        while not self._stopping.wait(max(0.0, next_scrape - self._clock.monotonic())):
            self.scrape()
            next_scrape += self._interval

    def scrape(self) -> bool:
        """One scrape; a failed one is counted and leaves a gap, as in Prometheus. Whether it succeeded."""
        time = self._clock.wall()
        try:
            answer = self._session.get(self._url, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            families = list(text_string_to_metric_families(answer.text))
        except (requests.RequestException, ValueError) as error:
            _log.info("scrape of %s failed: %s", self._url, error)
            self.failed_scrapes += 1
            return False
        samples = itertools.chain.from_iterable(family.samples for family in families)
        with self._lock:
            self.scrapes += 1
            for sample in itertools.islice(samples, MAX_SAMPLES - self._samples):
                self.store.add(sample.name, sample.labels, time, float(sample.value))
                self._samples += 1
        return True

    def latest(self, name: str, **labels: str) -> float | None:
        """The newest value of one series, or None where it is unknown or older than two intervals."""
        with self._lock:
            found = self.store.select(name, **labels)
            if not found or self._clock.wall() - found[0].times[-1] > 2 * self._interval + TIMEOUT_SECONDS:
                return None
            return found[0].values[-1]
