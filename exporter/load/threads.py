"""How long each thread of a load engine lived, from how many there were at each look."""

import psutil

GRACE_SECONDS = 1.0
"""a thread that is missed for the first time so shortly before the end has ended with the load"""

KEPT_LOOKS = 100
"""the first ones; of the later ones those that differ"""


def thread_count(pid: int) -> int | None:
    """The threads of a process beside its first one; None where it has ended."""
    try:
        return psutil.Process(pid).num_threads() - 1
    except psutil.Error:
        return None


class ThreadLives:
    """Of so many threads that begin together; none of them begins again."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._looks: list[tuple[float, int]] = []
        self._ended: float | None = None

    def saw(self, now: float, alive: int | None) -> None:
        """There were so many at that moment."""
        if alive is not None and (len(self._looks) < KEPT_LOOKS or self._looks[-1][1] != alive):
            self._looks.append((now, alive))

    def ended(self, now: float) -> None:
        """The process is over; a later call changes nothing."""
        self._ended = now if self._ended is None else self._ended

    def early_ends(self, load_seconds: float) -> tuple[float, ...]:
        """After how many seconds of the load each thread ended that did not last until its end, in order.

        `load_seconds` is how long the process itself says that it lasted. A life is known to a look's
        interval.
        """
        if self._ended is None or not self._looks:
            return ()
        whole = [time for time, alive in self._looks if alive >= self._threads]
        # Never seen all at once: the first ones had ended before the first look.
        started = whole[0] if whole else self._ended - load_seconds
        end = min(started + load_seconds, self._ended) - GRACE_SECONDS
        ends = []
        for number in range(1, self._threads + 1):
            alive_at = [place for place, (_, alive) in enumerate(self._looks) if alive >= number]
            gone = self._looks[alive_at[-1] + 1 if alive_at else 0 :]
            since = next((time for time, _ in gone if time >= started), end + 1)
            if since <= end:
                ends.append(since - started)
        return tuple(sorted(ends))
