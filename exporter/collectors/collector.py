"""What a collector is."""

from collections.abc import Iterable
from typing import Protocol

from prometheus_client.core import Metric


class Collector(Protocol):
    """One source of state, asked at every scrape.

    `collect` builds fresh metric families each time and may raise any error or hang: isolation.py bounds
    what that costs. What cannot be read is left out, never given as zero.
    """

    name: str

    def collect(self) -> Iterable[Metric]:
        """The source's metric families as they are now."""
        ...
