"""Do the files grow that the router or a node writes: its database, its logs?

A file that grows fills a disk, and a router that writes a row a request lets every answer wait for it. It is
a warning: a log is there to grow. What is told is how fast, with each 1,000 requests, and how long the disk
lasts.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

from exporter.timeseries import Series
from exporter.verdict.driver import requests_between
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.lives import Life, lives, loads
from exporter.verdict.stretch import Stretch, stretch_of
from exporter.verdict.traffic import as_asked, traffic_of
from exporter.verdict.unit import shown

METRIC = "observed_process_written_files_bytes"
MIN_SECONDS = 120.0
"""of load after its warm-up"""
MIN_SAMPLES = 12
MIB = float(2**20)
MAX_PER_HOUR = 16 * MIB
"""bytes: 11 GiB a month. A log of a few lines a second stays below a tenth of it"""
MAX_PER_1000_REQUESTS = MIB
"""bytes: 1 KiB a request, as a database that keeps each one; an access log has some 200 bytes a line"""
MIN_REQUESTS = 1000
"""in the load, from which on growth is held against them"""
MIN_GROWN = 4 * MIB
"""bytes: a journal that fills to its size, and then begins again, is no growth"""
RISE_RATIO = 0.1
"""of the growth, from a quarter to the next, two times at least: what fills once, or jumps, is done then"""
FLOOR = 0.05
"""the quantile of a quarter that is its level"""
_MEMORY_ALONE = frozenset({"tmpfs", "ramfs", "devtmpfs"})


@dataclass(frozen=True)
class _Grown:
    """What the files of one process did."""

    name: str
    bytes: float
    seconds: float
    """in which they did"""
    goes_on: bool
    """whether it is no single jump"""
    requests: float
    """in all of the load; 0 where none is known"""
    load_seconds: float
    span: Span

    @property
    def per_hour(self) -> float:
        return self.bytes / self.seconds * 3600

    @property
    def per_1000_requests(self) -> float | None:
        if not self.requests:
            return None
        return self.per_hour / (self.requests / self.load_seconds * 3600) * 1000

    @property
    def max_per_hour(self) -> float:
        """The bound: what slow requests may make it grow by is less than what fast ones may."""
        if self.requests < MIN_REQUESTS:
            return MAX_PER_HOUR
        thousands_an_hour = self.requests / self.load_seconds * 3600 / 1000
        return min(MAX_PER_HOUR, MAX_PER_1000_REQUESTS * thousands_an_hour)

    @property
    def is_much(self) -> bool:
        return self.bytes >= MIN_GROWN and self.goes_on and self.per_hour >= self.max_per_hour


def judge_written_files(evidence: Evidence) -> Finding:
    """The files that routers and nodes have open for writing do not grow fast, or without an end.

    Not judged under two minutes of load, or where no process shows what it writes. Growth is that of the last
    quarter of the load over the first, per hour; a file that is emptied or replaced meanwhile grows less.
    """
    finding = partial(Finding, "written_files", unit="bytes_per_hour")
    if (evidence.measured_seconds if evidence.so_far else evidence.planned_seconds) < MIN_SECONDS:
        return _too_short(evidence)
    watched = [series for role in _roles(evidence) for series in evidence.series.select(METRIC, role=role)]
    if not watched:
        unseen = Said("no watched process exposes this metric", "この値を公開している監視対象プロセスがない")
        return finding(Outcome.NOT_JUDGED, unseen if evidence.watching.is_target else evidence.watching.said)
    grown = [each for series in watched if (each := _grown(evidence, series)) is not None]
    if not grown:
        return _too_short(evidence)
    much = sorted((each for each in grown if each.is_much), key=lambda each: -each.per_hour)
    if not much:
        return as_asked(evidence, _calm(finding, grown))
    worst = much[0]
    if evidence.so_far:
        # The same from look to look: the terminal prints what is new.
        said = joined([_goes_on(each) for each in much])
    else:
        said = joined([*map(_told, much), *_disk(evidence, sum(each.per_hour for each in much))])
    spans = tuple(sorted({each.span for each in much}, key=lambda span: span.since))
    return finding(Outcome.FAIL, said, figure=worst.per_hour, bound=worst.max_per_hour, spans=spans)


def _roles(evidence: Evidence) -> tuple[str, ...]:
    """Of the processes under test: a router that is another one is none."""
    return ("router", "node") if evidence.watching.is_target else ("node",)


def _too_short(evidence: Evidence) -> Finding:
    minutes, seconds = f"{MIN_SECONDS / 60:.0f}", f"{evidence.planned_seconds:.0f}"
    return Finding(
        "written_files",
        Outcome.NOT_JUDGED,
        Said(f"growth of files is told from {minutes} minutes of load on", f"{minutes} 分以上の負荷が必要"),
        short=Said(f"{seconds} s of load", f"負荷 {seconds} 秒"),
    )


def _calm(finding: "partial[Finding]", grown: Sequence[_Grown]) -> Finding:
    fastest = max(grown, key=lambda each: each.per_hour)
    rate = shown(max(fastest.per_hour, 0.0), "bytes_per_hour")
    said = Said(
        f"the files that {fastest.name} writes grew by {rate}",
        f"{fastest.name} が書き込むファイルの増加は {rate}",
    )
    return finding(Outcome.PASS, said, figure=fastest.per_hour, bound=fastest.max_per_hour)


def _goes_on(grown: _Grown) -> Said:
    hourly, each = shown(MAX_PER_HOUR, "bytes_per_hour"), shown(MAX_PER_1000_REQUESTS, "bytes")
    if grown.per_hour < MAX_PER_HOUR:
        return Said(
            f"the files that {grown.name} writes grow by more than {each} per 1,000 requests",
            f"{grown.name} が書き込むファイルの増加が 1,000 リクエストあたり {each} を超える",
        )
    return Said(
        f"the files that {grown.name} writes grow by more than {hourly}",
        f"{grown.name} が書き込むファイルの増加が {hourly} を超える",
    )


def _told(grown: _Grown) -> Said:
    size, minutes = shown(grown.bytes, "bytes"), f"{grown.seconds / 60:.0f}"
    rate = shown(grown.per_hour, "bytes_per_hour")
    said = Said(
        f"the files that {grown.name} writes grew by {size} in {minutes} minutes, {rate}",
        f"{grown.name} が書き込むファイルが {minutes} 分で {size} 増加、{rate}",
    )
    if grown.per_1000_requests is None:
        return said
    each = shown(grown.per_1000_requests, "bytes")
    return said + Said(f", {each} per 1,000 requests", f"、1,000 リクエストあたり {each}")


def _disk(evidence: Evidence, per_hour: float) -> Iterator[Said]:
    """How long the emptiest disk of the host lasts; which one is written to is not known."""
    found = [
        (series.values[-1], series.label("mountpoint") or "")
        for series in evidence.series.select("node_filesystem_avail_bytes")
        if series.values and series.label("fstype") not in _MEMORY_ALONE
    ]
    free, where = max(found, default=(math.nan, ""))
    if not math.isfinite(free) or free <= 0:
        return
    size, hours = shown(free, "bytes"), free / per_hour
    english = f"{hours / 24:,.0f} days" if hours >= 48 else f"{hours:,.0f} hours"
    japanese = f"{hours / 24:,.0f} 日" if hours >= 48 else f"{hours:,.0f} 時間"
    yield (
        Said(
            f"the most that a disk here has free ({size}, ",
            f"空きが最も多いディスク ({size}、",
        )
        + verbatim(where)
        + Said(f") would be full in {english}", f") は {japanese}で一杯になる")
    )


def _grown(evidence: Evidence, series: Series) -> _Grown | None:
    """Of the life of it that saw most of the load; None where that was short."""
    name = series.label("process") or ""
    starts = evidence.series.select("observed_process_start_time_seconds", process=name)
    stretches = [stretch_of(life, loads(evidence, life)) for life in _lives(series, starts)]
    stretch = max(stretches, key=lambda each: each.seconds)
    if stretch.seconds < MIN_SECONDS or len(stretch.times) < MIN_SAMPLES:
        return None
    levels = _levels(stretch)
    if levels is None:
        return None
    seconds = 0.75 * stretch.seconds
    since, until = stretch.spans[0].since, stretch.spans[-1].until
    asked = _requests(evidence, Span(since, until))
    grown = levels[-1] - levels[0]
    return _Grown(
        name,
        grown,
        seconds,
        sum(after - before >= RISE_RATIO * grown for before, after in pairwise(levels)) >= 2,
        asked,
        stretch.seconds,
        Span(since, until),
    )


def _lives(series: Series, starts: Sequence[Series]) -> list[Life]:
    return lives([series], starts[0] if starts else None)


def _levels(stretch: Stretch) -> list[float] | None:
    """That of each quarter; None where one has no sample."""
    quarters: list[list[float]] = [[], [], [], []]
    for time, value in zip(stretch.times, stretch.values, strict=True):
        if math.isfinite(value):
            quarters[min(int(4 * time / stretch.seconds), 3)].append(value)
    if not all(quarters):
        return None
    return [sorted(values)[int(FLOOR * (len(values) - 1))] for values in quarters]


def _requests(evidence: Evidence, span: Span) -> float:
    if evidence.load_known != LoadKnown.NOTHING:
        return requests_between(evidence, span.since, span.until)
    traffic = traffic_of(evidence)
    return 0.0 if traffic is None else traffic.requests
