"""Does a resource of a watched process leak?

Three questions to each: do the looks of the alerts detect steady growth (growth.py)? How did its floor grow
over the quarters of the load (quarters.py)? Does what is counted come back in a pause (levels.py)?
"""

from collections.abc import Iterator, Sequence
from functools import partial

from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, Said, Span, joined, verbatim
from exporter.verdict.growth import MIN_SECONDS, MINUTE, Growth, steady_growth
from exporter.verdict.levels import close_wait, not_returned
from exporter.verdict.lives import Life, lives
from exporter.verdict.process_growth import Told, flat_said, grown_so_far, told_of, told_of_drain
from exporter.verdict.processes import last_worker_death, not_watched
from exporter.verdict.resource import RESOURCES, Resource
from exporter.verdict.traffic import as_asked

Parts = list[Series]
"""the series that are summed"""
COUNTED = ("file_descriptors", "threads", "connections")
_UNTOLD = {"process", "role", "uuid", "job", "instance"}
"""labels that are no part of what a series is called"""
_UNSURE = Said("too few cycles, or too short a life", "周期が少ないか、起動からの時間が短い")


def judge_leak(check: str, evidence: Evidence) -> Finding:
    """No watched process grows in the resource of that check and does not stop.

    Not judged where the run is planned too short to detect a leak, or no watched process has the metric.
    Inconclusive where a process was not watched or is still filling, or a worker that died may have hidden
    what it leaked. A process of role `load` is not judged, nor one of role `router` where another router is
    watched: it is not under test. Where somebody else sends the load, and nothing says that there was any, a
    process that does not grow is inconclusive: it may have had nothing to do.
    """
    return as_asked(evidence, _judged(check, evidence))


def _judged(check: str, evidence: Evidence) -> Finding:
    resource = RESOURCES[check]
    finding = partial(Finding, check, unit=resource.rate_unit)
    observed, missing = _observed(evidence, resource)
    held_back = [told for parts in observed for told in _levels(check, resource, evidence, parts)]
    if (evidence.measured_seconds if evidence.so_far else evidence.planned_seconds) < MIN_SECONDS:
        if held_back:
            return finding(Outcome.FAIL, joined([each.said for each in held_back]), spans=_spans(held_back))
        minutes = f"{MIN_SECONDS / 60:.0f}"
        too_short = Said(
            f"a leak can be detected from {minutes} minutes of load on",
            f"リークの検出には {minutes} 分以上の負荷が必要",
        )
        grown = [
            said
            for parts in observed
            for life in lives(parts, _starts(evidence, parts[0]))
            if (said := grown_so_far(evidence, resource, _name(parts[0]), life)) is not None
        ]
        too_short = joined([too_short, *grown])
        seconds = f"{evidence.planned_seconds:.0f}"
        return finding(
            Outcome.NOT_JUDGED, too_short, short=Said(f"{seconds} s of load", f"負荷 {seconds} 秒")
        )
    if not observed and not missing:
        unseen = Said("no watched process exposes this metric", "この値を公開している監視対象プロセスがない")
        return finding(Outcome.NOT_JUDGED, unseen if evidence.watching.is_target else evidence.watching.said)
    told = held_back + [each for parts in observed for each in _courses(resource, evidence, parts)]
    return _finding(check, resource, evidence, told, missing)


def _finding(
    check: str, resource: Resource, evidence: Evidence, told: Sequence[Told], missing: Sequence[Said]
) -> Finding:
    """The worst of what is told, and what is missing."""
    by_outcome = {outcome: [each for each in told if each.outcome == outcome] for outcome in Outcome}
    fastest = max((each for each in told if each.per_hour is not None), key=_per_hour, default=None)
    finding = partial(
        Finding,
        check,
        figure=None if fastest is None else fastest.per_hour,
        bound=None if fastest is None else fastest.visible_per_hour,
        unit=resource.rate_unit,
    )
    if failed := by_outcome[Outcome.FAIL]:
        fastest = max(failed, key=_per_hour)
        return finding(
            Outcome.FAIL,
            joined([each.said for each in failed]),
            spans=_spans(failed),
            figure=fastest.per_hour,
            bound=fastest.visible_per_hour,
        )
    warned, filling = by_outcome[Outcome.WARNING], by_outcome[Outcome.INCONCLUSIVE]
    unjudged = [each.said for each in by_outcome[Outcome.NOT_JUDGED]]
    beside = [each.said for each in warned]
    # While the run goes on, what is not known yet is not missing.
    if missing or (filling and not evidence.so_far):
        said = [*missing, *(each.said for each in filling), *beside, *unjudged]
        return finding(Outcome.INCONCLUSIVE, joined(said), spans=_spans([*filling, *warned]))
    if warned:
        return finding(Outcome.WARNING, joined([*beside, *unjudged]), spans=_spans(warned))
    unjudged += [each.said for each in filling]
    if not (clean := by_outcome[Outcome.PASS]):
        return finding(Outcome.NOT_JUDGED, joined(unjudged), short=_UNSURE)
    names = list(dict.fromkeys(each.name for each in clean))
    return finding(Outcome.PASS, joined([flat_said(names, resource, clean, evidence), *unjudged]))


def _per_hour(told: Told) -> float:
    return told.per_hour or 0.0


def _spans(told: Sequence[Told]) -> tuple[Span, ...]:
    return tuple(sorted({span for each in told for span in each.spans}, key=lambda span: span.since))


def _observed(evidence: Evidence, resource: Resource) -> tuple[list[Parts], list[Said]]:
    """The resource of each process that is judged, and what was not watched."""
    # By the process: the series of a GPU have no role.
    roles = ("load",) if evidence.watching.is_target else ("load", "router")
    others = {
        series.label("process")
        for role in roles
        for series in evidence.series.select("observed_process_up", role=role)
    }
    observed = [
        parts
        for series in evidence.series.select(resource.metrics[0])
        if series.label("process") not in others and series.label("role") not in roles
        if not resource.states or series.label("state") in resource.states
        if (parts := _parts(evidence, resource, series))
    ]
    # What was not watched is not clean.
    judged = [role for role in ("router", "node") if role not in roles]
    return observed, not_watched(evidence, *judged) if observed or resource.of_every_process else []


def _courses(resource: Resource, evidence: Evidence, parts: Parts) -> Iterator[Told]:
    """What is told of each life of one process."""
    starts = _starts(evidence, parts[0])
    steady = steady_growth(parts, resource.min_growth, starts)
    found = lives(parts, starts)
    name = _name(parts[0])
    told = [
        told_of(evidence, resource, name, life, steady if _is_in(steady, parts[0], life) else None)
        for life in found
    ]
    if resource.is_size and (drained := told_of_drain(evidence, resource, name, found[-1])) is not None:
        told.append(drained)
    if not evidence.so_far and all(life.span.seconds < MIN_SECONDS for life in found):
        minutes = f"{MIN_SECONDS / 60:.0f}"
        short = Said(
            f"{name}: observed for less than {minutes} minutes", f"{name}: 観測が {minutes} 分に満たない"
        )
        if len(found) > 1:
            short += Said(f" at a time, in {len(found)} lives", f" ({len(found)} 回の起動のいずれも)")
        if not any(each.outcome in (Outcome.FAIL, Outcome.WARNING) for each in told):
            told = [Told(name, Outcome.INCONCLUSIVE, short)]
    died = last_worker_death(evidence, parts[0].label("process") or "")
    if died is not None and parts[0].times[-1] - died < MIN_SECONDS and told[-1].outcome == Outcome.PASS:
        told[-1] = Told(name, Outcome.INCONCLUSIVE, verbatim(f"{name}: ") + _hidden())
    yield from told


def _is_in(steady: Growth | None, first: Series, life: Life) -> bool:
    """Whether the growth was detected in that life."""
    if steady is None:
        return False
    return life.span.since <= first.times[0] + steady.first_minute * MINUTE <= life.span.until + MINUTE


def _levels(check: str, resource: Resource, evidence: Evidence, parts: Parts) -> Iterator[Told]:
    """What is counted and did not come back."""
    if check not in COUNTED:
        return
    name = _name(parts[0])
    if parts[0].label("state") == "close_wait":
        found = close_wait(evidence, name, parts[0])
    else:
        found = not_returned(evidence, resource, name, lives(parts, _starts(evidence, parts[0]))[-1])
    if found is not None:
        said, span = found
        yield Told(name, Outcome.FAIL, said, spans=(span,))


def _hidden() -> Said:
    minutes = f"{MIN_SECONDS / 60:.0f}"
    return Said(
        f"a worker died less than {minutes} minutes before the end, which hides a leak",
        f"終了前 {minutes} 分以内にワーカーが終了し、リークが隠れる",
    )


def _parts(evidence: Evidence, resource: Resource, first: Series) -> Parts:
    """The series of all the resource's metrics with the labels of the first; none where one is missing."""
    parts = [evidence.series.select(metric, **dict(first.labels)) for metric in resource.metrics]
    return [found[0] for found in parts] if all(parts) else []


def _name(series: Series) -> str:
    """The process, and the labels that distinguish its series."""
    others = [f"{name} {value}" for name, value in series.labels if name not in _UNTOLD]
    return (series.label("process") or "") + (f" ({', '.join(others)})" if others else "")


def _starts(evidence: Evidence, series: Series) -> Series | None:
    process = series.label("process") or ""
    found = evidence.series.select("observed_process_start_time_seconds", process=process)
    return found[0] if found else None
