"""The lines of hey's `-o csv`: a header, and a line for each response.

    response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
    0.0038,0.0005,0.0002,0.0001,0.0031,0.0001,200,0.0002

Requests that got no response leave no trace there. Standard library only.
"""

import math
import re
from array import array
from collections.abc import Iterable

from pasted import Prefix, RefusedError, not_understood

from exporter.live.results_csv import ResultRow

MAX_RESPONSES = 1_000_000
"""hey keeps no more, in its summary and its CSV, and does not say how many more there were"""
CAP_NOTE = "hey keeps a million responses at most: how many there were is unknown"
HEADER = re.compile(r"response-time,[A-Za-z+,-]+\s*$")
_PERCENTS = (50, 75, 90, 95, 99)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?")
_STATUS = re.compile(r"[0-9]{1,3}")


class HeyCsv:
    """A CSV while its lines are read."""

    has_ended = False

    def __init__(self, prefix: Prefix, header: list[str]) -> None:
        self._prefix = prefix
        self._columns = len(header)
        self._status = header.index("status-code") if "status-code" in header else None
        self._offset = header.index("offset") if "offset" in header else None
        self._latencies = array("d")
        """seconds; of 2xx responses where there is a status column"""
        self._responses = 0
        self._end = 0.0
        self._unknown: tuple[int, str] | None = None

    def take(self, number: int, line: str) -> None:
        """The next line, with its number in the text."""
        if self._unknown is None and not any(map(self._understand, self._prefix.without(line))):
            self._unknown = (number, line)

    def _understand(self, text: str) -> bool:
        if not text:
            return True
        fields = text.split(",")
        if len(fields) != self._columns:
            return False
        latency, offset, status = fields[0], "0", "200"
        if self._offset is not None:
            offset = fields[self._offset]
        if self._status is not None:
            status = fields[self._status]
        if not (_NUMBER.fullmatch(latency) and _NUMBER.fullmatch(offset) and _STATUS.fullmatch(status)):
            return False
        seconds = float(latency)
        self._responses += 1
        self._end = max(self._end, seconds + float(offset))
        if len(status) == 3 and status[0] == "2":
            self._latencies.append(seconds)
        return True

    @property
    def note(self) -> str:
        """What a reader of the row has to know."""
        return CAP_NOTE if self._responses >= MAX_RESPONSES else ""

    def row(self) -> ResultRow:
        """The run's figures, all of them; raises RefusedError."""
        if self._unknown is not None:
            raise RefusedError(not_understood(*self._unknown))
        is_complete = self._responses < MAX_RESPONSES
        duration = self._end if self._offset is not None and self._end > 0 else None
        failures = self._responses - len(self._latencies) if self._status is not None else None
        rate = self._responses / duration if duration else None
        p50, p75, p90, p95, p99 = _nearest_rank_ms(self._latencies)
        return ResultRow(
            "", rate, p50, p75, p90, p95, p99,
            non2xx=failures if is_complete else None,
            requests=self._responses if is_complete else None,
            duration_s=duration if is_complete else None,
        )  # fmt: skip


def _nearest_rank_ms(seconds: Iterable[float]) -> list[float | None]:
    """At each of _PERCENTS the smallest value that at least so many percent of all values do not exceed."""
    ordered = sorted(seconds)
    if not ordered:
        return [None] * len(_PERCENTS)
    return [ordered[math.ceil(percent * len(ordered) / 100) - 1] * 1000 for percent in _PERCENTS]
