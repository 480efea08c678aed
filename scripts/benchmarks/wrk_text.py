"""What wrk and wrk2 print, as numbers: their summary, and the lines that run_wrk.sh puts below it.

As wrk 4.1 prints it (src/wrk.c, src/units.c), with the lines in brackets only where they apply:

    Running 2s test @ http://localhost:8080/          "Making 1000 requests to …" in wrk 3
      2 threads and 10 connections
      Thread Stats   Avg      Stdev     Max   +/- Stdev
        Latency     6.55ms    4.42ms  57.64ms   83.50%
        Req/Sec   814.75     55.39     0.91k    70.00%
     [Latency Distribution                            --latency
         50%    5.83ms]
      3023 requests in 2.01s, 1.57MB read
     [Socket errors: connect 0, read 154, write 0, timeout 0]
     [Non-2xx or 3xx responses: 360]
    Requests/sec:   1502.92
    Transfer/sec:    798.43KB

wrk2 has lines like ` 50.000%    6.37ms` and, below them, every percentile of its histogram in milliseconds.
Its "Recorded Latency" counts from the time at which a request was due, "Uncorrected Latency" (--u_latency)
from the time at which it was sent: the first is what is read.

Times are two decimals and a unit: us, ms from 850 us, s from 1 s, m from 51 s. (wrk's tables go on to h; 4.1
stops at m, an hour is 60.00m.) The 32-bit error counters are printed as signed numbers.

A script may print anything before "Thread Stats" and after "Transfer/sec", also without ending its line, and
neither is read. Between them wrk alone prints, so that a line there that is not known may be a figure.

Standard library only: scripts/benchmarks/wrk_parse.py uses it where nothing is installed.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from pasted import MAX_SHOWN, Parsed, Prefix, RefusedError, lines_of, not_understood, other_tool

from exporter.live.results_csv import ResultRow

MAX_SECONDS = 366 * 86400.0
_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_NUMBER = r"([0-9]{1,26}(?:[.,][0-9]{1,2})?)"
_TIME = _NUMBER + r"(us|ms|s|m|h)"
_COUNT = r"(-?[0-9]{1,20})"
_START = re.compile(r"(?:Running\s[0-9.]+(?:us|ms|s|m|h)\stest\s@|Making\s[0-9]+\srequests\sto)\s\S+\s*$")
_PREFACE = re.compile(r"[0-9]+ threads and [0-9]+ connections|Thread calibration: .*|")
_HEAD = re.compile(r".*Thread Stats\s+Avg\s+Stdev\s+\S+\s+\+/- Stdev")
_FIGURES = {
    "Latency": re.compile(r"Latency(?:\s+\S+){4}"),
    "Req/Sec": re.compile(r"Req/Sec(?:\s+\S+){4}"),
    "requests": re.compile(rf"([0-9]{{1,20}}) requests in {_TIME}, .*read"),
    "socket errors": re.compile(
        rf"Socket errors: connect {_COUNT}, read {_COUNT}, write {_COUNT}, timeout {_COUNT}"
    ),
    "non-2xx": re.compile(rf"Non-2xx or 3xx responses: {_COUNT}"),
    "Requests/sec": re.compile(rf"Requests/sec:\s+{_NUMBER}"),
    "Transfer/sec": re.compile(r"Transfer/sec:\s+\S+"),
}
"""by what is said of a run once"""
_NEEDED = ("Latency", "Req/Sec", "requests", "Requests/sec", "Transfer/sec")
_DISTRIBUTION = re.compile(r"Latency Distribution(?: \(HdrHistogram - (Recorded|Uncorrected) Latency.*\))?")
_PERCENTILE = re.compile(rf"([0-9]{{1,3}}(?:[.,][0-9]{{1,3}})?)%\s+{_TIME}")
_PERCENTS = (50.0, 75.0, 90.0, 99.0)
_SPECTRUM = re.compile(r"([0-9]{1,15}[.,][0-9]+)\s+([01][.,][0-9]{6,12})\s+[0-9]+\s+(?:[0-9.,]+|inf)")
_AROUND_SPECTRUM = re.compile(
    r"Detailed Percentile spectrum:|Value\s+Percentile\s+TotalCount\s+1/\(1-Percentile\)|#\[.*\]|-{10,}|"
)
_OWN_HEAD = re.compile(r".*Latency Distribution, beyond wrk['\u2019]s own")
_OWN_PERCENTS = (95.0, 99.9)
_COMPLAINT = re.compile(
    r"(?:^|\s)((?:unable to (?:connect|resolve|create thread|initialize SSL)|invalid URL"
    r"|number of connections must|Throughput MUST be specified)\b.*)"
)


def parse_wrk(text: str) -> Parsed:
    """Every whole run in the text as a row, and why another has none; nothing is raised for any text.

    A failure is a line that is not understood, where the text ends within a run, a line in which wrk says
    why it did not run, or a duration that cannot be: that and the rate are unknown, the rest is in the row.
    """
    parsed = Parsed()
    run: _Run | None = None
    lines = lines_of(text)
    for number, line in enumerate(lines, 1):
        if start := _START.search(line):
            _finish(run, parsed)
            run = _Run(number, line, Prefix(line[: start.start()]))
        elif run is not None and run.take(number, line):
            continue
        elif run is None and _HEAD.fullmatch(" ".join(line.split())):
            # A summary whose first lines are missing.
            parsed.failures.append(not_understood(number, line))
        elif complaint := _COMPLAINT.search(line):
            parsed.failures.append(complaint[1])
    _finish(run, parsed)
    if not parsed.rows and (tool := other_tool(lines, "wrk")):
        parsed.failures.insert(0, tool)
    return parsed


def _finish(run: "_Run | None", parsed: Parsed) -> None:
    if run is None:
        return
    try:
        row = run.row()
    except RefusedError as refused:
        parsed.failures.append(str(refused))
        return
    if row.duration_s is not None and row.duration_s > MAX_SECONDS:
        # wrk's clock ran backwards; its rate is of that time too.
        parsed.failures.append(f"a duration that cannot be: {run.figures['requests'][0]}")
        row = replace(row, duration_s=None, rps=None)
    parsed.rows.append(row)
    if "Uncorrected" in run.distributions:
        parsed.notes.append("latencies are wrk2's corrected ones (Recorded Latency)")


class _Run:
    """A run while its lines are read."""

    def __init__(self, number: int, line: str, prefix: Prefix) -> None:
        self._prefix = prefix
        self._last = (number, line)
        """the last line with anything in it"""
        self._unknown: tuple[int, str] | None = None
        """the first line that is not understood; before the summary it may be a script's"""
        self._place = "load"
        """load, summary, after, beyond (the lines of run_wrk.sh), or refused"""
        self.figures: dict[str, re.Match[str]] = {}
        self.distributions: dict[str, dict[float, float]] = {}
        """ms by percent, by kind; the kind of wrk's own is Recorded"""
        self._distribution: dict[float, float] = {}
        """the one whose lines are being read"""
        self._p95_ms: float | None = None
        """from the spectrum"""
        self._beyond: dict[float, float] | None = None

    def take(self, number: int, line: str) -> bool:
        """The next line, with its number in the text; whether it is one of the run's own, or had to be.

        What is not is a script's, a shell's, or a complaint of the next wrk.
        """
        if self._place == "refused":
            return False
        said = list(self._prefix.without(line))
        if any(said):
            self._last = (number, line)
        match self._place:
            case "load":
                is_own = self._before_summary(said)
            case "summary":
                is_own = any(map(self._in_summary, said))
            case _:
                is_own = any(map(self._after_summary, said))
        if not is_own and self._place in ("summary", "beyond"):
            self._place, self._unknown = "refused", (number, line)
            return True
        if not is_own and self._place == "load" and self._unknown is None:
            self._unknown = (number, line)
        return is_own

    def _before_summary(self, said: Iterable[str]) -> bool:
        for text in said:
            if _HEAD.fullmatch(text):
                self._place, self._unknown = "summary", None
                return True
            if _PREFACE.fullmatch(text):
                return True
        return False

    def _in_summary(self, text: str) -> bool:
        for name, pattern in _FIGURES.items():
            if (found := pattern.fullmatch(text)) and name not in self.figures:
                self.figures[name] = found
                if name == "Transfer/sec":
                    self._place = "after"
                return True
        return self._in_distribution(text)

    def _in_distribution(self, text: str) -> bool:
        if found := _DISTRIBUTION.fullmatch(text):
            kind = found[1] or "Recorded"
            if kind in self.distributions:
                return False
            self._distribution = self.distributions[kind] = {}
            return True
        if found := _PERCENTILE.fullmatch(text):
            return bool(self.distributions) and _note_percentile(self._distribution, found)
        if found := _SPECTRUM.fullmatch(text):
            if self._distribution is self.distributions.get("Recorded") and _number(found[2]) == 0.95:
                self._p95_ms = _number(found[1])
            return True
        return _AROUND_SPECTRUM.fullmatch(text) is not None

    def _after_summary(self, text: str) -> bool:
        if _HEAD.fullmatch(text):
            # Another summary, whose first lines are missing.
            self._place = "beyond"
            return False
        if _OWN_HEAD.fullmatch(text):
            self._place, self._beyond = "beyond", {}
            return True
        if self._place == "beyond" and self._beyond is not None:
            if found := _PERCENTILE.fullmatch(text):
                if _note_percentile(self._beyond, found) and tuple(self._beyond) == _OWN_PERCENTS:
                    self._place = "after"
                return True
            return text == ""
        return False

    def row(self) -> ResultRow:
        """The run's figures, all of them; raises RefusedError."""
        missing = [name for name in _NEEDED if name not in self.figures]
        for kind, percentiles in self.distributions.items():
            missing += [f"{percent:g}% ({kind})" for percent in _PERCENTS if percent not in percentiles]
        if self._beyond is not None:
            missing += [f"{percent:g}%" for percent in _OWN_PERCENTS if percent not in self._beyond]
        if self._unknown is not None and (missing or self._place == "refused"):
            raise RefusedError(not_understood(*self._unknown))
        if missing:
            number, line = self._last
            raise RefusedError(
                f"the run ends at line {number} without {missing[0]}: {line.strip()[:MAX_SHOWN]!r}"
            )
        figures, latencies_ms = self.figures, self.distributions.get("Recorded", {})
        errors, non_2xx = figures.get("socket errors"), figures.get("non-2xx")
        beyond = self._beyond or {}
        p50, p75, p90, p99 = (latencies_ms.get(percent) or None for percent in _PERCENTS)
        # Where there is no response wrk prints 0.00us.
        return ResultRow(
            "", _number(figures["Requests/sec"][1]), p50, p75, p90,
            beyond.get(95.0) or self._p95_ms or latencies_ms.get(95.0) or None, p99,
            non2xx=_count(non_2xx[1]) if non_2xx else 0,
            socket_errors=sum(map(_count, errors.groups())) if errors else 0,
            requests=int(figures["requests"][1]),
            duration_s=_seconds(figures["requests"][2], figures["requests"][3]),
        )  # fmt: skip


def _note_percentile(percentiles: dict[float, float], found: re.Match[str]) -> bool:
    """Whether it is new."""
    percent = _number(found[1])
    if percent in percentiles:
        return False
    percentiles[percent] = _seconds(found[2], found[3]) * 1000
    return True


def _number(text: str) -> float:
    """With the decimal comma of a script that has set a locale."""
    return float(text.replace(",", "."))


def _seconds(number: str, unit: str) -> float:
    return _number(number) * _SECONDS[unit]


def _count(text: str) -> int:
    """A 32-bit counter that wrk printed as a signed number."""
    return int(text) % 2**32 if text.startswith("-") else int(text)
