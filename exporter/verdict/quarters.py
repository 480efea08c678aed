"""How a floor grew over the quarters of a load: not at all, to an end, or without one.

What settles grows less in each quarter and comes to rest. What leaks grows in the last as in the others, if
not evenly: in steps of any size, in bursts with rests between. So a rest at the end tells something only
where it is longer than those before it, and a small last quarter only where each was smaller than the one
before. docs/leaks.md has the method and what it finds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import pairwise
from statistics import fmean

from exporter.verdict.floors import Floor

MIN_GROWN_RATIO = 0.05
"""of the level, over the whole load: growth that counts"""
FALLS = 2.5
"""falls of the floor: growth that counts"""
UNSURE_RATIO = 0.15
"""of the level: where the falls hide so much, nothing was judged"""
STEADY_RATIO = 0.5
"""the last rise by the mean of the earlier ones: from here on it is a leak"""
LASTING_RATIO = 0.75
"""the same without the first rise, which the end of a start may be a part of"""
SHRINKING_RATIO = 0.9
"""a rise by the one before: what shrinks"""
JUMP_RATIO = 0.03
"""of all growth in one bin, of some hundred: that is at once"""
MIN_JUMP_RATIO = 0.05
"""of all growth: the smallest jump"""
SMOOTH_RATIO = 0.15
"""of all growth: where no jump is so great it grows smoothly"""
ONE_JUMP_RATIO = 0.6
"""of all growth: a jump that is most of it"""
ALIKE_RATIO = 0.6
"""a jump by the greatest: those are alike"""
TOOTH_RATIO = 0.8
"""of all growth: what was released before is a tooth as high as what grew since"""
START_RATIO = 0.05
"""of the load"""
RESTS = 2.5
"""a rest at the end that is so many times as long as the longest before tells that it is over"""
MIN_REST_RATIO = 0.2
"""of the load"""
MIN_REST_SECONDS = 600.0


class Course(StrEnum):
    """How a level went."""

    FLAT = "flat"
    SETTLED = "settled"
    """it grew, and is at rest"""
    FILLING = "filling"
    """it grows less and less, and is not at rest"""
    JUMPED = "jumped"
    """most of it at one moment"""
    UNEVEN = "uneven"
    """it never fell, and is neither at rest nor a leak by its rises"""
    LEAKING = "leaking"
    CYCLES = "cycles"
    """it rises and falls, and too seldom to tell"""


@dataclass(frozen=True)
class Jump:
    """Growth at once."""

    time: float
    grown: float


@dataclass(frozen=True)
class Quarters:
    """What a floor grew by."""

    course: Course
    first: float
    """the level at the begin"""
    grown: float
    visible: float
    """growth over the same time that would have shown"""
    rises: tuple[float, ...]
    """of each quarter"""
    jumps: tuple[Jump, ...]
    gaps: tuple[float, ...]
    """s between its steps"""
    rest: float
    """s since it grew last"""
    wobble: float
    """how far the floor fell at most: a rise of no more is none"""

    @property
    def last_grew(self) -> bool:
        """Whether it grew in the last quarter."""
        return self.rises[-1] > max(self.visible / 2.5, 0.02 * self.grown, 1.25 * self.wobble)


def quarters_of(floor: Floor, min_grown: float) -> Quarters:
    """How the floor grew; less than `min_grown` (in its unit) is no growth."""
    level = fmean(floor.levels)
    smallest = max(min_grown, MIN_GROWN_RATIO * level)
    # What only falls hides nothing.
    hidden = FALLS * floor.fall if floor.rise > smallest else 0.0
    visible = max(smallest, hidden)
    quarters = _quarters(floor, floor.levels, smallest, visible)
    if quarters.course == Course.FLAT:
        unsure = hidden > max(UNSURE_RATIO * level, min_grown)
        return replace(quarters, course=Course.CYCLES) if unsure else quarters
    if _is_one_tooth(floor, quarters.grown):
        return replace(quarters, course=Course.CYCLES)
    if quarters.course != Course.JUMPED:
        return quarters
    # A jump may hide what leaks beside it.
    jump = max(quarters.jumps, key=lambda each: each.grown)
    levels = [
        level - jump.grown * (time >= jump.time)
        for time, level in zip(floor.times, floor.levels, strict=True)
    ]
    beside = _quarters(floor, levels, smallest, visible)
    leaks = beside.course == Course.LEAKING and beside.grown >= 0.3 * jump.grown
    return replace(quarters, course=Course.LEAKING) if leaks else quarters


def _is_one_tooth(floor: Floor, grown: float) -> bool:
    """Whether the floor only rises again to where the series was when it was released."""
    if floor.last_release(TOOTH_RATIO * grown) is None:
        return False
    # Half as deep: no two teeth are as high.
    released = floor.last_release(TOOTH_RATIO * grown / 2) or floor.until
    before = [level for time, level in zip(floor.times, floor.levels, strict=True) if time <= released]
    return not before or before[-1] - floor.levels[0] <= 0.15 * grown


def _quarters(floor: Floor, levels: Sequence[float], smallest: float, visible: float) -> Quarters:
    times, grown = floor.times, levels[-1] - levels[0]
    steps = _steps(times, levels, max(0.02 * grown, min(floor.fall, smallest / 4), smallest / 5))
    quarters = Quarters(
        course=Course.FLAT,
        first=levels[0],
        grown=grown,
        visible=visible,
        rises=_rises(times, levels, floor.end),
        jumps=_jumps(times, levels, grown) if grown > 0 else (),
        gaps=tuple(after - before for before, after in pairwise(steps)),
        rest=floor.end - (steps[-1] if steps else times[0]),
        wobble=floor.fall,
    )
    return replace(quarters, course=_course(quarters, smallest, floor)) if grown > visible else quarters


def _course(quarters: Quarters, smallest: float, floor: Floor) -> Course:
    """Of growth that is visible."""
    grown, rises, jumps = quarters.grown, quarters.rises, quarters.jumps
    sizes = sorted((jump.grown for jump in jumps), reverse=True)
    settled = _is_settled(quarters, smallest, floor)
    if sizes and sizes[0] >= ONE_JUMP_RATIO * grown:
        greatest = next(jump for jump in jumps if jump.grown == sizes[0])
        # What begins there is the end of a start.
        at_start = greatest.time <= floor.times[0] + START_RATIO * floor.seconds
        return Course.SETTLED if at_start and settled else Course.JUMPED
    smooth = not sizes or sizes[0] < SMOOTH_RATIO * grown
    shrinking = all(after <= max(SHRINKING_RATIO * before, 0) for before, after in pairwise(rises))
    fades = not quarters.last_grew and shrinking and smooth and sum(rises[2:]) <= 0.08 * grown
    ordered = all(after.grown <= before.grown for before, after in pairwise(jumps))
    arenas = len(jumps) >= 5 and jumps[-1].grown <= jumps[0].grown / 2 and sum(sizes) >= 0.6 * grown
    is_filling = (ordered and arenas) or (shrinking and (smooth or ordered))
    goes_on = quarters.last_grew and sum(sizes[:2]) < 0.8 * grown and _goes_on(quarters)
    if settled or (fades and not _are_alike(quarters, sizes)):
        return Course.SETTLED
    if _are_alike(quarters, sizes) or (goes_on and not (ordered and arenas)):
        return Course.LEAKING
    return Course.FILLING if is_filling else Course.UNEVEN


def _is_settled(quarters: Quarters, smallest: float, floor: Floor) -> bool:
    """Whether it is at rest for long enough."""
    rises, grown, rest = quarters.rises, quarters.grown, quarters.rest
    # The last window hides what grew in it.
    longest, load = max(quarters.gaps, default=0.0), floor.end - floor.times[0]
    if floor.window_seconds > floor.seconds / 8:
        still = sum(rises[2:]) <= smallest / 4 and rest >= RESTS * longest
        return still or sum(rises[1:]) <= smallest / 2
    flattened = sum(rises[2:]) <= max(smallest / 2, 0.04 * grown) or sum(rises[1:]) <= smallest
    return (
        rest >= max(RESTS * longest, MIN_REST_RATIO * load, MIN_REST_SECONDS)
        or sum(rises[2:]) <= max(smallest / 4, 0.04 * grown)
        or sum(rises[1:]) <= smallest / 2
        or (flattened and rest >= MIN_REST_SECONDS)
    )


def _are_alike(quarters: Quarters, sizes: Sequence[float]) -> bool:
    """Whether it is three jumps and more of a size, and the next is not overdue."""
    alike = [size for size in sizes if size >= ALIKE_RATIO * sizes[0]]
    overdue = quarters.rest > 1.2 * max(quarters.gaps, default=0.0)
    return len(alike) >= 3 and sum(alike) >= 0.7 * quarters.grown and not overdue


def _goes_on(quarters: Quarters) -> bool:
    """Whether it grows in the last quarter, or the last half, as it did before."""
    grown, rises = quarters.grown, quarters.rises
    grew = [rise > max(quarters.visible / 8, 0.03 * grown) for rise in rises]
    if sum(grew) < 3 and not all(grew[2:]):
        return False
    last = rises[-1]
    return (
        last >= STEADY_RATIO * fmean(rises[:-1])
        or sum(rises[2:]) >= STEADY_RATIO * sum(rises[:2])
        or (all(grew) and last >= LASTING_RATIO * max(fmean(rises[1:-1]), rises[2]))
        or (all(grew) and _bends_to_a_line(rises))
    )


def _bends_to_a_line(rises: Sequence[float]) -> bool:
    """Whether a start ends in an even growth; what fills shrinks by the same share each time."""
    shares = [after / before for before, after in pairwise(rises)]
    return shares[-1] >= 0.8 and shares[1] >= 0.6 and shares[-1] >= shares[0] + 0.2


def _rises(times: Sequence[float], levels: Sequence[float], end: float) -> tuple[float, ...]:
    """How much the floor rose in each quarter."""
    edges = [times[0] + (end - times[0]) * quarter / 4 for quarter in range(4)]
    bounds = [levels[next((i for i, t in enumerate(times) if t >= edge - 1e-6), -1)] for edge in edges]
    bounds.append(levels[-1])
    return tuple(after - before for before, after in pairwise(bounds))


def _steps(times: Sequence[float], levels: Sequence[float], size: float) -> list[float]:
    """When the floor had grown by more than that since the step before."""
    steps, reached = [], levels[0]
    for time, level in zip(times, levels, strict=True):
        if level - reached > size:
            steps.append(time)
            reached = level
    return steps


def _jumps(times: Sequence[float], levels: Sequence[float], grown: float) -> tuple[Jump, ...]:
    """Where the floor grew by far more than its mean; neighbouring bins are one jump."""
    jumps: list[Jump] = []
    begun: tuple[float, float] | None = None
    pairs = list(zip(levels, levels[1:], times[1:], strict=False))
    for before, after, time in [*pairs, (levels[-1], levels[-1], times[-1])]:
        if after - before >= JUMP_RATIO * grown:
            begun = begun or (time, before)
        elif begun is not None:
            if (size := before - begun[1]) >= MIN_JUMP_RATIO * grown:
                jumps.append(Jump(begun[0], size))
            begun = None
    return tuple(jumps)
