"""A run on one time axis: its phases, and what happened when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from exporter.live.message import Phase
from exporter.plain_text import one_line
from exporter.results.document_parts import PhasePart, SpanPart
from exporter.results.run_record import RunRecord
from exporter.timeseries import Series
from exporter.verdict.finding import Outcome

MIN_GAP_SECONDS = 10.0
"""a time without a success that is shown: the least that is a stall"""
MAX_ROWS = 40
MAX_EVENTS = 300
"""of one row; more are drawn as one where they lie close together"""
LONGEST_NAME = 40


class Kind(StrEnum):
    """How an event is drawn."""

    FAIL = "fail"
    WARNING = "warning"
    ALERT = "alert"
    AWAY = "away"
    """something is not there"""
    RESTART = "restart"
    FAILURES = "failures"


@dataclass(frozen=True)
class Event:
    """What happened from `since` to `until` (Unix s), which may be one moment."""

    since: float
    until: float
    text: str


@dataclass(frozen=True)
class Row:
    """Events of one name."""

    name: str
    kind: Kind
    events: tuple[Event, ...]


@dataclass(frozen=True)
class Timeline:
    """The time axis of a report (Unix s) and what lies on it."""

    begin: float
    end: float
    zero: float
    """when the load began: times elapsed count from there, as those of findings"""
    phases: tuple[PhasePart, ...]
    rows: tuple[Row, ...]
    not_shown: int
    """rows beyond MAX_ROWS"""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end - self.begin

    def elapsed(self, time: float) -> str:
        """Minutes and seconds since the load began, as findings name them."""
        return elapsed_text(time - self.zero)


def elapsed_text(seconds: float) -> str:
    """`01:02`, from an hour on `1:01:02`."""
    whole = max(0, round(seconds))
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes:02}:{whole % 60:02}"


def load_of(timeline: Timeline) -> tuple[float, float]:
    """From the first request to the last, a rest between two loads included."""
    loads = loads_of(timeline.phases)
    return (loads[0].since, loads[-1].until) if loads else (timeline.begin, timeline.end)


def loads_of(phases: Iterable[PhasePart]) -> list[PhasePart]:
    """The times under load, warm-up included."""
    return [each for each in phases if each.phase in (Phase.WARMUP, Phase.LOAD)]


def timeline_of(record: RunRecord) -> Timeline:
    """The time axis of a run."""
    document = record.document
    start = document.run.start_timestamp_seconds
    # An earlier release kept no phases.
    phases = document.evidence.phases or (
        PhasePart(since=start, until=start + document.evidence.measured_seconds, phase=Phase.LOAD),
    )
    ends = [phases[-1].until, *(each.times[-1] for each in record.series)]
    if record.seconds.last is not None:
        ends.append(record.seconds.last + 1.0)
    begin = min(start, phases[0].since)
    loads = loads_of(phases)
    rows = [row for row in _rows(record) if row.events]
    return Timeline(
        begin,
        max(*ends, begin + 1),
        loads[0].since if loads else start,
        phases,
        tuple(rows[:MAX_ROWS]),
        max(0, len(rows) - MAX_ROWS),
    )


def _rows(record: RunRecord) -> Iterator[Row]:
    document, series = record.document, record.series
    kinds = {Outcome.FAIL: Kind.FAIL, Outcome.WARNING: Kind.WARNING, Outcome.INCONCLUSIVE: Kind.WARNING}
    for finding in document.verdict.findings:
        if finding.outcome in kinds:
            yield _row(finding.check, kinds[finding.outcome], _spans(finding.spans, finding.text))
    alerts: dict[str, list[Event]] = {}
    for alert in document.evidence.alert_spans or ():
        labels = ", ".join(f"{name} {value}" for name, value in alert.labels.items())
        text = f"{alert.name} ({alert.severity}{labels and f'; {labels}'})"
        alerts.setdefault(alert.name, []).append(Event(alert.since, alert.until, text))
    for name, events in alerts.items():
        yield _row(name, Kind.ALERT, events)
    yield _row("failures", Kind.FAILURES, _failures(record))
    gaps = (gap for gap in document.evidence.success_gaps or () if gap.until - gap.since >= MIN_GAP_SECONDS)
    yield _row("no success", Kind.AWAY, _spans(gaps, "no success"))
    for up in series.each("router_up"):
        yield _row("probe unanswered", Kind.AWAY, _zeros(up, "the router gave its probe no answer"))
    for up in series.each("router_node_up"):
        node = up.label("node") or ""
        yield _row(f"{node} offline", Kind.AWAY, _zeros(up, "the router called this node offline"))
    for up in series.each("observed_process_up"):
        process = up.label("process") or ""
        yield _row(f"{process} not seen", Kind.AWAY, _zeros(up, "this process was not seen"))
    restarts = [
        Event(time, time, f"{restarted.label('process') or ''} was restarted")
        for restarted in series.each("observed_process_restarts_total")
        for time in _rises(restarted)
    ]
    yield _row("restarts", Kind.RESTART, sorted(restarts, key=lambda event: event.since))
    lost = (
        Event(min(each.since, each.until), max(each.since, each.until), f"{each.kind}: {each.seconds:.1f} s")
        for each in document.evidence.time_gaps
    )
    yield _row("clock", Kind.AWAY, lost)


def _row(name: str, kind: Kind, events: Iterable[Event]) -> Row:
    found = list(events)
    if len(found) > MAX_EVENTS:
        # As few as can be told apart on a page.
        reach = (found[-1].until - found[0].since) / MAX_EVENTS
        found = list(_close_joined(found, reach))
    text = one_line(name)
    return Row(text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…", kind, tuple(found))


def _close_joined(events: Iterable[Event], reach: float) -> Iterator[Event]:
    last: Event | None = None
    for event in events:
        if last is not None and event.since - last.until <= reach:
            last = Event(last.since, max(last.until, event.until), last.text)
            continue
        if last is not None:
            yield last
        last = event
    if last is not None:
        yield last


def _spans(spans: Iterable[SpanPart], text: str) -> list[Event]:
    return [Event(each.since, each.until, text) for each in spans]


def _failures(record: RunRecord) -> Iterator[Event]:
    """The seconds with failures, those that follow each other as one."""
    since, until, count = 0, 0, 0
    for second in record.seconds:
        errors = sum(second.statuses.values()) + sum(second.failures.values())
        if not errors:
            continue
        if count and second.second > until:
            yield Event(since, until, _counted(count))
            count = 0
        since = since if count else second.second
        until, count = second.second + 1, count + errors
    if count:
        yield Event(since, until, _counted(count))


def _counted(failures: int) -> str:
    return "1 failure" if failures == 1 else f"{failures:,} failures"


def _zeros(series: Series, text: str) -> Iterator[Event]:
    """From the first sample that is 0 to the next that is not, or to the last."""
    since: float | None = None
    for time, value in zip(series.times, series.values, strict=True):
        if value == 0 and since is None:
            since = time
        elif value != 0 and since is not None:
            yield Event(since, time, text)
            since = None
    if since is not None:
        yield Event(since, series.times[-1], text)


def _rises(series: Series) -> Iterator[float]:
    for at in range(1, len(series.times)):
        if series.values[at] > series.values[at - 1]:
            yield series.times[at]
