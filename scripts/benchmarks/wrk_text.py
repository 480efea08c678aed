"""What wrk prints, as numbers: its summary, and the two lines that run_wrk.sh puts below it.

The lines that matter, as wrk 4.1 prints them (src/wrk.c, src/units.c):

      Latency Distribution                                             with --latency only
         50%    5.83ms
      3023 requests in 2.01s, 1.57MB read
      Socket errors: connect 0, read 154, write 0, timeout 0           only where one is not 0
      Non-2xx or 3xx responses: 360                                    only where there are any
    Requests/sec:   1502.92

Times are two decimals and a unit: us, ms from 850 us, s from 1 s, m from 51 s. (wrk's tables go on to h; 4.1
stops at m, an hour is 60.00m.) The 32-bit error counters are printed as signed numbers.

Standard library only: scripts/benchmarks/wrk_parse.py uses it where nothing is installed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.live.results_csv import ResultRow

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"([0-9]{1,25}(?:\.[0-9]{1,9})?)"
_TIME = _NUMBER + r"(us|ms|s|m|h)"
_COUNT = r"(-?[0-9]{1,20})"
_START = re.compile(r"Running \S+ test @ ")
_PERCENTILE = re.compile(rf"\s+{_NUMBER}%\s+{_TIME}\s*")
_REQUESTS = re.compile(rf"\s*([0-9]{{1,20}}) requests in {_TIME}, .*read\s*")
_SOCKET_ERRORS = re.compile(
    rf"\s*Socket errors: connect {_COUNT}, read {_COUNT}, write {_COUNT}, timeout {_COUNT}\s*"
)
_NON_2XX = re.compile(rf"\s*Non-2xx or 3xx responses: {_COUNT}\s*")
_RATE = re.compile(rf"Requests/sec:\s+{_NUMBER}\s*")
_COMPLAINT = re.compile(
    r"(unable to (connect|resolve|create thread|initialize SSL)|invalid URL|number of connections must)\b.*"
)


@dataclass(frozen=True)
class WrkText:
    """One run as wrk printed it; None is what the text does not say."""

    percentiles_ms: Mapping[str, float]
    """latency of all responses by percent as printed ("50", "99.9"), without those that wrk has no response
    for (it prints 0.00us then)"""
    requests: int | None
    """whole responses, of every status"""
    duration_seconds: float | None
    requests_per_second: float | None
    """whole responses a second, of every status"""
    socket_errors: int | None
    """connect + read + write + timeout. A timeout is a response later than wrk's --timeout, or none at all"""
    non_2xx: int | None
    """responses of status 400 and above"""

    @property
    def is_empty(self) -> bool:
        """wrk began, and the text has nothing of what it measured."""
        figures = (self.requests, self.requests_per_second, self.socket_errors, self.non_2xx)
        return not self.percentiles_ms and all(figure is None for figure in figures)

    def row(self, label: str) -> ResultRow:
        """As a row of a results file."""
        return ResultRow(
            label=label,
            rps=self.requests_per_second,
            p50_ms=self.percentiles_ms.get("50"),
            p75_ms=self.percentiles_ms.get("75"),
            p90_ms=self.percentiles_ms.get("90"),
            p95_ms=self.percentiles_ms.get("95"),
            p99_ms=self.percentiles_ms.get("99"),
            non2xx=self.non_2xx,
            socket_errors=self.socket_errors,
            requests=self.requests,
            duration_s=self.duration_seconds,
        )


def parse_wrk(text: str) -> list[WrkText]:
    """Every run in the text, in its order; other lines are passed over. Raises nothing for any text.

    A run begins at wrk's "Running …", or, where that line is cut off, at figures of which the run before has
    its own. No error line means no errors only between the two lines that wrk prints around it; elsewhere it
    means that nothing is known.
    """
    runs: list[_Run] = []
    for line in text.splitlines():
        if _START.match(line):
            runs.append(_Run())
            continue
        for pattern, name in _FIGURES:
            if match := pattern.fullmatch(line):
                if not runs or runs[-1].has(name, match):
                    runs.append(_Run())
                runs[-1].take(name, match)
                break
    return [run.finished() for run in runs]


def wrk_complaints(text: str) -> list[str]:
    """The lines in which wrk says why it did not run (it prints them on stderr)."""
    return [line for line in text.splitlines() if _COMPLAINT.match(line)]


_FIGURES = (
    (_PERCENTILE, "percentile"),
    (_REQUESTS, "requests"),
    (_SOCKET_ERRORS, "socket_errors"),
    (_NON_2XX, "non_2xx"),
    (_RATE, "rate"),
)


class _Run:
    """A run while its lines are read."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._percentiles_ms: dict[str, float | None] = {}
        self._requests: int | None = None
        self._duration: float | None = None
        self._rate: float | None = None
        self._socket_errors: int | None = None
        self._non_2xx: int | None = None

    def has(self, name: str, match: re.Match[str]) -> bool:
        """Whether the run has this figure already."""
        return match[1] in self._percentiles_ms if name == "percentile" else name in self._seen

    def take(self, name: str, match: re.Match[str]) -> None:
        self._seen.append(name)
        match name:
            case "percentile":
                seconds = _seconds(match[2], match[3])
                self._percentiles_ms[match[1]] = seconds * 1000 if seconds else None
            case "requests":
                self._requests = int(match[1])
                self._duration = _seconds(match[2], match[3])
            case "socket_errors":
                self._socket_errors = sum(_count(match[each]) for each in range(1, 5))
            case "non_2xx":
                self._non_2xx = _count(match[1])
            case "rate":
                self._rate = float(match[1])
                if "requests" in self._seen:
                    self._socket_errors = self._socket_errors or 0
                    self._non_2xx = self._non_2xx or 0

    def finished(self) -> WrkText:
        return WrkText(
            percentiles_ms={percent: ms for percent, ms in self._percentiles_ms.items() if ms is not None},
            requests=self._requests,
            duration_seconds=self._duration,
            requests_per_second=self._rate,
            socket_errors=self._socket_errors,
            non_2xx=self._non_2xx,
        )


def _seconds(number: str, unit: str) -> float:
    return float(number) * _SECONDS[unit]


def _count(text: str) -> int:
    """A 32-bit counter that wrk printed as a signed number."""
    return int(text) % 2**32 if text.startswith("-") else int(text)
