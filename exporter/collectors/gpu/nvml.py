"""NVML through pynvml: opening and closing it, its GPUs, and what an error costs.

A call that NVML does not answer costs what it asked for; a GPU that is lost costs that GPU; only what
concerns all of them raises NvmlAbsentError or NvmlFailedError. Source: the NVML API reference; pynvml is the
package nvidia-ml-py.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias, TypeVar

import pynvml

Handle: TypeAlias = Any
"""a device handle of the binding, which has no types"""
Value = TypeVar("Value")

_MAX_GPUS = 256
_MAX_INSTANCES = 64
_UUID = re.compile(r"[A-Za-z0-9][A-Za-z0-9/_.-]{0,95}")
_ABSENT = {pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, pynvml.NVML_ERROR_DRIVER_NOT_LOADED}
_OLDER_DRIVER = {pynvml.NVML_ERROR_FUNCTION_NOT_FOUND, pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH}
_ADVICE = {
    pynvml.NVML_ERROR_NO_PERMISSION: ["give the exporter's user access to /dev/nvidia*"],
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: [
        "the driver was changed: reload its kernel module or reboot, then restart the exporter"
    ],
}


class NvmlAbsentError(Exception):
    """There is no NVML library or no driver here."""


class NvmlFailedError(Exception):
    """NVML is here and does not work."""


class GpuLostError(Exception):
    """A GPU has fallen off the bus; NVML must be opened again before it can be asked again."""


class GpuRefusedError(Exception):
    """A GPU cannot be asked at all, or has no usable uuid."""


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU or a MIG instance of one: the index of the GPU, the uuid its own."""

    index: str
    uuid: str
    handle: Handle


def open_nvml() -> None:
    """Load the library and initialise it; raises NvmlAbsentError or NvmlFailedError."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise _failure(error) from error


def close_nvml() -> None:
    """End what open_nvml() began; every handle is void."""
    with suppress(pynvml.NVMLError):
        pynvml.nvmlShutdown()


def count_gpus() -> int:
    """How many GPUs there are, those that are lost included; raises NvmlAbsentError or NvmlFailedError."""
    try:
        count = int(pynvml.nvmlDeviceGetCount())
    except pynvml.NVMLError as error:
        raise _failure(error) from error
    if count > _MAX_GPUS:
        raise NvmlFailedError(f"NVML counts {count} GPUs, which cannot be")
    return count


def find_gpu(index: int) -> Gpu:
    """The GPU of that index; raises GpuLostError or GpuRefusedError."""
    try:
        handle = call_newest(lambda: pynvml.nvmlDeviceGetHandleByIndex(index))
        uuid = call_newest(lambda: pynvml.nvmlDeviceGetUUID(handle))
    except pynvml.NVMLError as error:
        raise GpuRefusedError(_explained(error)) from error
    except UnicodeDecodeError as error:
        raise GpuRefusedError("its uuid is not text") from error
    if not _UUID.fullmatch(uuid):
        raise GpuRefusedError(f"{uuid!r:.100} is not a uuid")
    return Gpu(str(index), uuid, handle)


def find_instances(gpu: Gpu) -> list[Gpu]:
    """The MIG instances of a GPU, none where MIG is off; raises GpuLostError."""
    mode = ask(lambda: pynvml.nvmlDeviceGetMigMode(gpu.handle))
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return []
    places = ask(lambda: pynvml.nvmlDeviceGetMaxMigDeviceCount(gpu.handle)) or 0
    found: dict[str, Gpu] = {}
    for place in range(min(places, _MAX_INSTANCES)):
        handle = ask(partial(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu.handle, place))
        if handle is None:
            continue  # a place without an instance is an error, NVML_ERROR_NOT_FOUND
        uuid = ask(partial(pynvml.nvmlDeviceGetUUID, handle))
        if uuid is not None and uuid != gpu.uuid and _UUID.fullmatch(uuid):
            found[uuid] = Gpu(gpu.index, uuid, handle)
    return list(found.values())


def call_newest(*calls: Callable[[], Value]) -> Value:
    """The result of the first call that this driver has; raises GpuLostError or the binding's NVMLError."""
    for call in calls:
        try:
            return call()
        except pynvml.NVMLError as error:
            if error.value == pynvml.NVML_ERROR_GPU_IS_LOST:
                raise GpuLostError("lost (fallen off the bus)") from error
            if error.value not in _OLDER_DRIVER or call is calls[-1]:
                raise
    raise TypeError("no call")


def ask(*calls: Callable[[], Value]) -> Value | None:
    """As call_newest(), but None where there is no answer, or none that is text; raises GpuLostError."""
    try:
        return call_newest(*calls)
    except (pynvml.NVMLError, UnicodeDecodeError):
        return None


def _failure(error: Any) -> Exception:
    kind = NvmlAbsentError if error.value in _ABSENT else NvmlFailedError
    return kind(_explained(error))


def _explained(error: Any) -> str:
    return "; ".join([f"NVML: {error}", *_ADVICE.get(error.value, [])])
