"""The runs that a window shows, exporter by exporter: which they are, and their phases as they were scraped.

A phase is known at each scrape. It is taken from its first to its last; what lies between two phases is of
neither, for the change was at some moment of it. A warm-up alone lasts until the next phase is seen.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.live.message import Phase
from exporter.run.window import GAP_TIMES, Scraped
from exporter.run.window_times import Window
from exporter.timeseries import Series, SeriesStore
from exporter.verdict.evidence import PhaseSpan
from exporter.verdict.finding import Span
from exporter.verdict.hosts import Target

UNDER_LOAD = (Phase.WARMUP, Phase.LOAD)
INFO = "benchmark_run_info"


@dataclass(frozen=True)
class ScrapedRun:
    """One run at one exporter."""

    target: Target
    labels: Mapping[str, str]
    """of benchmark_run_info: run, label, scenario, engine, route, model, target, connections"""
    start: float
    """Unix s: when it began, by its own account; within the window"""
    until: float
    """of the last scrape that shows it"""
    planned_seconds: float | None
    phases: tuple[PhaseSpan, ...]
    load_seconds: float
    """of load within the window; by plan, where the scrapes do not say otherwise"""
    ended: bool
    """whether a scrape shows it after its load"""

    @property
    def run(self) -> str:
        """Its id."""
        return self.labels.get("run", "")


def runs_of(store: SeriesStore, scraped: Scraped, window: Window) -> list[ScrapedRun]:
    """The runs of an exporter in the window, in their order."""
    labels = {"job": scraped.target.job, "instance": scraped.target.instance}
    seen: dict[str, tuple[dict[str, str], list[float]]] = {}
    for series in store.each(INFO, **labels):
        own = {name: value for name, value in series.labels if name not in labels}
        times = seen.setdefault(own.get("run", ""), (own, []))[1]
        times.extend(series.times)
    phases = _phases(store, labels)
    starts = _first(store, "benchmark_run_start_timestamp_seconds", labels)
    planned = _first(store, "benchmark_run_planned_duration_seconds", labels)
    found = []
    for own, times in seen.values():
        times.sort()
        start = _value(starts, times)
        begin = max(window.since, times[0] if start is None else min(start, times[0]))
        steps = [(time, phases[time]) for time in times if time in phases]
        length = _value(planned, times)
        ended = any(phase not in UNDER_LOAD for _, phase in steps[-1:])
        is_over = ended or times[-1] < window.until - scraped.interval
        found.append(
            ScrapedRun(
                scraped.target,
                own,
                begin,
                times[-1],
                length,
                tuple(_spans(steps, begin, scraped.interval)),
                _load_seconds(
                    *(steps, begin, length, scraped.interval),
                    whole=start is not None and start >= window.since and is_over,
                ),
                ended=ended,
            )
        )
    return sorted(found, key=lambda each: each.start)


def _phases(store: SeriesStore, labels: Mapping[str, str]) -> dict[float, Phase]:
    found: dict[float, Phase] = {}
    known = {phase.value: phase for phase in Phase}
    for series in store.each("benchmark_run_phase", **labels):
        phase = known.get(series.label("phase") or "")
        if phase is not None:
            found |= {time: phase for time, on in zip(series.times, series.values, strict=True) if on}
    return found


def _first(store: SeriesStore, name: str, labels: Mapping[str, str]) -> Series | None:
    return next(store.each(name, **labels), None)


def _value(series: Series | None, times: Sequence[float]) -> float | None:
    """What a gauge said last in these times."""
    if series is None:
        return None
    first, after = bisect_left(series.times, times[0]), bisect_right(series.times, times[-1])
    return series.values[after - 1] if after > first else None


def _spans(steps: Sequence[tuple[float, Phase]], begin: float, interval: float) -> Iterator[PhaseSpan]:
    since = 0
    for place, (time, phase) in enumerate(steps):
        after = steps[place + 1] if place + 1 < len(steps) else None
        if after is not None and after[1] == phase:
            continue
        first = steps[since][0]
        if since == 0 and first - begin <= GAP_TIMES * interval:
            first = begin if phase == Phase.WARMUP else first
        # A warm-up has nothing of its own to be judged by: it lasts until the load is seen to be warm.
        yield PhaseSpan(first, after[0] if after is not None and phase == Phase.WARMUP else time, phase)
        since = place + 1


def _load_seconds(
    steps: Sequence[tuple[float, Phase]],
    begin: float,
    planned: float | None,
    interval: float,
    whole: bool,
) -> float:
    """How long there was load: the scrapes bound it from both sides, and the plan may lie between."""
    least = most = 0.0
    before = begin
    for place, (time, phase) in enumerate(steps):
        under = phase in UNDER_LOAD
        was_under = place == 0 or steps[place - 1][1] in UNDER_LOAD
        least += time - before if under and was_under else 0.0
        most += time - before if under or was_under else 0.0
        before = time
    if steps and steps[-1][1] in UNDER_LOAD:
        most += interval
    # A load lasts as long as planned at most; it begins a little after the run.
    if planned is not None and whole and planned <= most:
        return planned
    return (least + most) / 2 if most and whole else least


def joint_phases(runs: Iterable[ScrapedRun]) -> tuple[PhaseSpan, ...]:
    """The phases of runs beside each other as one: of load while all are in it.

    What is load for some and not for others is warm-up before, and of no phase after.
    """
    found: list[PhaseSpan] = []
    for group in together_in_time(runs):
        edges = sorted({edge for run in group for span in run.phases for edge in (span.since, span.until)})
        loaded = False
        for since, until in pairwise(edges):
            middle = (since + until) / 2
            states = {
                span.phase for run in group for span in run.phases if span.since <= middle <= span.until
            }
            here = sum(any(span.since <= middle <= span.until for span in run.phases) for run in group)
            phase = _joint(states, whole=here == len(group), loaded=loaded)
            loaded = loaded or phase == Phase.LOAD
            if phase is None:
                continue
            if found and found[-1].phase == phase and found[-1].until == since:
                found[-1] = PhaseSpan(found[-1].since, until, phase)
            else:
                found.append(PhaseSpan(since, until, phase))
    return tuple(found)


def _joint(states: set[Phase], whole: bool, loaded: bool) -> Phase | None:
    if len(states) == 1 and whole:
        return next(iter(states))
    if states & {Phase.WARMUP, Phase.LOAD}:
        return None if loaded else Phase.WARMUP
    return Phase.DRAIN if states == {Phase.DRAIN} else None


def together_in_time(runs: Iterable[ScrapedRun]) -> list[list[ScrapedRun]]:
    """The runs in groups of those that overlap."""
    groups: list[list[ScrapedRun]] = []
    until = 0.0
    for run in sorted(runs, key=lambda each: each.start):
        if groups and run.start < until:
            groups[-1].append(run)
        else:
            groups.append([run])
        until = max(until if len(groups[-1]) > 1 else 0.0, run.until)
    return groups


def span_of(runs: Sequence[ScrapedRun]) -> Span:
    """From the begin of the first to the end of the last."""
    return Span(min(each.start for each in runs), max(each.until for each in runs))
