"""What is said of the growth of one life, in one sentence."""

from dataclasses import dataclass

from exporter.timeseries import Series
from exporter.verdict.driver import best_driver, requests_between
from exporter.verdict.elapsed import at
from exporter.verdict.events import meanwhile
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Outcome, Said, Span, verbatim
from exporter.verdict.floors import Floor
from exporter.verdict.growth import MINUTE, Growth
from exporter.verdict.quarters import Course, Quarters
from exporter.verdict.repeat import Repeat
from exporter.verdict.resource import Resource
from exporter.verdict.stretch import Stretch


def steadily(resource: Resource, name: str, steady: Growth) -> Said:
    rate = resource.an_hour(steady.slope * 3600)
    first, last, of = steady.first_minute, steady.last_minute, steady.minutes
    return Said(
        f"{name} grew steadily by {rate} (detected in minutes {first} to {last} of {of})",
        f"{name} が {rate} で増え続けた ({of} 分のうち {first}〜{last} 分に検出)",
    )


@dataclass(frozen=True)
class Teller:
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
                begin = steadily(self.resource, self.name, self.steady) if self.steady else self._grew()
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
        return steadily(self.resource, name, self.steady) + over

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
