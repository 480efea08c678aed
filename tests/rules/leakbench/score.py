"""The score of the rules: false alarms, recall, minutes to detection, with confidence intervals."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from .replay import GROWING, OTHERS, OURS, Fired
from .series import AMBIGUOUS, COMMON, RATES, Labelled

RULES = (OURS, *OTHERS, GROWING)
Judged = Sequence[tuple[Labelled, Fired]]


@dataclass(frozen=True)
class Share:
    """So many of so many, with the 95 % interval of Wilson (1927)."""

    hits: int
    of: int

    @property
    def ratio(self) -> float:
        """hits ÷ of; NaN of none."""
        return self.hits / self.of if self.of else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """(p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) ÷ (1 + z²/n) with z = 1.96; all is possible of none."""
        if not self.of:
            return (0.0, 1.0)
        z, n, p = 1.96, self.of, self.ratio
        middle, half = p + z * z / (2 * n), z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (max(0.0, (middle - half) / (1 + z * z / n)), min(1.0, (middle + half) / (1 + z * z / n)))

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.hits}/{self.of} = {100 * self.ratio:.1f} % ({100 * low:.1f}-{100 * high:.1f})"


def fired(judged: Iterable[tuple[Labelled, Fired]], rule: str) -> Share:
    """On how many of the series the rule fired."""
    on = [rule in what for _, what in judged]
    return Share(sum(on), len(on))


def clean(judged: Judged) -> Judged:
    """The series on which an alert is false; without the ambiguous ones."""
    return [pair for pair in judged if not pair[0].leaks and pair[0].kind not in AMBIGUOUS]


def ambiguous(judged: Judged) -> Judged:
    """The clean series that clean() leaves out."""
    return [pair for pair in judged if pair[0].kind in AMBIGUOUS]


def leaking(judged: Judged, min_rate: float = 0.0, max_rate: float = np.inf) -> Judged:
    """The series that leak at a rate (percent of the base a minute) within the bounds."""
    return [pair for pair in judged if pair[0].leaks and min_rate <= pair[0].rate <= max_rate]


def minutes(judged: Judged, rule: str) -> list[float]:
    """When the rule first fired on each series that it fired on."""
    return [what[rule] for _, what in judged if rule in what]


def tables(judged: Judged) -> Iterator[str]:
    """The lines of the report."""
    columns = f"{'':26}" + "".join(f"{rule:>36}" for rule in RULES)
    yield columns
    yield _row("false alarms", clean(judged))
    yield _row("  common kinds", _common(clean(judged)))
    for kind in sorted({one.kind for one, _ in clean(judged)}):
        yield _row(f"  {kind}", [pair for pair in judged if pair[0].kind == kind])
    yield _row("growth for long", ambiguous(judged))
    for kind in AMBIGUOUS:
        yield _row(f"  {kind}", [pair for pair in judged if pair[0].kind == kind])
    yield ""
    yield _row("recall, >= 1 %/min", leaking(judged, 1.0))
    yield _row("  common kinds", _common(leaking(judged, 1.0)))
    yield _row("  common kinds, 0.3", _common(leaking(judged, 0.3, 0.3)))
    for rate in RATES:
        yield _row(f"  {rate} %/min", leaking(judged, rate, rate))
    for kind in sorted({one.kind for one, _ in leaking(judged)}):
        yield _row(f"  {kind}, >= 1", [pair for pair in leaking(judged, 1.0) if pair[0].kind == kind])
        yield _row(f"  {kind}, 0.3", [pair for pair in leaking(judged, 0.3, 0.3) if pair[0].kind == kind])
    yield ""
    for min_rate in (0.3, 1.0):
        found = {rule: minutes(leaking(judged, min_rate), rule) for rule in RULES}
        yield f"{f'minute found, >= {min_rate} %/min':26}" + "".join(
            f"{_when(m):>36}" for m in found.values()
        )


def _common(judged: Judged) -> Judged:
    return [pair for pair in judged if pair[0].kind in COMMON]


def _row(name: str, judged: Judged) -> str:
    return f"{name:26}" + "".join(f"{fired(judged, rule)!s:>36}" for rule in RULES)


def _when(found: list[float]) -> str:
    if not found:
        return "never"
    return f"median {np.median(found):.0f}, p90 {np.quantile(found, 0.9):.0f}"
