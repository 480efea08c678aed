"""Errors by the second: the worst minute of a run, and times in which nothing succeeded."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from exporter.live.seconds import SecondCounts, Seconds
from exporter.verdict.elapsed import together
from exporter.verdict.finding import Span

MINUTE = 60
MIN_FAILURES_A_MINUTE = 5
"""as the alert BenchmarkErrorRateHigh has it"""
OUTAGE_SECONDS = 10
MIN_FAILURES_AN_OUTAGE = 10
APART_SECONDS = 5
"""errors that are no further apart are told as one time"""


@dataclass
class Burst:
    """All the windows in which too many attempts failed."""

    worst: float = 0.0
    """share that failed in the worst of them"""
    bad: set[int] = field(default_factory=set)
    """the seconds in which something failed"""

    def __bool__(self) -> bool:
        return bool(self.bad)

    @property
    def spans(self) -> tuple[Span, ...]:
        """When it failed."""
        return spans_of(self.bad)


def spans_of(seconds: Iterable[int]) -> tuple[Span, ...]:
    """Seconds as times from when to when."""
    return together([Span(second, second + 1) for second in seconds], APART_SECONDS)


def bad_minutes(
    seconds: Seconds, max_ratio: float, allowed: Set[str] = frozenset(), so_far: bool = False
) -> Burst:
    """Every minute, begun at any second, in which more failed than `max_ratio`, and at least five did.

    What lasted for less than a minute is judged as one where it has ended. A response of an `allowed` status
    is no failure.
    """
    first, last = seconds.first, seconds.last
    if first is None or last is None or (so_far and last - first + 1 < MINUTE):
        return Burst()
    length = min(MINUTE, last - first + 1)
    return _bad(
        seconds,
        length,
        lambda good, bad: bad >= MIN_FAILURES_A_MINUTE and bad > max_ratio * (good + bad),
        allowed,
    )


def outages(seconds: Seconds, allowed: Set[str] = frozenset()) -> Burst:
    """Ten seconds and more in which nothing succeeded and at least ten attempts failed; all of them known."""
    return _bad(
        seconds,
        OUTAGE_SECONDS,
        lambda good, bad: good == 0 and bad >= MIN_FAILURES_AN_OUTAGE,
        allowed,
        min_known=OUTAGE_SECONDS,
    )


def failed(seconds: Seconds, count: Callable[[SecondCounts], int]) -> tuple[Span, ...]:
    """When there was any of what `count` gives of a second."""
    return spans_of(each.second for each in seconds.with_errors() if count(each))


def bad_statuses(counts: SecondCounts, allowed: Set[str]) -> Mapping[str, int]:
    """Responses of a second that are not 2xx, by status, those that are allowed aside."""
    return {status: count for status, count in counts.statuses.items() if status not in allowed}


def kinds(seconds: Seconds, among: Set[int], allowed: Set[str] = frozenset()) -> Counter[str]:
    """What failed in these seconds, by status and by reason."""
    found: Counter[str] = Counter()
    for each in seconds.with_errors():
        if each.second in among:
            found.update(bad_statuses(each, allowed))
            found.update({reason.value: count for reason, count in each.failures.items()})
    return found


def _bad(
    seconds: Seconds,
    length: int,
    is_bad: Callable[[int, int], bool],
    allowed: Set[str],
    min_known: int = 1,
) -> Burst:
    """What failed in the windows of so many seconds that are bad, of which as many are known."""
    burst = Burst()
    errors: dict[int, int] = {}
    allowed_in: dict[int, int] = {}
    for each in seconds.with_errors():
        statuses = sum(bad_statuses(each, allowed).values())
        if count := statuses + sum(each.failures.values()):
            errors[each.second] = count
        allowed_in[each.second] = sum(each.statuses.values()) - statuses
    if not errors:
        return burst
    window: deque[tuple[int, int]] = deque()
    good = bad = told = 0
    begin = seconds.first or 0
    for second, successes in seconds.successes():
        fine = successes + allowed_in.get(second, 0)
        window.append((second, fine))
        good += fine
        bad += errors.get(second, 0)
        while window[0][0] <= second - length:
            gone, went = window.popleft()
            good -= went
            bad -= errors.get(gone, 0)
        if second - begin + 1 >= length and len(window) >= min_known and is_bad(good, bad):
            burst.worst = max(burst.worst, bad / (good + bad))
            for known, _ in reversed(window):
                if known <= told:
                    break
                if known in errors:
                    burst.bad.add(known)
            told = second
    return burst
