"""How a load went on after its first minutes, by the windows of drift.py."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from math import ceil, inf

from exporter.live.message import Phase
from exporter.live.seconds import Window
from exporter.verdict.drift import (
    BLOCK_SECONDS,
    BLOCKS,
    LASTING,
    MAX_SLOWER,
    MIN_WINDOW_SECONDS,
    SHORT_SECONDS,
    Looked,
    Reference,
    in_pairs,
    lasting,
    summed,
    trailing,
)
from exporter.verdict.elapsed import together
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Said, Span
from exporter.verdict.scraped import WINDOW_INTERVALS, source_of

SCRAPE_SECONDS = 5.0


@dataclass(frozen=True)
class Drift(Span):
    """A time in which it was slower or served less."""

    worst: Looked
    detected: float
    """when (Unix s) that was known: the end of the window that showed it"""


@dataclass(frozen=True)
class Course:
    """How a load went on after its first minutes."""

    reference: Reference
    looked: tuple[Looked, ...]
    """every window, in order"""
    window_seconds: float
    known: bool
    """whether enough seconds are known of all of them"""
    slower: tuple[Drift, ...]
    less: tuple[Drift, ...]


def course(evidence: Evidence, max_slower: float = MAX_SLOWER) -> Course | Said:
    """The course of the load, or why it cannot be judged; slower is what is more than `max_slower` times."""
    if source_of(evidence).loads > 1:
        return Said(
            "more than one load, one after the other; choose one (--run)",
            "負荷が順に複数あり。--run で選ぶ",
        )
    if not len(evidence.seconds):
        return Said("no counts by the second are known", "秒ごとの件数が不明")
    load = evidence.measured_seconds if evidence.all_sent else evidence.planned_seconds
    spans = stretches(evidence)
    seconds = max(MIN_WINDOW_SECONDS, int(min(load, SHORT_SECONDS) / 10))
    # The ends of a window of scrapes are off by up to one interval.
    seconds = max(seconds, ceil(WINDOW_INTERVALS * source_of(evidence).interval_seconds))
    late = _late(evidence, spans, max_slower) if load >= SHORT_SECONDS else None
    # What becomes slow in the first minutes of a long load is what the rest would be held against.
    until = inf if late is None else evidence.begin + SHORT_SECONDS
    early = _early(evidence, spans, seconds, until, max_slower)
    if late is not None and early is not None and _spoilt(late.reference, early):
        late = _late(evidence, spans, max_slower, early.reference)
    if late is None or early is None:
        return late or early or _too_short(load, seconds)
    return replace(
        late,
        known=early.known and late.known,
        slower=_merged([*early.slower, *late.slower]),
        less=_merged([*early.less, *late.less]),
    )


def _spoilt(reference: Reference, early: Course) -> bool:
    """Whether a part of it was slower already, or served less."""
    return any(
        each.since < reference.span.until and reference.span.since < each.until
        for each in (*early.slower, *early.less)
    )


def _early(
    evidence: Evidence, spans: Sequence[Span], seconds: int, until: float, max_slower: float
) -> Course | None:
    """By windows of so many seconds, each two in a row, until a moment."""
    windows = [
        window
        for span in spans
        for window in evidence.seconds.windows(span.since, min(span.until, until), seconds)
    ]
    first = max(1, len(windows) // 3)
    if len(windows) < first + 2:
        return None
    reference = Reference(summed(windows[:first]), max_slower)
    looked = tuple(in_pairs(windows[first:], reference))
    pairs = {
        kind: [
            Drift(each.span.since, each.span.until, each, each.span.until)
            for each in looked
            if getattr(each, kind) is not None
        ]
        for kind in ("slower", "less")
    }
    return _of(reference, looked, seconds, pairs)


def _of(
    reference: Reference,
    looked: Sequence[Looked],
    seconds: float,
    found: Mapping[str, Sequence[Drift]],
) -> Course:
    known = reference.known and all(each.known for each in looked)
    return Course(reference, tuple(looked), seconds, known, _merged(found["slower"]), _merged(found["less"]))


def _late(
    evidence: Evidence, spans: Sequence[Span], max_slower: float, held: Reference | None = None
) -> Course | None:
    """By the five minutes before each quarter of a minute, as the alerts have it.

    Against the first five, or what is given.
    """
    blocks = [list(evidence.seconds.windows(span.since, span.until, BLOCK_SECONDS)) for span in spans]
    first = next((each for each in blocks if len(each) >= BLOCKS), None)
    if first is None:
        return None
    reference = held or Reference(summed(first[:BLOCKS]), max_slower)
    all_looked: list[Looked] = []
    found: dict[str, list[Drift]] = {"slower": [], "less": []}
    for each in blocks:
        looked = list(trailing(each, reference))
        all_looked += looked
        for kind, drifts in found.items():
            for begin, end in lasting(looked, kind):
                worst = max(looked[begin : end + 1], key=partial(badness, kind))
                bad = [block for block in each if _is_bad(reference, block, worst)]
                whole = Span(looked[begin].span.since, looked[end].span.until)
                span = _narrowed(bad, whole, to_the_end=end == len(looked) - 1)
                detected = looked[begin + LASTING - 1].span.until
                drifts.append(Drift(span.since, span.until, worst, detected))
    return _of(reference, all_looked, BLOCKS * BLOCK_SECONDS, found) if all_looked else None


def badness(kind: str, looked: Looked) -> float:
    if kind == "slower":
        return looked.slower.ratio if looked.slower else 0.0
    return 1 - looked.less.ratio if looked.less else 0.0


def _is_bad(reference: Reference, block: Window, worst: Looked) -> bool:
    if worst.slower is not None:
        return reference.slow(block, worst.slower)
    return reference.less(block) is not None


def _narrowed(bad: Sequence[Window], span: Span, *, to_the_end: bool) -> Span:
    """From the first two bad quarters of a minute in a row on, to the last."""
    inside = [each for each in bad if span.since <= each.since and each.until <= span.until]
    rows = [each for each, after in pairwise(inside) if each.until == after.since]
    if not rows:
        return span
    return Span(rows[0].since, span.until if to_the_end else rows[-1].until + BLOCK_SECONDS)


def _merged(found: Sequence[Drift]) -> tuple[Drift, ...]:
    """Times that touch as one, with the worst of their windows."""
    merged = []
    for span in together(found, BLOCK_SECONDS):
        inside = [each for each in found if span.since <= each.since and each.until <= span.until]
        kind = "slower" if inside[0].worst.slower is not None else "less"
        worst = max((each.worst for each in inside), key=partial(badness, kind))
        merged.append(Drift(span.since, span.until, worst, min(each.detected for each in inside)))
    return tuple(merged)


def other_runs(evidence: Evidence) -> Iterator[Span]:
    """When other runs asked the same route and model."""
    for run in evidence.others:
        for series in evidence.series.each("benchmark_run_info", run=run):
            yield Span(series.times[0] - SCRAPE_SECONDS, series.times[-1] + SCRAPE_SECONDS)


def stretches(evidence: Evidence) -> list[Span]:
    """When the load was the same: after the warm-up, before and after a rest, without another run."""
    found = [Span(each.since, each.until) for each in evidence.phases if each.phase == Phase.LOAD]
    found = found or list(evidence.under_load)
    for other in other_runs(evidence):
        parts = [(Span(each.since, other.since), Span(other.until, each.until)) for each in found]
        found = [
            Span(max(part.since, each.since), min(part.until, each.until))
            for each, pair in zip(found, parts, strict=True)
            for part in pair
        ]
        found = [each for each in found if each.seconds > 0]
    return found


def _too_short(load: float, seconds: int) -> Said:
    return Said(
        f"{load:.0f} s of load are too short: it takes three windows of {seconds} s after the warm-up",
        f"負荷 {load:.0f} 秒では短すぎる: ウォームアップ後に {seconds} 秒のウィンドウが三つ必要",
    )
