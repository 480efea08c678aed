"""Which nodes have series of their own: a bounded choice that does not change from scrape to scrape."""

from collections.abc import Collection

MAX_NODES = 200
KEPT_SECONDS = 3600.0


class NodeSlots:
    """At most MAX_NODES slots; a name that has one keeps it until it has not been listed for KEPT_SECONDS.

    So a node does not come and go because others do, one that was away a while has its place still, and a
    router that makes up new names at every scrape gets 200 of them an hour into Prometheus and no more.
    """

    def __init__(self) -> None:
        self._last_listed: dict[str, float] = {}

    def choose(self, listed: Collection[str], now: float) -> list[str]:
        """Those of the listed names that have a slot, in order of name; `now` is monotonic seconds."""
        kept = {name: last for name, last in self._last_listed.items() if now - last < KEPT_SECONDS}
        kept.update((name, now) for name in listed if name in kept)
        waiting = sorted(name for name in listed if name not in kept)
        kept.update((name, now) for name in waiting[: MAX_NODES - len(kept)])
        self._last_listed = kept
        return sorted(name for name in listed if name in kept)
