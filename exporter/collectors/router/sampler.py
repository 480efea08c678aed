"""The router is looked at beside the scrapes: one takes the last reading and does not wait for the router."""

import logging
import math
import threading
from collections.abc import Callable

from exporter.clock import Clock
from exporter.collectors.priority import RightOfWay
from exporter.collectors.router.reading import Reading, longest_seconds
from exporter.live.probe_result import ProbeResult
from exporter.settings.router_api import RouterApi

_LOG = logging.getLogger(__name__)

# So that an alert learns of a node within the seconds of a scrape; as often as two scrapers would ask.
_EVERY_SECONDS = 2.0
_ASKED_WITHIN_SECONDS = 30.0

# Up to this age a reading is given as it is. Where it is older nobody has scraped for a while, and a scrape
# waits a little for a new one: the first of all, or that after a pause.
_FRESH_SECONDS = 10.0
_PATIENCE_SECONDS = 0.5

# Past this age it says nothing of the router any more. Twice the longest usual interval between scrapes.
MAX_AGE_SECONDS = 120.0

# A reading lets a scrape that is under way go first, so as to add nothing to its time.
_GIVE_WAY_SECONDS = 0.1

# A router that answers every other probe is one line, not one a probe.
_SAY_AGAIN_SECONDS = 600.0


class RouterSampler:
    """One thread that reads the router every two seconds while it is asked, and rests where nobody asks.

    One reading at a time. It is bounded by its time-outs, apart from the lookup of a name: one that hangs is
    a time-out too, and no other reading is begun before it has returned. What the router comes to is logged
    as it changes.
    """

    def __init__(
        self, read: Callable[[], Reading], api: RouterApi, clock: Clock, right_of_way: RightOfWay
    ) -> None:
        self._read = read
        self._api = api
        self._longest_seconds = _GIVE_WAY_SECONDS + longest_seconds(api)
        self._clock = clock
        self._right_of_way = right_of_way
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = -math.inf
        self._awaited = False
        self._due = -math.inf
        self._begun: float | None = None
        """since when a reading has been under way"""
        self._last: tuple[Reading, float] | None = None
        """with the time at which it was finished"""
        self._result: ProbeResult | None = None
        self._said: dict[ProbeResult, float] = {}

    def latest(self) -> tuple[Reading, float] | None:
        """The last reading and its age in seconds, None where none says anything; asks for the next ones."""
        with self._changed:
            now = asked = self._ask()
            while self._age(now) > _FRESH_SECONDS:
                patience = (asked if self._begun is None else self._begun) + _PATIENCE_SECONDS - now
                if patience <= 0:
                    break
                self._awaited = True
                self._changed.wait(patience)
                now = self._clock.monotonic()
            if self._begun is not None and now - self._begun > self._longest_seconds:
                return Reading(ProbeResult.TIMEOUT), 0.0
            if self._last is None or self._age(now) > MAX_AGE_SECONDS:
                return None
            return self._last[0], self._age(now)

    def _age(self, now: float) -> float:
        return math.inf if self._last is None else now - self._last[1]

    def _ask(self) -> float:
        before, self._asked = self._asked, self._clock.monotonic()
        if self._thread is None or not self._thread.is_alive():
            self._begun = None
            self._thread = threading.Thread(target=self._serve, name="router-sampler", daemon=True)
            self._thread.start()
        elif self._asked - before >= _ASKED_WITHIN_SECONDS or self._asked >= self._due:
            self._changed.notify_all()
        return self._asked

    def _serve(self) -> None:
        while True:
            begun = self._rest()
            reading = self._read()
            finished = self._clock.monotonic()
            self._say(reading, finished)
            with self._changed:
                self._last, self._due = (reading, finished), begun + _EVERY_SECONDS
                self._begun, self._awaited = None, False
                self._changed.notify_all()

    def _rest(self) -> float:
        """Wait until a reading is due and wanted; when it begins."""
        with self._changed:
            while (now := self._clock.monotonic()) < self._due or now - self._asked >= _ASKED_WITHIN_SECONDS:
                wanted = now - self._asked < _ASKED_WITHIN_SECONDS
                self._changed.wait(self._due - now if wanted else None)
            self._begun = now
            awaited = self._awaited
        if not awaited:
            self._right_of_way.give(_GIVE_WAY_SECONDS)
        return now

    def _say(self, reading: Reading, now: float) -> None:
        """Log what the router has come to, where that is another thing than before."""
        before, self._result = self._result, reading.result
        is_news = reading.result is not (before or ProbeResult.ANSWERED)
        if not is_news or now - self._said.get(reading.result, -math.inf) < _SAY_AGAIN_SECONDS:
            return
        self._said[reading.result] = now
        what, _ = reading.result.sentences(self._api.timeout_seconds)
        if reading.result is ProbeResult.ANSWERED:
            _LOG.info("router %s: %s", self._api.url, what)
            return
        detail = f" ({reading.detail})" if reading.detail else ""
        trust = "; router.tls_config says what is trusted" if reading.result.unknown else ""
        _LOG.warning("router %s: its probe failed: %s%s%s", self._api.url, what, detail, trust)
