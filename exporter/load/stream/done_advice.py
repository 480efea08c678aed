"""A server that never sends a finish reason: its first streams show it, and one line says so."""

from exporter.live.message import StreamEnd
from exporter.load.stream.apis import Api

FIRST = 5
"""streams that have to end so, and no other before them"""
WITH_DONE = (Api.CHAT, Api.COMPLETIONS)
ADVICE = (
    f"the first {FIRST} streams ended with [DONE] and no finish reason, so they count as truncated; if this "
    "server never sends a reason, --complete-on done takes [DONE] for the finish"
)


class DoneAdvice:
    """Watches the ends of the first streams of a load."""

    def __init__(self, complete_on_done: bool) -> None:
        self._left = 0 if complete_on_done else FIRST

    def ended(self, api: Api, end: StreamEnd, done_seen: bool) -> str | None:
        """The line to say, once, when this stream was the last of FIRST that ended so; mostly None."""
        if not self._left or end is StreamEnd.ABORTED:
            return None
        if end is not StreamEnd.TRUNCATED or not done_seen or api not in WITH_DONE:
            self._left = 0
            return None
        self._left -= 1
        return None if self._left else ADVICE
