"""RunsApi and live messages as tests need them: everything has a default, a test names what matters."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from exporter.clock import Clock
from exporter.live.histogram import BUCKETS, CLASSES, OCTAVE, STATUS_BASE, Histogram, bucket_of, end_of_row
from exporter.live.message import (
    STATUS_CLASSES,
    Counter,
    FailureReason,
    Pair,
    Phase,
    Route,
    Row,
    RunInfo,
    StatusClass,
    WorkerCounts,
    values_of,
)
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.run.reconcile import final_run
from tests.support.clocks import FakeClock

RUN = "0123456789abcdef"
LOCAL_MODEL = Pair(Route.LOCAL, "gpt-oss:20b")
INDEX = BUCKETS + 100  # 2xx, 100 µs
NO_SUMS = (0.0,) * CLASSES


def token_of(run: str = RUN) -> bytes:
    """The secret of a run in tests."""
    return run.encode()


def run_info(route: Route = LOCAL_MODEL.route, model: str = LOCAL_MODEL.model, **changes: Any) -> RunInfo:
    """An announcement of a wrk run with four connections, of one model where no `pairs` are given."""
    fields: dict[str, Any] = {
        "run": RUN,
        "scenario": "local",
        "engine": "wrk",
        "pairs": (Pair(route, model),),
        "target": "http://127.0.0.1:8080",
        "connections": 4,
        "label": "nightly",
        "start_timestamp_seconds": 1_764_000_000.0,
        "planned_duration_seconds": 60.0,
        "stall_after_seconds": 30.0,
    }
    return RunInfo(**{**fields, **changes})


def register(runs: LiveRuns, phase: Phase = Phase.LOAD, **changes: Any) -> None:
    """Announce such a run, with its own token."""
    info = run_info(**changes)
    runs.register(info, token_of(info.run), phase)


def announced(clock: FakeClock) -> LiveRuns:
    """Live runs with one that is announced and under load; a file makes it its fixture."""
    found = LiveRuns(clock)
    register(found)
    return found


def octaves(counts: Mapping[int, int], pair: int = 0) -> tuple[Row, ...]:
    """Counts by index as the rows of a message, one for each octave that is named."""
    firsts = sorted({index - index % OCTAVE for index in counts})
    spans = [range(first, min(first + OCTAVE, end_of_row(first))) for first in firsts]
    return tuple(
        (pair, span[0], b"".join(counts.get(i, 0).to_bytes(4, "little") for i in span)) for span in spans
    )


def message(
    counts: Mapping[int, int] = MappingProxyType({}),
    *,
    run: str = RUN,
    pair: int = 0,
    failures: Mapping[str, int] = MappingProxyType({}),
    counters: Mapping[str, int] = MappingProxyType({}),
    sums_us: Sequence[float] = NO_SUMS,
    others_us: Mapping[Histogram, Sequence[float]] = MappingProxyType({}),
    **changes: Any,
) -> WorkerCounts:
    """The first report of worker 0, with these counts by index, failures by reason and sums."""
    values = values_of(
        {FailureReason(name): count for name, count in failures.items()},
        {Counter(name): count for name, count in counters.items()},
        {Histogram.DURATION: sums_us, **others_us},
    )
    fields: dict[str, Any] = {
        "token": token_of(run),
        "worker": 0,
        "sequence": 1,
        "part": 0,
        "final": False,
        "connections": 1,
        "in_flight": 0,
        "blocks": ((pair, values),),
        "rows": octaves(counts, pair),
    }
    return WorkerCounts(**{**fields, **changes})


def answered(
    durations: Mapping[str, Sequence[int]],
    statuses: Mapping[int, int] = MappingProxyType({}),
    **changes: Any,
) -> WorkerCounts:
    """A report of whole responses: durations (µs) by status class, and counts of statuses other than 200."""
    return streamed({}, {}, durations, statuses, **changes)


def streamed(
    counters: Mapping[str, int],
    observed: Mapping[Histogram, Sequence[int]],
    answers: Mapping[str, Sequence[int]] = MappingProxyType({}),
    statuses: Mapping[int, int] = MappingProxyType({}),
    /,
    **changes: Any,
) -> WorkerCounts:
    """A report with these counters, what was observed of each histogram, and whole responses as above."""
    counts: dict[int, int] = {}
    sums = [0.0] * CLASSES
    pages = {STATUS_CLASSES.index(StatusClass(name)): values for name, values in answers.items()}
    for page, values in (*pages.items(), *observed.items()):
        for value in values:
            index = page * BUCKETS + bucket_of(value)
            counts[index] = counts.get(index, 0) + 1
        if page < CLASSES:
            sums[page] += sum(values)
    for status, count in statuses.items():
        counts[STATUS_BASE + status] = count
    others = {histogram: (float(sum(values)),) for histogram, values in observed.items()}
    return message(counts, **{"counters": counters, "sums_us": sums, "others_us": others, **changes})


def final_status(
    info: RunInfo, token: bytes, messages: Iterable[WorkerCounts], clock: Clock
) -> RunStatus | None:
    """The status that the last reports of a run's workers come to, None where there are none."""
    run = final_run(info, token, messages, clock)
    return None if run is None else RunStatus.of(run, clock.monotonic())
