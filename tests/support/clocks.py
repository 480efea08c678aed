"""A clock that a test moves by hand."""


class FakeClock:
    """Both clocks of exporter.clock; they advance together, and only by `advance`."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_764_000_000.0) -> None:
        self._monotonic = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def wall(self) -> float:
        return self._wall

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self._wall += seconds
