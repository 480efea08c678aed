"""What one resource of one process did under the load, as a finding says it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.timeseries import Series
from exporter.verdict.driver import best_driver, requests_between
from exporter.verdict.elapsed import at, from_to
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Outcome, Said, Span, joined, verbatim
from exporter.verdict.floors import Floor, floor_of
from exporter.verdict.growth import MINUTE, Growth
from exporter.verdict.lives import Life, loads
from exporter.verdict.quarters import Course, Quarters, quarters_of
from exporter.verdict.repeat import Repeat, repeat_of
from exporter.verdict.resource import Resource
from exporter.verdict.stretch import Stretch, stretch_of

MIN_STRETCH_SECONDS = 1200.0
"""of load after its warm-up: quarters of five minutes"""
MIN_SAMPLES = 60
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
    teller = _Teller(evidence, resource, name, stretch, floor, quarters, repeat, steady, life.held)
    return Told(
        name,
        outcome,
        teller.said(outcome),
        steady.slope * 3600 if steady and outcome == Outcome.FAIL else quarters.grown / hours,
        quarters.visible / hours,
        teller.spans(outcome),
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
    small = course == Course.JUMPED and quarters.grown < resource.min_growth
    at_rest = course in (Course.FLAT, Course.SETTLED) or small
    if repeat is not None and (at_rest or (course != Course.JUMPED and repeat.settled)):
        return Outcome.PASS
    if course == Course.FILLING:
        return Outcome.INCONCLUSIVE
    return Outcome.WARNING if steady or not at_rest else Outcome.PASS


def _told_of_looks(resource: Resource, name: str, held: Series, steady: Growth | None) -> Told | None:
    """Of a life that is too short for quarters; None where the looks detected nothing."""
    if steady is None:
        return None
    begin = held.times[0]
    span = Span(begin + steady.first_minute * MINUTE, begin + steady.last_minute * MINUTE)
    return Told(name, Outcome.FAIL, _steadily(resource, name, steady), steady.slope * 3600, None, (span,))


def _too_short(evidence: Evidence, name: str, life: Life) -> Told:
    minutes, when = f"{life.span.seconds / 60:.0f}", from_to(evidence, life.span)
    lived = Said(
        f"{name}: a life of {minutes} minutes ({when}) is too short to judge",
        f"{name}: 起動から {minutes} 分 ({when}) では短く判定できない",
    )
    return Told(name, Outcome.NOT_JUDGED, lived)


def _steadily(resource: Resource, name: str, steady: Growth) -> Said:
    rate = resource.an_hour(steady.slope * 3600)
    first, last, of = steady.first_minute, steady.last_minute, steady.minutes
    return Said(
        f"{name} grew steadily by {rate} (detected in minutes {first} to {last} of {of})",
        f"{name} が {rate} で増え続けた ({of} 分のうち {first}〜{last} 分に検出)",
    )


@dataclass(frozen=True)
class _Teller:
    """All that the sentence of one life is made of."""

    evidence: Evidence
    resource: Resource
    name: str
    stretch: Stretch
    floor: Floor
    quarters: Quarters
    repeat: Repeat | None
    steady: Growth | None
    held: Series

    def said(self, outcome: Outcome) -> Said:
        """The sentence; empty where there is nothing to tell."""
        match outcome:
            case Outcome.FAIL:
                begin = _steadily(self.resource, self.name, self.steady) if self.steady else self._grew()
                return begin + self._again() + self._driven()
            case Outcome.INCONCLUSIVE:
                return self._still_filling()
            case Outcome.NOT_JUDGED:
                return self._cycles()
            case Outcome.WARNING:
                return self._warned()
        return self._settled() if self.quarters.course != Course.FLAT else verbatim("")

    def spans(self, outcome: Outcome) -> tuple[Span, ...]:
        """When it was."""
        if outcome in (Outcome.PASS, Outcome.NOT_JUDGED):
            return ()
        if self.steady is not None and outcome == Outcome.FAIL:
            begin = self.held.times[0]
            first, last = self.steady.first_minute, self.steady.last_minute
            return (Span(begin + first * MINUTE, begin + last * MINUTE),)
        if self.quarters.course == Course.JUMPED:
            return (self._jump(),)
        return self.stretch.spans

    def _warned(self) -> Said:
        name, quarters = self.name, self.quarters
        if quarters.course == Course.LEAKING:
            least = self.resource.amount(self.resource.min_growth)
            return self._grew() + Said(
                f"; less than {least} fails no run", f"。{least} 未満では不合格にならない"
            )
        if quarters.course == Course.JUMPED:
            jump = max(quarters.jumps, key=lambda each: each.grown)
            moment, grown = at(self.evidence, self._jump().since), self.resource.amount(jump.grown)
            at_once = Said(
                f"{name} grew by {grown} at once, at {moment}, and kept it",
                f"{name} が {moment} に一度に {grown} 増え、そのまま戻らない",
            )
            return at_once + meanwhile(self.evidence, (self._jump(),)) + self._driven()
        if quarters.course == Course.UNEVEN:
            uneven = Said("; too uneven to be called a leak", "。リークと呼ぶには不規則")
            return self._grew() + uneven + self._again() + self._driven()
        if self.steady is None:
            return self._grew()
        over = Said(" and then no more", "、その後は増えていない")
        if quarters.course == Course.FLAT:
            over = Said(" and fell again", "、その後は減った")
        elif quarters.rest >= MINUTE:
            minutes = f"{quarters.rest / 60:.0f}"
            over = Said(f", and not in the last {minutes} minutes", f"。最後の {minutes} 分は増えていない")
        return _steadily(self.resource, name, self.steady) + over

    def _grew(self) -> Said:
        """How far, and how it is spread."""
        quarters, amount = self.quarters, self.resource.amount
        first, last = amount(quarters.first), amount(quarters.first + quarters.grown)
        rises = self._rises()
        rate = self.resource.an_hour(quarters.grown / max(self.floor.end - self.floor.times[0], 1) * 3600)
        return Said(
            f"{self.name} grew from {first} to {last} and never fell: {rises} in the quarters of "
            f"{self.stretch.seconds / 60:.0f} minutes, {rate}",
            f"{self.name} が {first} から {last} へ増え、一度も減らない: "
            f"{self.stretch.seconds / 60:.0f} 分の各四半分で {rises}、{rate}",
        )

    def _rises(self) -> str:
        return ", ".join(f"+{self.resource.amount(rise)}" for rise in self.quarters.rises)

    def _still_filling(self) -> Said:
        rises, minutes = self._rises(), f"{self.stretch.seconds / 60:.0f}"
        filling = Said(
            f"{self.name} is still filling: {rises} in the quarters of {minutes} minutes",
            f"{self.name} はまだ増えている途中: {minutes} 分の各四半分で {rises}",
        )
        if self.repeat is not None:
            return filling + self._again()
        return filling + Said(
            "; a longer load tells, or --rest 3m", "。より長い負荷か --rest 3m で判定できる"
        )

    def _settled(self) -> Said:
        quarters = self.quarters
        grown = self.resource.amount(quarters.grown)
        moment = at(self.evidence, self.stretch.unix(max(self.floor.end - quarters.rest, 0)))
        settled = Said(
            f"{self.name} settled: +{grown} until {moment}", f"{self.name} は {moment} までに +{grown} で安定"
        )
        return settled + self._again()

    def _cycles(self) -> Said:
        minutes = self.stretch.seconds / 60
        fell = self.resource.amount(max(self.floor.fall, self.floor.height))
        return Said(
            f"{self.name} rose and fell by {fell}: {minutes:.0f} minutes have fewer than three of its "
            f"cycles, {3 * minutes:.0f} may do",
            f"{self.name} は {fell} の増減を繰り返す: {minutes:.0f} 分では 3 周期に満たず、"
            f"{3 * minutes:.0f} 分ほど必要",
        )

    def _again(self) -> Said:
        """What the second part of the load added."""
        if self.repeat is None:
            return verbatim("")
        first, second = (
            self.resource.amount(max(each, 0)) for each in (self.repeat.first, self.repeat.second)
        )
        return Said(
            f"; after the rest the same load added {second}, before it {first}",
            f"。休止前の負荷で +{first}、休止後の同じ負荷で +{second}",
        )

    def _driven(self) -> Said:
        """What the growth goes with."""
        best = best_driver(self.evidence, self.stretch, self.floor)
        if best is not None:
            driver, growth = best
            amount, what = self._small(growth), driver.each
            return Said(
                f"; it goes with what was counted: {amount} per {what.english}",
                f"。{what.japanese}あたり {amount} で増加",
            )
        since, until = (self.stretch.unix(time) for time in (self.floor.times[0], self.floor.end))
        asked = requests_between(self.evidence, since, until)
        if not asked:
            return verbatim("")
        each = self._small(self.quarters.grown / asked * 1000)
        return Said(f"; {each} per 1,000 requests", f"。1,000 リクエストあたり {each}")

    def _small(self, value: float) -> str:
        return self.resource.amount(value) if self.resource.is_size else f"{value:.3g} {self.resource.unit}"

    def _jump(self) -> Span:
        jump = max(self.quarters.jumps, key=lambda each: each.grown)
        width = self.floor.seconds / max(len(self.floor.times), 1)
        moment = self.stretch.unix(jump.time)
        # It came in the bin before this one's samples stood above it, or in this.
        return Span(moment - width, moment + width)


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
