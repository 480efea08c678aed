"""What hey prints, as numbers: its summary, and the lines of `-o csv`.

hey 0.1 (requester/print.go) knows seconds alone, with four decimals: nothing is finer than 0.1 ms. The lines
of its summary that matter:

    Summary:
      Total:	0.2567 secs
      Requests/sec:	1558.1278
    Latency distribution:
      95% in 0.0146 secs                                 "0% in 0.0000 secs" where there were too few
    Status code distribution:
      [200]	340 responses
    Error distribution:                                  only where there are any
      [21]	Post "http://…": read: connection reset by peer

`-o csv` is a header and a line for each response; requests that got none leave no trace there:

    response-time,DNS+dialup,DNS,Request-write,Response-delay,Response-read,status-code,offset
    0.0038,0.0005,0.0002,0.0001,0.0031,0.0001,200,0.0002

Standard library only: scripts/benchmarks/hey_parse.py uses it where nothing is installed.
"""

import math
import re
from array import array
from dataclasses import dataclass, field

from exporter.live.results_csv import ResultRow

MAX_CSV_LINES = 1_000_000
"""hey keeps no more responses than that, and does not say how many more there were"""
_PERCENTS = (50, 75, 90, 95, 99)
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_TOTAL = re.compile(rf"\s+Total:\s+{_NUMBER} secs\s*")
_RATE = re.compile(rf"\s+Requests/sec:\s+{_NUMBER}\s*")
_PERCENTILE = re.compile(rf"\s+([0-9]{{1,2}})% in {_NUMBER} secs\s*")
_STATUS = re.compile(r"\s+\[([0-9]{1,3})\]\s+([0-9]{1,15}) responses\s*")
_ERROR = re.compile(r"\s+\[([0-9]{1,15})\]\s.*")
_CSV_HEADER = re.compile(r"response-time,[A-Za-z+,-]+")
_CSV_NUMBER = re.compile(_NUMBER)
_CSV_STATUS = re.compile(r"[0-9]{1,3}")


def parse_hey(text: str) -> tuple[list[ResultRow], list[str]]:
    """Every run in the text, summary or CSV, as a row without a label, and what in a CSV is none of hey's.

    Raises nothing for any text.
    """
    runs: list[_Summary | _Csv] = []
    for line in text.splitlines():
        if line.startswith("Summary:"):
            runs.append(_Summary())
        elif _CSV_HEADER.fullmatch(line):
            runs.append(_Csv(line.split(",")))
        elif runs:
            runs[-1].take(line)
        elif line.startswith("Error distribution:"):  # an old hey prints no more where nothing was answered
            runs.append(_Summary())
            runs[-1].take(line)
    unreadable = sum(run.unreadable for run in runs)
    complaints = [f"{unreadable} lines that are no response in hey's CSV"] if unreadable else []
    return [run.row() for run in runs], complaints


@dataclass
class _Summary:
    """A summary while its lines are read."""

    section: str = ""
    total: float | None = None
    rate: float | None = None
    percentiles_ms: dict[int, float] = field(default_factory=dict)
    statuses: dict[int, int] | None = None
    errors: int | None = None
    unreadable: int = 0

    def take(self, line: str) -> None:
        if line and not line[0].isspace():
            self.section = line.partition(":")[0]
            if self.section == "Status code distribution":
                self.statuses = self.statuses or {}
                self.errors = self.errors or 0
        elif self.section == "":
            if match := _TOTAL.fullmatch(line):
                self.total = float(match[1])
            elif match := _RATE.fullmatch(line):
                self.rate = float(match[1])
        elif self.section == "Latency distribution":
            if (match := _PERCENTILE.fullmatch(line)) and int(match[1]) > 0:
                self.percentiles_ms[int(match[1])] = float(match[2]) * 1000
        elif self.section == "Status code distribution" and self.statuses is not None:
            if match := _STATUS.fullmatch(line):
                self.statuses[int(match[1])] = int(match[2])
        elif self.section == "Error distribution" and (match := _ERROR.fullmatch(line)):
            self.errors = (self.errors or 0) + int(match[1])

    def row(self) -> ResultRow:
        statuses, rate = self.statuses, self.rate
        responses = None if statuses is None else sum(statuses.values())
        if self.errors:
            # hey's own figure counts the requests that failed, too.
            rate = responses / self.total if self.total and responses is not None else None
        successes = sum(count for status, count in (statuses or {}).items() if status // 100 == 2)
        p50, p75, p90, p95, p99 = map(self.percentiles_ms.get, _PERCENTS)
        return ResultRow(
            "", rate, p50, p75, p90, p95, p99,
            non2xx=None if responses is None else responses - successes,
            socket_errors=self.errors,
            requests=responses,
            duration_s=self.total,
        )  # fmt: skip


class _Csv:
    """A CSV while its lines are read."""

    def __init__(self, header: list[str]) -> None:
        self._columns = len(header)
        self._status = header.index("status-code") if "status-code" in header else None
        self._offset = header.index("offset") if "offset" in header else None
        self._latencies = array("d")
        """seconds; of 2xx responses where there is a status column"""
        self._responses = 0
        self._end = 0.0
        self.unreadable = 0
        """lines that are none of hey's"""

    def take(self, line: str) -> None:
        fields = line.split(",")
        if len(fields) != self._columns:
            self.unreadable += bool(line.strip())
            return
        latency, offset, status = fields[0], "0", "200"
        if self._offset is not None:
            offset = fields[self._offset]
        if self._status is not None:
            status = fields[self._status]
        if not (
            _CSV_NUMBER.fullmatch(latency) and _CSV_NUMBER.fullmatch(offset) and _CSV_STATUS.fullmatch(status)
        ):
            self.unreadable += 1
            return
        seconds = float(latency)
        self._responses += 1
        self._end = max(self._end, seconds + float(offset))
        if len(status) == 3 and status[0] == "2":
            self._latencies.append(seconds)

    def row(self) -> ResultRow:
        is_complete = self._responses < MAX_CSV_LINES
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


def _nearest_rank_ms(seconds: "array[float]") -> list[float | None]:
    """At each of _PERCENTS the smallest value that at least so many percent of all values do not exceed."""
    ordered = sorted(seconds)
    if not ordered:
        return [None] * len(_PERCENTS)
    return [ordered[math.ceil(percent * len(ordered) / 100) - 1] * 1000 for percent in _PERCENTS]
