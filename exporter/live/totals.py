"""What has been counted: of one run, and of a (route, model) over all runs."""

from collections import deque
from collections.abc import Iterator

from exporter.live.histogram import BUCKETS, COUNT_BITS, INDEX_COUNT, PAGES, STATUS_BASE, UNTIMED_BASE, split
from exporter.live.message import SUCCESS_CLASS, FailureReason

WINDOW_SECONDS = 10.0
LARGEST_RESTORED = 2**62
"""room for more of them below 2^63, where `excess` ends"""


class Totals:
    """Cumulative counts by page (each `joined`: histogram.py), sums in µs by class, failures by reason."""

    __slots__ = ("failures", "pages", "sum_us")

    def __init__(self) -> None:
        self.pages = [0] * PAGES
        self.sum_us = [0.0] * 5
        self.failures = dict.fromkeys(FailureReason, 0)

    def copy(self) -> "Totals":
        """The same totals; what becomes of one changes nothing in the other."""
        copy = Totals()
        copy.pages, copy.sum_us, copy.failures = list(self.pages), list(self.sum_us), dict(self.failures)
        return copy

    def counts(self) -> Iterator[tuple[int, int]]:
        """(index, count) of every count that is not 0, in order."""
        for page, number in enumerate(self.pages):
            # A page that nothing was counted on is not looked through.
            counts = split(number, BUCKETS) if number else ()
            yield from ((page * BUCKETS + i, count) for i, count in enumerate(counts) if count)

    def set(self, index: int, count: int) -> None:
        """Set one count that was 0; raises ValueError where `count` is not within 0 and LARGEST_RESTORED."""
        if not 0 <= count <= LARGEST_RESTORED:
            raise ValueError(f"count {count} is out of range")
        page, offset = divmod(index, BUCKETS)
        self.pages[page] += count << COUNT_BITS * offset

    def of_class(self, status_class: int) -> tuple[int, ...]:
        """The bucket counts of one status class (0 is 1xx); empty where nothing of it was timed."""
        return split(self.pages[status_class], BUCKETS) if self.pages[status_class] else ()

    def of_statuses(self) -> tuple[int, ...]:
        """Responses by HTTP status (0 to 599), without 200."""
        return split(self.pages[-1], INDEX_COUNT - STATUS_BASE)[: UNTIMED_BASE - STATUS_BASE]

    def untimed(self) -> tuple[int, ...]:
        """Responses by status class whose duration is not known."""
        return split(self.pages[-1], INDEX_COUNT - STATUS_BASE)[UNTIMED_BASE - STATUS_BASE :]

    def requests(self) -> list[int]:
        """Whole responses by status class."""
        return [sum(self.of_class(number)) + untimed for number, untimed in enumerate(self.untimed())]


class ModelTotals(Totals):
    """The counters of one (route, model) over all runs, and the last seconds of its 2xx."""

    __slots__ = ("window",)

    def __init__(self) -> None:
        super().__init__()
        self.window: deque[tuple[float, int]] = deque()

    def tick(self, now: float) -> None:
        """Remember the 2xx counts of this moment; called about once a second."""
        self.window.append((now, self.pages[SUCCESS_CLASS]))
        while len(self.window) > 1 and now - self.window[1][0] >= WINDOW_SECONDS:
            self.window.popleft()

    def recent(self) -> tuple[int, ...]:
        """2xx bucket counts of the trailing WINDOW_SECONDS (of all that is known, where that is less)."""
        now = self.pages[SUCCESS_CLASS]
        before = self.window[0][1] if self.window else now
        return split(now - before, BUCKETS)
