"""The percentiles of what came after a run's warm-up, as exact as those of the whole load."""

from exporter.live.figures import Quantiles
from exporter.live.histogram import QUANTILES, quantiles_seconds
from exporter.live.run import Run
from exporter.live.run_durations import RunDurations
from exporter.run.registration import Registration


class WarmUp:
    """Keeps the histogram as it was when the warm-up ended; what comes later is the difference."""

    def __init__(self, registration: Registration) -> None:
        self._registration = registration
        self._at_its_end: RunDurations | None = None

    def end(self) -> bool:
        """It ends now: ask the exporter. False where it gives no answer, and has to be asked again."""
        self._at_its_end = self._registration.durations()
        return self._at_its_end is not None

    def quantiles_after(self, final: Run | None) -> Quantiles | None:
        """Of the 2xx since then, by the workers' last reports, else by the exporter.

        None where that is not known, or nothing came after it.
        """
        return self.quantiles_of(self._registration.durations() if final is None else RunDurations.of(final))

    def quantiles_of(self, whole: RunDurations | None) -> Quantiles | None:
        """Of those of the whole load that came since then."""
        if whole is None or self._at_its_end is None:
            return None
        counts = whole.since(self._at_its_end)
        if counts is None or not any(counts):
            return None
        found = quantiles_seconds(counts, QUANTILES)
        return {str(quantile): seconds for quantile, seconds in zip(QUANTILES, found, strict=True)}
