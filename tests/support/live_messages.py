"""Announcements and live messages as tests need them: everything has a default, a test names what matters."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from exporter.live.histogram import BUCKETS, INDEX_COUNT, OCTAVE, STATUS_BASE, bucket_of
from exporter.live.message import STATUS_CLASSES, Phase, Route, Row, RunInfo, WorkerCounts
from exporter.live.runs import LiveRuns
from tests.support.clocks import FakeClock

RUN = "0123456789abcdef"
LOCAL_MODEL = (Route.LOCAL, "gpt-oss:20b")
INDEX = BUCKETS + 100  # 2xx, 100 µs


def run_info(**changes: Any) -> RunInfo:
    """An announcement of a wrk run with four connections."""
    fields: dict[str, Any] = {
        "run": RUN,
        "scenario": "local",
        "engine": "wrk",
        "route": Route.LOCAL,
        "model": "gpt-oss:20b",
        "target": "http://127.0.0.1:8080",
        "connections": 4,
        "label": "nightly",
        "start_timestamp_seconds": 1_764_000_000.0,
        "planned_duration_seconds": 60.0,
        "stall_after_seconds": 30.0,
    }
    return RunInfo(**{**fields, **changes})


def announced(clock: FakeClock) -> LiveRuns:
    """Live runs, of which one is announced and under load; a file makes it its fixture."""
    found = LiveRuns(clock)
    found.announce(run_info(), Phase.LOAD)
    return found


def octaves(counts: Mapping[int, int]) -> tuple[Row, ...]:
    """Counts by index as the rows of a message, one for each octave that is named."""
    firsts = sorted({index - index % OCTAVE for index in counts})
    spans = [range(first, min(first + OCTAVE, INDEX_COUNT)) for first in firsts]
    return tuple((span[0], b"".join(counts.get(i, 0).to_bytes(4, "little") for i in span)) for span in spans)


def message(counts: Mapping[int, int] = MappingProxyType({}), **changes: Any) -> WorkerCounts:
    """The first report of worker 0, with these counts by index in it."""
    fields: dict[str, Any] = {
        "run": RUN,
        "worker": 0,
        "sequence": 1,
        "part": 0,
        "final": False,
        "connections": 1,
        "in_flight": 0,
        "started": 0,
        "disconnects": 0,
        "errors": (0, 0, 0),
        "sum_us": (0.0,) * 5,
        "rows": octaves(counts),
    }
    return WorkerCounts(**{**fields, **changes})


def answered(durations: dict[str, list[int]], statuses: dict[int, int] | None = None, **changes: Any) -> Any:
    """A report of whole responses: durations (µs) by status class, and counts of statuses other than 200."""
    counts: dict[int, int] = {}
    sums = [0.0] * 5
    for name, values in durations.items():
        status_class = STATUS_CLASSES.index(name)
        for value in values:
            index = status_class * BUCKETS + bucket_of(value)
            counts[index] = counts.get(index, 0) + 1
            sums[status_class] += value
    for status, count in (statuses or {}).items():
        counts[STATUS_BASE + status] = count
    started = sum(len(values) for values in durations.values())
    return message(counts, **{"started": started, "sum_us": tuple(sums), **changes})
