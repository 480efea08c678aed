"""GPUs sampled in the background: a scrape takes the last sample and never waits for a driver that hangs."""

import logging
import threading
from dataclasses import dataclass, field

from exporter.clock import Clock
from exporter.collectors.gpu.nvml import (
    Gpu,
    GpuLostError,
    GpuRefusedError,
    NvmlAbsentError,
    NvmlFailedError,
    close_nvml,
    count_gpus,
    find_gpu,
    open_nvml,
)
from exporter.collectors.gpu.reading import GpuReading, read_gpu, read_versions
from exporter.collectors.gpu.xid_events import XidEvents
from exporter.collectors.priority import RightOfWay
from exporter.log import ProblemLog

_LOG = logging.getLogger(__name__)

_EVERY_SECONDS = 1.0
_ASKED_WITHIN_SECONDS = 30.0

# A scrape may wait this long for a sample that is under way: the first, or that after a pause. Eight GPUs
# take about 0.4 s (PCIe throughput alone is 40 ms a GPU), and a scraper's shortest time-out is a second.
_PATIENCE_SECONDS = 0.6

# Before each GPU is found and before it is read a scrape may go first. No longer than this in a whole sample,
# since there may always be one under way, and one may be waiting for this very sample.
_GIVE_WAY_SECONDS = 0.1

_RELEASE_SECONDS = 2.0


class NoGpuSampleError(Exception):
    """There is no sample of the GPUs that is new enough, or it failed."""


@dataclass(frozen=True, slots=True)
class GpuSample:
    """Every GPU that could be read; none where there is no GPU here and none is required."""

    readings: tuple[GpuReading, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)
    """driver_version and cuda_version"""


@dataclass(frozen=True, slots=True)
class _Outcome:
    sample: GpuSample
    good_until: float
    problem: str | None = None


class GpuSampler:
    """One thread that samples about once a second while it is asked, and rests where nobody asks.

    `required` makes it a failure that there is no driver or no GPU. Where there is none, where NVML fails
    and where a GPU is lost, NVML is opened again after `retry_seconds`.
    """

    def __init__(
        self,
        xids: XidEvents,
        clock: Clock,
        required: bool,
        max_age_seconds: float,
        retry_seconds: float,
        right_of_way: RightOfWay,
    ) -> None:
        self._xids = xids
        self._clock = clock
        self._right_of_way = right_of_way
        self._required = required
        self._max_age_seconds = max_age_seconds
        self._retry_seconds = retry_seconds
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = -_ASKED_WITHIN_SECONDS
        self._due = clock.monotonic()
        self._begun: float | None = None
        self._outcome: _Outcome | None = None
        self._open = False
        self._lost_since: float | None = None
        self._problems = ProblemLog(_LOG)

    def start(self) -> None:
        """Begin to sample, so that there is something when it is first asked."""
        with self._changed:
            self._ask()

    def latest(self) -> GpuSample:
        """The last sample; raises NoGpuSampleError where it failed or a newer one is overdue."""
        with self._changed:
            now = self._ask()
            give_up = (now if self._begun is None else self._begun) + _PATIENCE_SECONDS
            while self._outcome is None or now > self._outcome.good_until:
                if now >= give_up:
                    raise NoGpuSampleError(self._overdue(now))
                self._changed.wait(give_up - now)
                now = self._clock.monotonic()
            if self._outcome.problem is not None:
                raise NoGpuSampleError(self._outcome.problem)
            return self._outcome.sample

    def _ask(self) -> float:
        self._asked = self._clock.monotonic()
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._serve, name="gpu-sampler", daemon=True)
            self._thread.start()
        self._changed.notify_all()
        return self._asked

    def _overdue(self, now: float) -> str:
        if self._begun is not None and now - self._begun > self._max_age_seconds:
            return "a call of NVML has not returned"
        if self._outcome is None:
            return "the first sample is not finished yet"
        return f"the last sample is older than {self._max_age_seconds:g} s (gpu_max_age_seconds)"

    def _serve(self) -> None:
        while True:
            begun = self._rest()
            outcome, due = self._sample(begun)
            with self._changed:
                self._outcome, self._due, self._begun = outcome, due, None
                self._changed.notify_all()

    def _rest(self) -> float:
        """Wait until a sample is due and wanted."""
        with self._changed:
            while True:
                now = self._clock.monotonic()
                if now - self._asked >= _ASKED_WITHIN_SECONDS:
                    self._changed.wait()
                elif now < self._due:
                    self._changed.wait(self._due - now)
                else:
                    self._begun = now
                    return now

    def _sample(self, begun: float) -> tuple[_Outcome, float]:
        """What came of one sample, and when the next is due."""
        try:
            return _Outcome(self._read(begun), begun + self._max_age_seconds), begun + _EVERY_SECONDS
        except NvmlFailedError as error:
            problem: str | None = str(error)
        except NvmlAbsentError as error:
            problem = f"a GPU is required and there is none: {error}"
            if not self._required:
                problem = None
                again = f"looked for again every {self._retry_seconds:g} s"
                self._problems.update([f"no GPU here, no gpu_* series, {again} ({error})"], logging.INFO)
        self._close()
        due = begun + self._retry_seconds
        return _Outcome(GpuSample(), due + self._max_age_seconds, problem), due

    def _read(self, begun: float) -> GpuSample:
        """Every GPU that can be read; raises NvmlAbsentError or NvmlFailedError."""
        self._give_way(begun)
        if self._lost_since is not None and begun - self._lost_since >= self._retry_seconds:
            self._close()
            self._lost_since = None
        if not self._open:
            open_nvml()
            self._open = True
        count = count_gpus()
        if count == 0 and self._required:
            raise NvmlFailedError("a GPU is required and the driver has none")
        problems: dict[int, Exception] = {}
        gpus: dict[int, Gpu] = {}
        for index in range(count):
            self._give_way(begun)
            try:
                gpus[index] = find_gpu(index)
            except (GpuLostError, GpuRefusedError) as error:
                problems[index] = error
        self._xids.watch(list(gpus.values()))
        readings: list[GpuReading] = []
        for index, gpu in gpus.items():
            self._give_way(begun)
            try:
                readings += read_gpu(gpu)
            except GpuLostError as error:
                problems[index] = error
        if not any(isinstance(problem, GpuLostError) for problem in problems.values()):
            self._lost_since = None
            if problems and not readings:
                raise NvmlFailedError(f"no GPU can be read: {next(iter(problems.values()))}")
        elif self._lost_since is None:
            self._lost_since = begun
        self._problems.update(
            [f"GPU {index}: {what}, its series are missing" for index, what in problems.items()]
        )
        return GpuSample(tuple(readings), read_versions())

    def _give_way(self, begun: float) -> None:
        self._right_of_way.give(begun + _GIVE_WAY_SECONDS - self._clock.monotonic())

    def _close(self) -> None:
        """Close NVML, unless a thread still waits in it: then the next sample tries again."""
        if self._open and self._xids.release(_RELEASE_SECONDS):
            close_nvml()
            self._open = False
