"""Whether a load is lost: the share of its attempts that failed of late."""

from collections import deque

from exporter.live.status import RunStatus
from exporter.verdict.finding import Said

SECONDS = 10.0


class ErrorRatio:
    """Of the attempts that ended in the trailing 10 s, how many were no whole 2xx response.

    A stalled connection counts as one that failed: in an outage in which nothing ends that is all there is.
    """

    def __init__(self, max_ratio: float | None) -> None:
        self._max_ratio = max_ratio
        self._seen: deque[tuple[float, int, int]] = deque()

    def lost(self, now: float, status: RunStatus | None) -> Said | None:
        """Why the load is lost; None where it is not, or where nothing is known of the last 10 s.

        `now` is in monotonic seconds, and rises.
        """
        if self._max_ratio is None or status is None:
            return None
        ended = status.responses + status.failed
        bad = ended - status.successes
        self._seen.append((now, ended, bad))
        while len(self._seen) > 1 and now - self._seen[1][0] >= SECONDS:
            self._seen.popleft()
        then, ended_then, bad_then = self._seen[0]
        ended += status.stalled - ended_then
        bad += status.stalled - bad_then
        if now - then < SECONDS or ended == 0 or bad / ended < self._max_ratio:
            return None
        return Said(
            f"{bad:,} of the last {ended:,} attempts failed in {now - then:.0f} s "
            f"({bad / ended:.0%}, --abort-on-error-ratio {self._max_ratio:g})",
            f"直近 {now - then:.0f} 秒の試行 {ended:,} 件のうち {bad:,} 件が失敗 "
            f"({bad / ended:.0%}、--abort-on-error-ratio {self._max_ratio:g})",
        )
