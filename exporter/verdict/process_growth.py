"""What one resource of one process did under the load, as a finding says it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.timeseries import Series
from exporter.verdict.elapsed import from_to
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Outcome, Said, Span, joined, verbatim
from exporter.verdict.floors import Floor, floor_of
from exporter.verdict.growth import MINUTE, Growth
from exporter.verdict.growth_told import Teller, steadily
from exporter.verdict.lives import Life, drains, loads
from exporter.verdict.quarters import Course, Quarters, quarters_of
from exporter.verdict.repeat import Repeat, repeat_of
from exporter.verdict.resource import Resource
from exporter.verdict.stretch import stretch_of

MIN_STRETCH_SECONDS = 1200.0
"""of load after its warm-up: quarters of five minutes"""
MIN_SAMPLES = 60
MIN_DRAIN_SECONDS = 600.0
"""from here on a drain is judged as well"""
DRAIN_STARTS_SECONDS = 60.0
MUCH = 4
"""times the minimum growth: so much is told of a load that is too short"""
LATE_RATIO = 0.3
"""of all growth, in the second half: what fills until two thirds of a load adds a quarter there"""


@dataclass(frozen=True)
class Told:
    """What is said of one resource of one process in one life of it."""

    name: str
    outcome: Outcome
    said: Said = field(default_factory=lambda: verbatim(""))
    """empty where it is flat"""
    per_hour: float | None = None
    """growth, in the resource's unit"""
    visible_per_hour: float | None = None
    """growth that would have shown"""
    spans: tuple[Span, ...] = ()


def told_of(evidence: Evidence, resource: Resource, name: str, life: Life, steady: Growth | None) -> Told:
    """What a life did; `steady` is growth in it that the looks of the alerts detected."""
    stretch = stretch_of(life, loads(evidence, life))
    if stretch.seconds < MIN_STRETCH_SECONDS or len(stretch.times) < MIN_SAMPLES:
        return _told_of_looks(resource, name, life.held, steady) or _too_short(evidence, name, life)
    floor = floor_of(stretch.times, stretch.values, resource.min_told)
    quarters = quarters_of(floor, resource.min_told)
    repeat = repeat_of(evidence, stretch, floor, quarters)
    outcome = _outcome(resource, floor, quarters, repeat, steady)
    hours = max(floor.end - floor.times[0], 1.0) / 3600
    teller = Teller(evidence, resource, name, stretch, floor, quarters, repeat, steady, life.held)
    return Told(
        name,
        outcome,
        teller.said(outcome),
        steady.slope * 3600 if steady and outcome == Outcome.FAIL else quarters.grown / hours,
        quarters.visible / hours,
        teller.spans(outcome),
    )


def told_of_drain(evidence: Evidence, resource: Resource, name: str, life: Life) -> Told | None:
    """Growth that goes on in a long drain; None where there is none, or the drain is short."""
    for pause in drains(evidence):
        if pause.seconds < MIN_DRAIN_SECONDS:
            continue
        # What the load leaves is given back first.
        stretch = stretch_of(life, [Span(pause.since + DRAIN_STARTS_SECONDS, pause.until)])
        if len(stretch.times) < MIN_SAMPLES:
            continue
        quarters = quarters_of(floor_of(stretch.times, stretch.values, resource.min_told), resource.min_told)
        if quarters.course != Course.LEAKING or quarters.grown < resource.min_growth:
            continue
        grown, minutes = resource.amount(quarters.grown), f"{stretch.seconds / 60:.0f}"
        said = Said(
            f"{name} went on growing in the drain, without any load: +{grown} in {minutes} minutes",
            f"{name} は負荷のないドレイン中も増え続けた: {minutes} 分で +{grown}",
        )
        return Told(name, Outcome.FAIL, said, quarters.grown / stretch.seconds * 3600, None, stretch.spans)
    return None


def grown_so_far(evidence: Evidence, resource: Resource, name: str, life: Life) -> Said | None:
    """How far it grew in a load that is too short to call it a leak; None where that is not much."""
    stretch = stretch_of(life, loads(evidence, life))
    if len(stretch.times) < MIN_SAMPLES // 3:
        return None
    quarters = quarters_of(floor_of(stretch.times, stretch.values, resource.min_told), resource.min_told)
    if (
        quarters.course in (Course.FLAT, Course.SETTLED, Course.CYCLES)
        or quarters.grown < MUCH * resource.min_growth
    ):
        return None
    first, last = resource.amount(quarters.first), resource.amount(quarters.first + quarters.grown)
    minutes = f"{stretch.seconds / 60:.0f}"
    return Said(
        f"{name} grew from {first} to {last} in {minutes} minutes",
        f"{name} が {minutes} 分で {first} から {last} へ増えた",
    )


def _outcome(
    resource: Resource, floor: Floor, quarters: Quarters, repeat: Repeat | None, steady: Growth | None
) -> Outcome:
    course = quarters.course
    if course == Course.CYCLES:
        return Outcome.NOT_JUDGED
    # What grew evenly for long enough for the alert is over only where its end is seen.
    late = sum(quarters.rises[2:])
    unseen = floor.window_seconds > floor.seconds / 8 and late > quarters.visible / 4
    lasted = late >= LATE_RATIO * quarters.grown
    goes_on = steady is not None and (quarters.last_grew or unseen or lasted)
    again = repeat is not None and repeat.leaks
    if course == Course.LEAKING or (course == Course.UNEVEN and (goes_on or again)):
        return Outcome.FAIL if steady or quarters.grown >= resource.min_growth else Outcome.WARNING
    small = course == Course.JUMPED and max(each.grown for each in quarters.jumps) < resource.min_growth
    at_rest = course in (Course.FLAT, Course.SETTLED) or small
    if repeat is not None and (at_rest or (course != Course.JUMPED and repeat.settled)):
        return Outcome.PASS
    if course == Course.FILLING:
        return Outcome.INCONCLUSIVE
    if steady and course == Course.SETTLED and quarters.rest >= (floor.end - floor.times[0]) / 2:
        return Outcome.PASS
    return Outcome.WARNING if steady or not at_rest else Outcome.PASS


def _told_of_looks(resource: Resource, name: str, held: Series, steady: Growth | None) -> Told | None:
    """Of a life that is too short for quarters; None where the looks detected nothing."""
    if steady is None:
        return None
    begin = held.times[0]
    span = Span(begin + steady.first_minute * MINUTE, begin + steady.last_minute * MINUTE)
    return Told(name, Outcome.FAIL, steadily(resource, name, steady), steady.slope * 3600, None, (span,))


def _too_short(evidence: Evidence, name: str, life: Life) -> Told:
    minutes, when = f"{life.span.seconds / 60:.0f}", from_to(evidence, life.span)
    lived = Said(
        f"{name}: a life of {minutes} minutes ({when}) is too short to judge",
        f"{name}: 起動から {minutes} 分 ({when}) では短く判定できない",
    )
    return Told(name, Outcome.NOT_JUDGED, lived)


def flat_said(names: Sequence[str], resource: Resource, told: Sequence[Told], evidence: Evidence) -> Said:
    """What a pass says: which did not grow, and what it would have missed."""
    listed = ", ".join(names)
    said = [Said(f"no steady growth in {listed}", f"{listed} に継続的な増加なし")]
    visible = max((each for one in told if (each := one.visible_per_hour) is not None), default=None)
    if visible is not None:
        rate = resource.an_hour(visible)
        said.append(Said(f"growth below {rate} would not show", f"{rate} 未満の増加は見えない"))
    if still := _not_varied(evidence):
        said.append(still)
    return joined([*said, *(one.said for one in told if one.said.english)])


def _not_varied(evidence: Evidence) -> Said | None:
    """What leaks by something that this load did not have is not seen."""
    if evidence.load_known == LoadKnown.NOTHING:
        return None  # nobody here knows what was varied
    missing = []
    if not evidence.varies_prompts:
        missing.append(Said("prompts", "プロンプト"))
    if not evidence.errors and not evidence.failed:
        missing.append(Said("failures", "失敗"))
    aborted = evidence.series.select("benchmark_streams_total", end="aborted")
    if not any(series.increase() for series in aborted):
        missing.append(Said("aborts", "中断"))
    if not missing:
        return None
    names = [each.english for each in missing]
    english = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
    return Said(f"{english} were not varied", f"{'・'.join(each.japanese for each in missing)}の変化なし")
