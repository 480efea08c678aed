"""The percentiles of what came after a run's warm-up, as exact as those of the whole load."""

from dataclasses import replace

from exporter.live.figures import Quantiles, quantiles_of
from exporter.live.run import Run
from exporter.live.run_durations import RunDurations, StreamTime
from exporter.live.stream_counts import StreamCounts
from exporter.run.registration import Registration


class WarmUp:
    """Keeps the histograms as they were when the warm-up ended; what comes later is the difference."""

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
        return None if whole is None else self._after(whole, None)

    def streams_after(self, final: Run | None, streams: StreamCounts | None) -> StreamCounts | None:
        """These streams with the times of those that ended since then; the counts stay those of all."""
        if streams is None:
            return None
        return self.streams_of(
            self._registration.durations() if final is None else RunDurations.of(final), streams
        )

    def streams_of(self, whole: RunDurations | None, streams: StreamCounts | None) -> StreamCounts | None:
        """The same of the whole load's; a time that is not known, or that none came after it, stays."""
        if whole is None or streams is None:
            return streams
        after = {each: self._after(whole, each) for each in StreamTime}
        return replace(
            streams,
            first_token=after[StreamTime.FIRST_TOKEN] or streams.first_token,
            first_output=after[StreamTime.FIRST_OUTPUT] or streams.first_output,
            chunk_gap=after[StreamTime.CHUNK_GAP] or streams.chunk_gap,
            time_per_token=after[StreamTime.TIME_PER_TOKEN] or streams.time_per_token,
        )

    def _after(self, whole: RunDurations, of: StreamTime | None) -> Quantiles | None:
        if self._at_its_end is None:
            return None
        counts = whole.since(self._at_its_end, of)
        return quantiles_of(counts) if counts is not None and any(counts) else None
