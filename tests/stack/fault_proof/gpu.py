"""A GPU of the NVML stub, and a process that holds memory on it."""

import subprocess
import threading
import time
from pathlib import Path

from exporter.load.child import end_with_parent
from exporter.stack.servers import find_program
from tests.support.nvml_stub import NvmlStub, StubGpu, build_stub

HELD_BYTES = 2 << 30
STEP_SECONDS = 0.2


class Gpu:
    """The GPU, and an inference server that does nothing; `close` ends it."""

    uuid = "GPU-1"

    def __init__(self, folder: Path) -> None:
        find_program("a C compiler", "gcc")
        self._process = subprocess.Popen(end_with_parent(["sleep", "infinity"]), start_new_session=True)
        self.pid_file = folder / "inference.pid"
        self.pid_file.write_text(str(self._process.pid), encoding="ascii")
        stub_gpu = StubGpu(uuid=self.uuid, compute={self._process.pid: HELD_BYTES})
        self._stub = NvmlStub(build_stub(folder), folder / "nvml.script", [stub_gpu])
        self.environment = self._stub.environment()
        self._released = threading.Event()
        self._leak = threading.Thread()

    def close(self) -> None:
        """End whatever is left of it."""
        self._released.set()
        if self._leak.is_alive():
            self._leak.join()
        self._process.kill()
        self._process.wait()

    def report_xid(self, code: int) -> None:
        """Let the driver report an error, once."""
        xids = self._stub.gpus[0].xids
        assert xids is not None
        xids.append(code)
        self._stub.write()

    def leak(self, bytes_per_second: float) -> None:
        """Let what the process holds grow, evenly."""
        self._released.clear()
        self._leak = threading.Thread(target=self._grow, args=(bytes_per_second, time.monotonic()))
        self._leak.start()

    def release(self) -> None:
        """Let the process hold what it held at first."""
        self._released.set()
        self._leak.join()
        self._hold(HELD_BYTES)

    def _grow(self, bytes_per_second: float, began: float) -> None:
        while not self._released.wait(STEP_SECONDS):
            self._hold(HELD_BYTES + round(bytes_per_second * (time.monotonic() - began)))

    def _hold(self, count: int) -> None:
        self._stub.gpus[0].compute = {self._process.pid: count}
        self._stub.write()
