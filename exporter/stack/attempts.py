"""How often a service has been started, and when it is started again after it has ended by itself."""

FIRST_PAUSE_SECONDS = 1.0
MAX_PAUSE_SECONDS = 60.0
"""a service that has run for so long is well again"""


class Attempts:
    """Those of one service; times are monotonic seconds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.starts = 0
        self.ready_path = "/"
        """of the last one"""
        self._pause_seconds = FIRST_PAUSE_SECONDS
        self._began = 0.0
        self._again_at: float | None = None
        self._is_hopeless = False

    def begin(self, now: float, ready_path: str) -> None:
        """It is started."""
        self.starts += 1
        self.ready_path = ready_path
        self._began, self._again_at = now, None

    @property
    def waits(self) -> bool:
        """Whether it has ended and is not started again yet."""
        return self._again_at is not None

    def is_due(self, now: float) -> bool:
        """Whether it is to be started again now."""
        return self._again_at is not None and now >= self._again_at

    def run(self, now: float) -> None:
        """It is seen to run."""
        if now - self._began > MAX_PAUSE_SECONDS:
            self._pause_seconds, self._is_hopeless = FIRST_PAUSE_SECONDS, False

    def end(self, now: float, how: str) -> str | None:
        """It has ended, or could not be started; what is to be said.

        Of one that ends again and again that is said until it is tried once a minute.
        """
        pause = self._pause_seconds
        self._again_at = now + pause
        self._pause_seconds = min(2 * pause, MAX_PAUSE_SECONDS)
        if pause < MAX_PAUSE_SECONDS:
            return f"{self.name} has ended ({how}); started again in {pause:.0f} s"
        was_said, self._is_hopeless = self._is_hopeless, True
        return None if was_said else f"{self.name} ends at once ({how}); tried once a minute from now on"
