"""A clock that a test moves by hand."""


class FakeClock:
    """The clocks of exporter.clock, which go on together; only a test moves them."""

    def __init__(self, monotonic: float = 1000.0, wall: float = 1_764_000_000.0) -> None:
        self._monotonic = monotonic
        self._since_boot = monotonic
        self._wall = wall

    def monotonic(self) -> float:
        return self._monotonic

    def since_boot(self) -> float:
        return self._since_boot

    def wall(self) -> float:
        return self._wall

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        self._monotonic += seconds
        self.suspend(seconds)

    def suspend(self, seconds: float) -> None:
        """The machine sleeps for so long."""
        self._since_boot += seconds
        self._wall += seconds

    def set_wall(self, seconds: float) -> None:
        """The wall clock is set forward by so much, or back."""
        self._wall += seconds
