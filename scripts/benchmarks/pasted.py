"""A load tool's output as people have it: in colours, behind a log's prefixes, of another tool.

Standard library only: the hand tools use it where nothing is installed.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from exporter.live.results_csv import ResultRow

MAX_PREFIX = 200
MAX_SHOWN = 120
"""characters of a line that a message repeats"""
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_PIECES = re.compile(r"[0-9]+|\s+|[^0-9\s]+")
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

_TOOLS = {
    "oha": r"Success rate:\s+[0-9.]+",
    "ghz": r"Count:\s+[0-9]+\s*\n.*Total:\s+[0-9.]+ [nµu]?m?s\b|\[OK\]\s+[0-9]+ responses",
    "boom": r"Booo+|Total:\s+[0-9.]+ secs\.|-- Results --",
    "ab": r"ApacheBench|Requests per second:\s+\S+ \[#/sec\]",
    "k6": r"http_req_duration|data_received\.*:",
    "vegeta": r"Requests\s+\[total, rate",
    "autocannon": r"Req/Bytes counts sampled|│ Stat\b|test @ \S+\s*\n[^\n]*(?<!and )\b[0-9]+ connections",
    "bombardier": r"Bombarding \S+",
    "siege": r"Transaction rate:\s",
    "h2load": r"finished in \S+, \S+ req/s",
    "fortio": r"Fortio [0-9.]+",
    "locust": r"Name\s+# reqs",
    "wrk": r"Running \S+ test @ \S+\s*\n.*\b[0-9]+ threads and [0-9]+ connections",
    "hey": r"Summary:\s*\n.*Total:\s+[0-9.]+ secs\s*\n|response-time,DNS\+dialup",
}
"""by what no other of them prints; the first that is found"""
_SHAPES = {tool: re.compile(pattern) for tool, pattern in _TOOLS.items()}


@dataclass
class Parsed:
    """What was read of a text."""

    rows: list[ResultRow] = field(default_factory=list)
    """without labels; each has all the figures of its run"""
    failures: list[str] = field(default_factory=list)
    """what is not in the rows, and why"""
    notes: list[str] = field(default_factory=list)
    """which of several figures was taken"""


class RefusedError(Exception):
    """A run is not in the rows; the message says why."""


def decoded(data: bytes) -> str:
    """UTF-8, or UTF-16 where a mark at the beginning says so, as PowerShell writes it; raises nothing."""
    return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig", errors="replace")


def lines_of(text: str) -> list[str]:
    """The lines without colours and other escapes."""
    return _ESCAPES.sub("", text).splitlines()


class Prefix:
    """What stands before every line: indent, mark of a quotation, container, time.

    Learnt from a line of which the rest is known. In the others it may have other digits.
    """

    def __init__(self, before: str = "") -> None:
        pieces = _PIECES.findall(before.strip())
        pattern = "".join(
            "[0-9]+" if piece[0] in "0123456789" else r"\s+" if piece.isspace() else re.escape(piece)
            for piece in pieces
        )
        self._pattern = re.compile(rf"\s*{pattern}\s*") if pieces and len(before) <= MAX_PREFIX else None

    def without(self, line: str) -> Iterator[str]:
        """What the line may say, with single spaces: as it stands, and without the prefix where it has it."""
        yield " ".join(line.split())
        if self._pattern is not None and (found := self._pattern.match(line)):
            yield " ".join(line[found.end() :].split())


def not_understood(number: int, line: str) -> str:
    """The sentence that names a line."""
    return f"line {number} is not understood: {line.strip()[:MAX_SHOWN]!r}"


def other_tool(lines: list[str], own: str) -> str | None:
    """The sentence that names the tool whose output this is, or None where it is not known, or `own`."""
    text = "\n".join(lines)
    found = next((tool for tool, shape in _SHAPES.items() if shape.search(text)), None)
    if found is None or found == own:
        return None
    if found in ("wrk", "hey"):
        return f"this is {found}'s output; pipe it into {found}_parse.py"
    return f"this is {found}'s output; wrk's and hey's are what is read"
