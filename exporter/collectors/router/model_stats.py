"""The counts of endpoints that are listed without: `GET /api/endpoints/ID/model-stats`.

`[{model_id, total_requests, successful_requests, failed_requests, total_output_tokens, total_duration_ms}]`,
cumulative, one row a model. The API key is enough for it, where the overview wants a user's token.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from exporter.clock import Clock
from exporter.collectors.router.no_answer import NoAnswerError
from exporter.collectors.router.nodes_api import usable_count
from exporter.collectors.router.probe import Answer

MAX_ENDPOINTS = 32
_EVERY_SECONDS = 15.0
_WITHOUT_EVERY_SECONDS = 60.0
"""where no endpoint had any"""
_MAX_AGE_SECONDS = 60.0
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
"""the router gives UUIDs; what could be another path, or end the request's line, is asked nothing"""


@dataclass(frozen=True, slots=True)
class Counts:
    """What an endpoint has counted of all its models; None where one row does not say it."""

    successes: float | None
    failures: float | None
    output_tokens: float | None


def usable_id(value: Any) -> str | None:
    """An endpoint's id that can be a part of a path, else None."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def parse_model_stats(document: Any) -> Counts | None:
    """The sums over all rows, 0 where there is no row yet; None where it is no list of rows."""
    if not isinstance(document, list) or not all(isinstance(row, dict) for row in document):
        return None

    def total(key: str) -> float | None:
        values = [usable_count(row.get(key)) for row in document]
        known = [value for value in values if value is not None]
        # Part of a sum would be a counter that falls and rises.
        return sum(known, 0.0) if len(known) == len(values) else None

    return Counts(total("successful_requests"), total("failed_requests"), total("total_output_tokens"))


class ModelStats:
    """Asks up to MAX_ENDPOINTS endpoints, one after the other, every 15 seconds at most.

    An endpoint that is asked keeps its place while it is listed. One that was not reached in the time given
    is first the next time, and has its counts of before for a minute; one that failed has none.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._found: dict[str, tuple[Counts | None, float]] = {}
        """by id, in the order of asking, with the time of the answer"""
        self._due = -math.inf

    def counts(
        self, listed: Iterable[str], get: Callable[[str, float], Answer], timeout_seconds: float
    ) -> Mapping[str, Counts]:
        """By id, of those listed; `get` is given a path and the seconds that are left."""
        wanted = dict.fromkeys(listed)
        self._found = {name: found for name, found in self._found.items() if name in wanted}
        begun = self._clock.monotonic()
        if begun >= self._due:
            for name in wanted:
                if len(self._found) < MAX_ENDPOINTS:
                    self._found.setdefault(name, (None, -math.inf))
            self._ask(get, begun, timeout_seconds)
        now = self._clock.monotonic()
        return {
            name: counts
            for name, (counts, at) in self._found.items()
            if counts is not None and now - at < _MAX_AGE_SECONDS
        }

    def _ask(self, get: Callable[[str, float], Answer], begun: float, timeout_seconds: float) -> None:
        any_found = False
        for name in list(self._found):
            left = begun + timeout_seconds - self._clock.monotonic()
            if left <= 0:
                break
            try:
                counts = parse_model_stats(get(f"/api/endpoints/{name}/model-stats", left).json())
            except NoAnswerError:
                counts = None
            any_found = any_found or counts is not None
            del self._found[name]  # to the end of the row
            self._found[name] = counts, self._clock.monotonic()
        self._due = begun + (_EVERY_SECONDS if any_found else _WITHOUT_EVERY_SECONDS)
