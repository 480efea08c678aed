"""exporter.collectors.gpu.xid_events in a real exporter: Xid errors counted by GPU and code."""

import pytest

from tests.support.gpu_exporters import SUCCESS, Start, exporters, temperature, two_gpus, xids
from tests.support.nvml_stub import GPU_IS_LOST, NvmlStub
from tests.support.waiting import wait_for

stub = pytest.fixture(two_gpus)
start = pytest.fixture(exporters)


def test_xid_errors_begin_at_zero_and_count_by_gpu_and_code(stub: NvmlStub, start: Start) -> None:
    assert stub.gpus[0].xids is not None
    stub.gpus[0].xids = [13]  # before the exporter was there
    stub.gpus[1].xids = None  # does not support the event
    stub.write()
    exporter = start(stub.environment())
    first = exporter.until("Xid series", lambda found: xids("GPU-a", 0, "other") in found)
    counts = {key: value for key, value in first.items() if key.startswith("gpu_xid_errors_total")}
    assert set(counts.values()) == {0}
    assert not any("GPU-b" in key for key in counts)
    stub.gpus[0].xids += [48, 79, 48, 4711, 2**63, 31]
    stub.write()
    found = exporter.until("the last Xid", lambda found: found[xids("GPU-a", 0, "31")] == 1)
    assert {key: value for key, value in found.items() if key.startswith("gpu_xid") and value > 0} == {
        xids("GPU-a", 0, "48"): 2,
        xids("GPU-a", 0, "79"): 1,
        xids("GPU-a", 0, "31"): 1,
        xids("GPU-a", 0, "other"): 2,
    }
    assert {key for key in found if key.startswith("gpu_xid")} == counts.keys()
    assert exporter.log().count("GPU 0 (GPU-a): Xid 48") == 1


def test_a_wait_for_events_that_hangs_costs_the_xid_series_alone(stub: NvmlStub, start: Start) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    stub.hanging = {"nvmlEventSetWait_v2"}
    stub.write()
    hung = exporter.until("no Xid series", lambda found: xids("GPU-a", 0, "79") not in found)
    assert (hung[SUCCESS], hung[temperature("GPU-a", 0)]) == (1, 65)
    stub.hanging.clear()
    stub.write()
    exporter.until("Xid series", lambda found: found.get(xids("GPU-a", 0, "79")) == 0)


def test_a_wait_for_events_that_fails_is_logged_once_and_goes_on(stub: NvmlStub, start: Start) -> None:
    exporter = start(stub.environment())
    exporter.until("Xid series", lambda found: xids("GPU-a", 0, "79") in found)
    stub.failing = {"nvmlEventSetWait_v2": GPU_IS_LOST}
    stub.write()
    wait_for("a log line", lambda: "waiting for Xid events: NVML: GPU is lost" in exporter.log())
    stub.failing.clear()
    stub.gpus[0].xids = [94]
    stub.write()
    exporter.until("an Xid", lambda found: found[xids("GPU-a", 0, "94")] == 1)
    assert exporter.log().count("waiting for Xid events") == 1
