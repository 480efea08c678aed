"""Xid errors, the driver's reports that a GPU is in trouble, counted on a thread that waits for them."""

import ctypes
import logging
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress

import pynvml

from exporter.clock import Clock
from exporter.collectors.gpu.nvml import Gpu, Handle
from exporter.log import ProblemLog

_LOG = logging.getLogger(__name__)

XID_CODES = frozenset({
    8, 13, 31, 32, 38, 43, 45, 48, 61, 62, 63, 64, 68, 69, 74, 79, 92, 94, 95, 109, 119, 120, 136, 140, 143,
    149, 154,
})  # fmt: skip
"""the codes of NVIDIA's catalogue that occur in practice; any other is counted as `other`"""
OTHER = "other"
_LABELS = (*map(str, sorted(XID_CODES)), OTHER)

_WAIT_MILLISECONDS = 500
_MAX_DRAINED = 1000

GpuKey = tuple[str, str]
"""index and uuid"""


class XidEvents:
    """Counts by GPU and code; every code that has a label of its own begins at zero.

    A count outlives its GPU: Xid 79 means that the GPU has gone. Events of a GPU begin to count when it is
    first watched, and only while NVML stays open (between a close and the next watch() none is seen).
    """

    def __init__(self, clock: Clock, max_age_seconds: float) -> None:
        self._clock = clock
        self._max_age_seconds = max_age_seconds
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wanted: tuple[Gpu, ...] = ()
        self._taken: tuple[Gpu, ...] = ()
        self._holding = False
        self._calling_since: float | None = None
        self._counts: dict[GpuKey, dict[str, int]] = {}

    def watch(self, gpus: Sequence[Gpu]) -> None:
        """Count the events of these GPUs too."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._holding, self._taken = False, ()
                self._thread = threading.Thread(target=self._serve, name="xid-events", daemon=True)
                self._thread.start()
            # A set is given up for a new GPU, never for one that is gone: its last event may be on its way.
            if not {gpu.uuid for gpu in gpus} <= {gpu.uuid for gpu in self._wanted}:
                self._wanted = tuple(gpus)
                self._changed.notify_all()

    def release(self, timeout_seconds: float) -> bool:
        """Let go of NVML, so that it can be closed; False where a call has not returned by then."""
        with self._changed:
            self._wanted = ()
            self._changed.notify_all()
            return self._changed.wait_for(lambda: not self._holding, timeout_seconds)

    def counts(self) -> Mapping[GpuKey, Mapping[str, int]]:
        """The counts as they are now; none while a call hangs, since they might be too low."""
        with self._changed:
            since = self._calling_since
            if since is not None and self._clock.monotonic() - since > self._max_age_seconds:
                return {}
            return {key: dict(counts) for key, counts in self._counts.items()}

    def _serve(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted and self._wanted is not self._taken)
                self._taken = self._wanted
                self._holding = True
            self._count_events(self._taken)
            with self._changed:
                self._calling_since = None
                self._holding = False
                self._changed.notify_all()

    def _count_events(self, gpus: tuple[Gpu, ...]) -> None:
        """Count until other GPUs are wanted."""
        self._calling_since = self._clock.monotonic()
        try:
            event_set = pynvml.nvmlEventSetCreate()
        except pynvml.NVMLError as error:
            _LOG.warning("Xid events are not counted: NVML: %s", error)
            return
        keys = self._register(gpus, event_set)
        problems = ProblemLog(_LOG)
        while keys and self._wanted is gpus:
            self._wait(event_set, keys, problems)
        with suppress(pynvml.NVMLError):
            for _ in range(_MAX_DRAINED):
                if not self._take(event_set, keys, 0):
                    break
        with suppress(pynvml.NVMLError):
            pynvml.nvmlEventSetFree(event_set)

    def _register(self, gpus: tuple[Gpu, ...], event_set: Handle) -> dict[int | None, GpuKey]:
        """The GPUs whose events the set now has, by the address of the handle, which an event carries."""
        kind = pynvml.nvmlEventTypeXidCriticalError
        keys: dict[int | None, GpuKey] = {}
        for gpu in gpus:
            try:
                if not pynvml.nvmlDeviceGetSupportedEventTypes(gpu.handle) & kind:
                    continue
                pynvml.nvmlDeviceRegisterEvents(gpu.handle, kind, event_set)
            except pynvml.NVMLError_NotSupported:
                continue
            except pynvml.NVMLError as error:
                _LOG.warning("GPU %s: its Xid events are not counted: NVML: %s", gpu.index, error)
                continue
            key = (gpu.index, gpu.uuid)
            keys[_address(gpu.handle)] = key
            with self._changed:
                self._counts.setdefault(key, dict.fromkeys(_LABELS, 0))
        return keys

    def _wait(self, event_set: Handle, keys: Mapping[int | None, GpuKey], problems: ProblemLog) -> None:
        """Wait for an event and count it."""
        try:
            self._take(event_set, keys, _WAIT_MILLISECONDS)
        except pynvml.NVMLError as error:
            problems.update([f"waiting for Xid events: NVML: {error}"])
            # It returned at once, and would the next time.
            with self._changed:
                self._changed.wait(_WAIT_MILLISECONDS / 1000)
        else:
            problems.update()

    def _take(self, event_set: Handle, keys: Mapping[int | None, GpuKey], milliseconds: int) -> bool:
        """Count the next event, False where none came in that time; raises the binding's NVMLError."""
        self._calling_since = self._clock.monotonic()
        try:
            event = pynvml.nvmlEventSetWait_v2(event_set, milliseconds)
        except pynvml.NVMLError_Timeout:
            return False
        key = keys.get(_address(event.device))
        if key is None or event.eventType != pynvml.nvmlEventTypeXidCriticalError:
            return True
        code = str(event.eventData) if event.eventData in XID_CODES else OTHER
        with self._changed:
            self._counts[key][code] += 1
            first = self._counts[key][code] == 1
        if first:
            _LOG.warning("GPU %s (%s): Xid %d", *key, event.eventData)
        return True


def _address(handle: Handle) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value
