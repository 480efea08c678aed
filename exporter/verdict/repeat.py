"""The same load a second time, after a rest: what settles adds next to nothing, a leak the same again."""

from bisect import bisect_right
from dataclasses import dataclass

from exporter.verdict.driver import requests_between
from exporter.verdict.evidence import Evidence
from exporter.verdict.floors import Floor
from exporter.verdict.quarters import Quarters
from exporter.verdict.stretch import Stretch

MAX_SETTLED_RATIO = 0.25
MIN_LEAK_RATIO = 0.5


@dataclass(frozen=True)
class Repeat:
    """What each part of the load added."""

    first: float
    second: float
    ratio: float
    """the second by the first, for the same number of requests (the same time, where they are not known)"""
    at_rest: bool
    """the last quarter added next to nothing"""

    @property
    def settled(self) -> bool:
        """Whether the second time adds next to nothing."""
        return self.at_rest and self.ratio <= MAX_SETTLED_RATIO

    @property
    def leaks(self) -> bool:
        """Whether it adds the like of the first again."""
        return self.ratio >= MIN_LEAK_RATIO


def repeat_of(evidence: Evidence, stretch: Stretch, floor: Floor, quarters: Quarters) -> Repeat | None:
    """None where the load did not rest."""
    joint = stretch.joint
    if joint is None:
        return None
    level = floor.levels[max(bisect_right(floor.times, joint) - 1, 0)]
    first, second = level - floor.levels[0], floor.levels[-1] - level
    before, after = stretch.spans[0], stretch.spans[-1]
    amounts = (
        requests_between(evidence, before.since, before.until),
        requests_between(evidence, after.since, after.until),
    )
    of_first, of_second = amounts if all(amounts) else (before.seconds, after.seconds)
    ratio = (second / of_second) / (first / of_first) if first > 0 else float(second > 0)
    at_rest = quarters.rises[-1] <= max(quarters.visible / 2, 0.04 * quarters.grown)
    return Repeat(first, second, ratio, at_rest)
