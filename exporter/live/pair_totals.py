"""What one run has counted of one (route, model), beside what all runs have counted of it."""

from itertools import compress, count
from operator import ne

from exporter.live.histogram import BUCKETS, excess
from exporter.live.message import Values
from exporter.live.recent_streams import RecentStreams
from exporter.live.totals import ModelTotals, Totals


class PairTotals:
    """What is counted of one (route, model) of one run."""

    def __init__(self, model: ModelTotals, now: float) -> None:
        self.model = model
        """its totals over all runs"""
        self.published = ModelTotals()
        self.published.tick(now)
        self.recent_streams = RecentStreams(self.published, now)
        self.owed = Totals()
        """of what was published before a restart: what no message has brought since"""

    def add_page(self, page: int, added: int) -> tuple[int, int]:
        """Count what a page rose by; returns how much room that needs, of the run and of the model."""
        owed = self.owed.pages[page]
        if owed:
            self.owed.pages[page] = excess(owed, added, BUCKETS)
            added = excess(added, owed, BUCKETS)
        before, of_model = self.published.pages[page], self.model.pages[page]
        now = before + added
        # Of a model that no other run has asked both are one number, and stay one: a page is 26 KB.
        same = of_model is before
        both = now if same else of_model + added
        return self.published.set_page(page, now), self.model.set_page(page, both)

    def restore(self, totals: Totals, now: float) -> None:
        """What an earlier exporter published; the model's totals include it."""
        pages = self.model.pages
        for page, (of_model, of_run) in enumerate(zip(pages, totals.pages, strict=True)):
            pages[page] = of_run if of_run == of_model else of_model
        self.owed = totals.copy()
        self.published.begin_with(totals, now)
        self.recent_streams.begin(now)

    def add_values(self, before: Values, now: Values) -> None:
        """Count what the values of a worker's block rose by."""
        for place in compress(count(), map(ne, now, before)):
            added = now[place] - before[place]
            paid = min(added, self.owed.values[place])
            self.owed.values[place] -= paid
            self.published.values[place] += added - paid
            self.model.values[place] += added - paid
