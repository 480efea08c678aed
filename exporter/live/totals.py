"""What has been counted: of one run, and of a (route, model) over all runs."""

import base64
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from exporter.live.histogram import (
    BUCKETS,
    COUNT_BITS,
    PAGES,
    STATUS_PAGE,
    STATUSES,
    Histogram,
    split,
)
from exporter.live.message import (
    FIRST_COUNTER,
    FIRST_SUM,
    SUCCESS_CLASS,
    UNTIMED,
    Counter,
    FailureReason,
    Values,
    values_of,
)

WINDOW_SECONDS = 10.0
LARGEST_RESTORED = 2**62
"""room for more of them below 2^63, where `excess` ends"""
LENGTHS = tuple(STATUSES if page == STATUS_PAGE else BUCKETS for page in range(PAGES))
"""counts of each page"""
KEPT_BYTES = 160 << 10
"""of pages that are kept without room of their own (worker.py): more than all that wrk counts takes

A load of streams whose times have three decades takes about as much.
"""
_FIRST_SUM_OF = {
    each: FIRST_SUM + sum(before.classes for before in Histogram if before < each) for each in Histogram
}


class Totals:
    """Cumulative counts by page (each `joined`: histogram.py) and the values of a block (message.py)."""

    __slots__ = ("pages", "values")

    def __init__(self) -> None:
        self.pages = [0] * PAGES
        self.values: list[float] = list(values_of())

    def copy(self) -> "Totals":
        """The same counts, which stay as they are now."""
        made = Totals()
        made.pages, made.values = [*self.pages], [*self.values]
        return made

    def counts(self) -> Iterator[tuple[int, int]]:
        """(index, count) of every count that is not 0, in order."""
        for page, number in enumerate(self.pages):
            # A page that nothing was counted on is not looked through.
            counts = split(number, BUCKETS) if number else ()
            yield from ((page * BUCKETS + i, count) for i, count in enumerate(counts) if count)

    def packed(self) -> list[str]:
        """The pages as text, an empty one for a page without counts."""
        return [_packed(page) for page in self.pages]

    @classmethod
    def unpacked(cls, pages: Sequence[str], values: Values) -> "Totals":
        """The inverse; raises ValueError where the text of a page is none.

        Of an earlier release are fewer pages: nothing was counted on the others.
        """
        totals = cls()
        for page, text in enumerate(pages):
            totals.pages[page] = _unpacked(text, LENGTHS[page])
        totals.values = list(values)
        return totals

    def of_class(self, status_class: int) -> tuple[int, ...]:
        """The bucket counts of durations of one status class (0 is 1xx), to the last that is not 0."""
        return self._of_page(Histogram.DURATION + status_class)

    def of(self, histogram: Histogram) -> tuple[int, ...]:
        """The bucket counts of a histogram of one page, to the last that is not 0."""
        return self._of_page(histogram)

    def _of_page(self, page: int) -> tuple[int, ...]:
        number = self.pages[page]
        # To the last that is not 0: a scrape looks through all of them.
        return split(number, -(-number.bit_length() // COUNT_BITS)) if number else ()

    def of_statuses(self) -> tuple[int, ...]:
        """Responses by HTTP status (0 to 599), without 200."""
        return split(self.pages[STATUS_PAGE], STATUSES)

    def sums_us(self, histogram: Histogram = Histogram.DURATION) -> list[float]:
        """Sums of a histogram, in µs where it is of times: of durations one for each status class."""
        first = _FIRST_SUM_OF[histogram]
        return self.values[first : first + histogram.classes]

    def failures(self) -> dict[FailureReason, int]:
        """Failures by reason."""
        return {reason: int(count) for reason, count in zip(FailureReason, self.values, strict=False)}

    def counters(self) -> dict[Counter, int]:
        """The counters by name."""
        counts = self.values[FIRST_COUNTER:FIRST_SUM]
        return {counter: int(count) for counter, count in zip(Counter, counts, strict=True)}

    def untimed(self) -> list[int]:
        """Whole responses whose duration is not known, by status class."""
        counters = self.counters()
        return [counters[counter] for counter in UNTIMED]

    def requests(self) -> list[int]:
        """Whole responses by status class."""
        return [sum(self.of_class(number)) + untimed for number, untimed in enumerate(self.untimed())]


def _packed(page: int) -> str:
    if not page:
        return ""
    length = (page.bit_length() + 7) // 8
    return base64.b64encode(zlib.compress(page.to_bytes(length, "little"), 1)).decode()


def _unpacked(text: str, length: int) -> int:
    if not text:
        return 0
    inflator = zlib.decompressobj()
    try:
        inflated = inflator.decompress(base64.b64decode(text, validate=True), 8 * length + 1)
    except zlib.error as error:
        raise ValueError("a page that is none") from error
    if not inflator.eof or inflator.unused_data or len(inflated) > 8 * length:
        raise ValueError("a page that is cut off or too long")
    page = int.from_bytes(inflated, "little")
    if max(split(page, length)) > LARGEST_RESTORED:
        raise ValueError("a count that is out of range")
    return page


def sum_of(parts: Iterable[Totals]) -> Totals:
    """The sum of several totals; a page that one of them alone has is the same number still."""
    total = Totals()
    for part in parts:
        total.pages = [
            one + other if one and other else one or other
            for one, other in zip(total.pages, part.pages, strict=True)
        ]
        total.values = [one + other for one, other in zip(total.values, part.values, strict=True)]
    return total


class ModelTotals(Totals):
    """The counters of one (route, model), over all runs or of one, and the last seconds of its 2xx."""

    __slots__ = ("_bits", "window")

    def __init__(self) -> None:
        super().__init__()
        self._bits = 0
        """length of all pages"""
        self.window: deque[tuple[float, int]] = deque()

    def begin_with(self, totals: Totals, now: float) -> None:
        """Go on from counters that an earlier exporter published."""
        self.pages, self.values = totals.pages, totals.values
        self._bits = sum(page.bit_length() for page in self.pages)
        self.window.clear()
        self.tick(now)

    @property
    def excess_bytes(self) -> int:
        """What the pages take beyond KEPT_BYTES."""
        return max(self._bits // 8 - KEPT_BYTES, 0)

    def set_page(self, page: int, number: int) -> int:
        """Replace a page; returns by how much `excess_bytes` grew."""
        longer = number.bit_length() - self.pages[page].bit_length()
        self.pages[page] = number
        if not longer:
            return 0
        before = self.excess_bytes
        self._bits += longer
        return self.excess_bytes - before

    def tick(self, now: float, step: float = 0.0) -> None:
        """Remember the 2xx counts of this moment; called about once a second.

        Not oftener than each `step` seconds: by so much the window may be longer.
        """
        if not self.window or now - self.window[-1][0] >= step:
            self.window.append((now, self.pages[SUCCESS_CLASS]))
        while len(self.window) > 1 and now - self.window[1][0] >= WINDOW_SECONDS:
            self.window.popleft()

    def recent_page(self) -> int:
        """2xx counts of the trailing WINDOW_SECONDS (of all that is known, where that is less), `joined`."""
        now = self.pages[SUCCESS_CLASS]
        return now - (self.window[0][1] if self.window else now)

    def recent(self) -> tuple[int, ...]:
        """The same, by bucket."""
        return split(self.recent_page(), BUCKETS)
