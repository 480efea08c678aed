"""exporter.collectors.gpu.nvml: an NVML that does not open, and GPUs that are none, refused or lost."""

import pytest

from exporter.collectors.gpu.nvml import (
    GpuLostError,
    GpuRefusedError,
    NvmlAbsentError,
    NvmlFailedError,
    count_gpus,
    find_gpu,
    open_nvml,
)
from exporter.collectors.gpu.reading import read_gpu
from tests.support.gpu_series import loaded_stub
from tests.support.nvml_stub import NvmlStub

stub = pytest.fixture(loaded_stub)


@pytest.mark.parametrize(
    ("code", "kind", "reason", "advice"),
    [
        (9, NvmlAbsentError, "Driver Not Loaded", ""),
        (12, NvmlAbsentError, "NVML Shared Library Not Found", ""),
        (4, NvmlFailedError, "Insufficient Permissions", "/dev/nvidia*"),
        (18, NvmlFailedError, "NVML/RM version mismatch", "restart the exporter"),
        (999, NvmlFailedError, "Unknown Error", ""),
    ],
)
def test_an_nvml_that_does_not_open_names_the_reason_and_what_to_do(
    stub: NvmlStub, code: int, kind: type[Exception], reason: str, advice: str
) -> None:
    stub.failing = {"nvmlInitWithFlags": code, "nvmlDeviceGetCount_v2": code}
    stub.write()
    for act in (open_nvml, count_gpus):
        with pytest.raises(kind) as failed:
            act()
        assert reason in str(failed.value)
        assert advice in str(failed.value)


def test_a_number_of_gpus_that_cannot_be_is_refused(stub: NvmlStub) -> None:
    stub.script.write_text("devices 4294967295\n")
    with pytest.raises(NvmlFailedError, match="4294967295 GPUs"):
        count_gpus()


@pytest.mark.parametrize("uuid", [b"GPU-\xff\xfe", "", "GPU a", 'GPU-"', "x" * 95 + "/\x01"])
def test_a_uuid_that_is_none_is_never_a_label(stub: NvmlStub, uuid: str | bytes) -> None:
    stub.gpus[0].uuid = uuid
    stub.write()
    with pytest.raises(GpuRefusedError):
        find_gpu(0)


def test_a_lost_gpu_is_distinguished_from_any_other_error(stub: NvmlStub) -> None:
    gpu = find_gpu(0)
    stub.gpus[0].lost = 1
    stub.write()
    with pytest.raises(GpuLostError):
        read_gpu(gpu)
    with pytest.raises(GpuLostError):
        find_gpu(0)
