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
from dataclasses import replace

from exporter.live.results_csv import ResultRow

MAX_SECONDS = 366 * 86400.0
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"([0-9]{1,26}(?:\.[0-9]{1,9})?)"
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


def parse_wrk(text: str) -> tuple[list[ResultRow], list[str]]:
    """Every run in the text as a row without a label, and the lines in which wrk says why one did not run, or
    a duration that cannot be: that and the rate are unknown.

    Other lines are passed over; nothing is raised for any text. A run begins at wrk's "Running …", or, where
    that line is cut off, at a figure that the run before has already.
    """
    runs: list[_Figures] = []
    complaints = []
    for line in text.splitlines():
        if _START.match(line):
            runs.append({})
            continue
        for pattern, figure in _FIGURES.items():
            if found := pattern.fullmatch(line):
                name = figure or f"{found[1]}%"
                if not runs or name in runs[-1]:
                    runs.append({})
                runs[-1][name] = found
                break
        else:
            if _COMPLAINT.match(line):
                complaints.append(line)
    rows = []
    for run in runs:
        row = _row(run)
        if row.duration_s is not None and row.duration_s > MAX_SECONDS:
            # wrk's clock ran backwards; its rate is of that time too.
            complaints.append(run["requests"][0].strip())
            row = replace(row, duration_s=None, rps=None)
        rows.append(row)
    return rows, complaints


_Figures = dict[str, re.Match[str]]
"""the lines of a run by what they say, in their order"""
_FIGURES = {
    _PERCENTILE: None,
    _REQUESTS: "requests",
    _SOCKET_ERRORS: "socket errors",
    _NON_2XX: "non-2xx",
    _RATE: "rate",
}


def _row(run: _Figures) -> ResultRow:
    """No error line means no errors only between the two lines that wrk prints around it, else nothing."""
    requests, rate = run.get("requests"), run.get("rate")
    errors, non_2xx = run.get("socket errors"), run.get("non-2xx")
    order = list(run)
    without = 0 if requests and rate and order.index("requests") < order.index("rate") else None
    p50, p75, p90, p95, p99 = (_latency_ms(run.get(f"{percent}%")) for percent in (50, 75, 90, 95, 99))
    return ResultRow(
        "", float(rate[1]) if rate else None, p50, p75, p90, p95, p99,
        non2xx=_count(non_2xx[1]) if non_2xx else without,
        socket_errors=sum(map(_count, errors.groups())) if errors else without,
        requests=int(requests[1]) if requests else None,
        duration_s=_seconds(requests[2], requests[3]) if requests else None,
    )  # fmt: skip


def _latency_ms(percentile: re.Match[str] | None) -> float | None:
    """None also where wrk has no response: it prints 0.00us then."""
    return _seconds(percentile[2], percentile[3]) * 1000 or None if percentile else None


def _seconds(number: str, unit: str) -> float:
    return float(number) * _SECONDS[unit]


def _count(text: str) -> int:
    """A 32-bit counter that wrk printed as a signed number."""
    return int(text) % 2**32 if text.startswith("-") else int(text)
