"""What hey prints, as numbers: its summary; the lines of `-o csv` are read by hey_csv.

hey 0.1 (requester/print.go) knows seconds alone, with four decimals: nothing is finer than 0.1 ms. Its
summary is sections of lines; those that matter:

    Summary:
      Total:	0.2567 secs
      Requests/sec:	1558.1278
    Latency distribution:                                some builds print "95%% in"
      95% in 0.0146 secs                                 "0% in 0.0000 secs" where there were too few
    Status code distribution:
      [200]	340 responses
    Error distribution:                                  only where there are any
      [21]	Post "http://…": read: connection reset by peer

Standard library only: scripts/benchmarks/hey_parse.py uses it where nothing is installed.
"""

import re

from hey_csv import CAP_NOTE, HEADER, MAX_RESPONSES, HeyCsv
from pasted import MAX_SHOWN, Parsed, Prefix, RefusedError, lines_of, not_understood, other_tool

from exporter.live.results_csv import ResultRow

_PERCENTS = (50, 75, 90, 95, 99)
_ALL_PERCENTS = (10, 25, *_PERCENTS)
_NUMBER = r"([0-9]{1,15}(?:\.[0-9]{1,9})?)"
_HALF_A_DIGIT = 0.00005
_SECTIONS = {
    "Summary": re.compile(
        rf"(?P<name>Total|Requests/sec):\s+{_NUMBER}(?: secs)?|(?:Slowest|Fastest|Average):\s+\S+ secs"
        r"|(?:Total data|Size/request):\s+[0-9]+ bytes"
    ),
    "Response time histogram": re.compile(r"[0-9.NaInf+-]+ \[[0-9]+\](?:\s+\|.*)?"),
    "Latency distribution": re.compile(rf"([0-9]{{1,2}})%{{1,2}} in {_NUMBER} secs"),
    "Details (average, fastest, slowest)": re.compile(r"[A-Za-z+ -]+:(?:\s+\S+ secs,?){2,3}"),
    "Status code distribution": re.compile(r"\[([0-9]{1,3})\]\s+([0-9]{1,15}) responses"),
    "Error distribution": re.compile(r"\[([0-9]{1,15})\](?:\s.*)?"),
}
"""the form of a line, by the section's heading"""
_LAST_HEADING = "Status code distribution:"
_START = re.compile(r"Summary:\s*$")


def parse_hey(text: str) -> Parsed:
    """Every whole run in the text, summary or CSV, as a row, and why another has none.

    Raises nothing for any text.
    """
    parsed = Parsed()
    runs: list[_Summary | HeyCsv] = []
    lines = lines_of(text)
    for number, line in enumerate(lines, 1):
        if start := _START.search(line):
            runs.append(_Summary(Prefix(line[: start.start()])))
        elif start := HEADER.search(line):
            runs.append(HeyCsv(Prefix(line[: start.start()]), start[0].strip().split(",")))
        elif runs and not runs[-1].has_ended:
            runs[-1].take(number, line)
        elif line.rstrip().endswith(_LAST_HEADING):
            # A summary whose first lines are missing.
            parsed.failures.append(not_understood(number, line))
    for run in runs:
        try:
            parsed.rows.append(run.row())
        except RefusedError as refused:
            parsed.failures.append(str(refused))
        else:
            parsed.notes += [run.note] if run.note else []
    if not parsed.rows and (tool := other_tool(lines, "hey")):
        parsed.failures.insert(0, tool)
    return parsed


class _Summary:
    """A summary while its lines are read."""

    def __init__(self, prefix: Prefix) -> None:
        self._prefix = prefix
        self._section = "Summary"
        self._unknown: tuple[int, str] | None = None
        self._last = (0, "")
        """the last line with anything in it"""
        self._blank_lines = 0
        """since then"""
        self.has_ended = False
        """what follows is a shell's or another program's"""
        self._figures: dict[str, float] = {}
        """Total (s) and Requests/sec"""
        self._latencies: list[tuple[int, float]] = []
        """percent and ms, in their order; 0 % is one that hey had too few responses for"""
        self._statuses: dict[int, int] | None = None
        self._errors = 0

    def take(self, number: int, line: str) -> None:
        """The next line, with its number in the text."""
        if self._unknown is not None:
            return
        said = list(self._prefix.without(line))
        if not all(said):
            self._blank_lines += 1
        elif any(map(self._understand, said)):
            self._last, self._blank_lines = (number, line), 0
        elif self._blank_lines and self._missing() is None:
            self.has_ended = True
        else:
            self._unknown = (number, line)

    def _understand(self, text: str) -> bool:
        if text.endswith(":") and text[:-1] in _SECTIONS:
            self._section = text[:-1]
            if self._section == "Status code distribution":
                self._statuses = {}
            return True
        found = _SECTIONS[self._section].fullmatch(text)
        if found is None:
            return False
        match self._section:
            case "Summary" if name := found["name"]:
                is_new = name not in self._figures
                self._figures[name] = float(found[2])
                return is_new
            case "Latency distribution":
                self._latencies.append((int(found[1]), float(found[2]) * 1000))
            case "Status code distribution" if self._statuses is not None:
                is_new = int(found[1]) not in self._statuses
                self._statuses[int(found[1])] = int(found[2])
                return is_new
            case "Error distribution":
                self._errors += int(found[1])
        return True

    def _missing(self) -> str | None:
        """Which of the figures are not there, or None."""
        for name in ("Total", "Requests/sec"):
            if name not in self._figures:
                return name
        if self._statuses is None:
            return "Status code distribution"
        percents = [percent for percent, _ in self._latencies if percent]
        in_order = percents == list(_ALL_PERCENTS[: len(percents)])
        # An old hey leaves out the lines that it had too few responses for.
        is_short = len(self._latencies) < len(_ALL_PERCENTS)
        if not in_order or (is_short and (self._responses >= 100 or len(percents) < len(self._latencies))):
            return "a line of its latency distribution"
        if self._responses + self._errors == 0 and self._sent[0] > 0:
            return "its statuses"
        # hey prints a blank line below its errors, two where it has none; a paste may lack them.
        has_errors = self._section == "Error distribution"
        is_end = self._blank_lines >= (1 if has_errors else 2) or (has_errors and self._is_capped)
        return None if self._accounts_for_all or is_end else "its errors"

    @property
    def _responses(self) -> int:
        return sum((self._statuses or {}).values())

    @property
    def _sent(self) -> tuple[float, float]:
        """How many requests hey counted, at least and at most: its rate times its duration, as it rounds."""
        total, rate = self._figures["Total"], self._figures["Requests/sec"]
        least = max(0.0, total - _HALF_A_DIGIT) * max(0.0, rate - _HALF_A_DIGIT)
        most = (total + _HALF_A_DIGIT) * (rate + _HALF_A_DIGIT)
        return least * (1 - 1e-9) - 0.5, most * (1 + 1e-9) + 0.5

    @property
    def _accounts_for_all(self) -> bool:
        """Whether the requests are as many as responses and errors (an old hey: as responses)."""
        least, most = self._sent
        return any(least <= count <= most for count in (self._responses, self._responses + self._errors))

    @property
    def _is_capped(self) -> bool:
        return self._responses >= MAX_RESPONSES and not self._accounts_for_all

    @property
    def note(self) -> str:
        """What a reader of the row has to know."""
        if self._is_capped:
            return CAP_NOTE
        if not self._accounts_for_all:
            counted = self._responses + self._errors
            sent = sum(self._sent) / 2
            return f"hey's rate makes {sent:,.0f} requests, its statuses and errors {counted:,}"
        return ""

    def row(self) -> ResultRow:
        """The run's figures, all of them; raises RefusedError."""
        if self._unknown is not None:
            raise RefusedError(not_understood(*self._unknown))
        if missing := self._missing():
            number, line = self._last
            raise RefusedError(
                f"the run ends at line {number} without {missing}: {line.strip()[:MAX_SHOWN]!r}"
            )
        total, rate, is_capped = self._figures["Total"], self._figures["Requests/sec"], self._is_capped
        answered: float | None = rate
        if self._errors:
            # hey's own rate counts the requests that failed, too.
            responses = rate * total - self._errors if is_capped else self._responses
            answered = responses / total if total else None
        successes = sum(count for status, count in (self._statuses or {}).items() if status // 100 == 2)
        p50, p75, p90, p95, p99 = map(dict(self._latencies).get, _PERCENTS)
        return ResultRow(
            "", answered, p50, p75, p90, p95, p99,
            non2xx=None if is_capped else self._responses - successes,
            socket_errors=self._errors,
            requests=None if is_capped else self._responses,
            duration_s=total,
        )  # fmt: skip
