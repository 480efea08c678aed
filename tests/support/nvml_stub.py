"""The NVML stub as tests and demos drive it: GPUs as dataclasses, written to the script that it obeys.

For example:

    stub = NvmlStub(build_stub(folder), folder / "nvml.script", [StubGpu()])
    subprocess.Popen(exporter, env=os.environ | stub.environment())
    stub.gpus[0].temperature = 91
    stub.gpus[0].xids.append(79)
    stub.write()
"""

import os
import shutil
import subprocess
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest

from tests.support.checkout import FIXTURES

SOURCE = FIXTURES / "nvml/nvml_stub.c"
SONAME = "libnvidia-ml.so.1"

GPU_IS_LOST = 15
NOT_AVAILABLE = -1
"""of a process: NVML_VALUE_NOT_AVAILABLE; of another number it is what the type's all-ones are"""


@dataclass
class StubGpu:
    """One GPU or MIG instance, in NVML's own units (%, MHz, mW, mJ, KB/s); None is not supported.

    `failing` has functions and the error code that each returns, `hanging` those that do not return.
    """

    uuid: str | bytes | None = "GPU-00000000-0000-0000-0000-000000000000"
    name: str | bytes | None = "Stub 24GB"
    utilization: int | None = 37
    memory_utilization: int | None = 21
    memory_used: int | None = 8 << 30
    memory_total: int | None = 24 << 30
    temperature: int | None = 65
    power: int | None = 123_456
    power_limit: int | None = 350_000
    energy: int | None = 9_876_543
    fan: int | None = 45
    clock_graphics: int | None = 1410
    clock_sm: int | None = 1395
    clock_memory: int | None = 9501
    clock_video: int | None = 1275
    clock_reasons: int | None = 0
    ecc_corrected: int | None = 3
    ecc_uncorrected: int | None = 1
    pcie_receive: int | None = 2_500
    pcie_transmit: int | None = 700
    compute: dict[int, int] | None = field(default_factory=dict)
    """bytes by process id"""
    graphics: dict[int, int] | None = field(default_factory=dict)
    mps: dict[int, int] | None = None
    xids: list[int] | None = field(default_factory=list)
    """every Xid so far; what is appended is an event"""
    mig: int | None = None
    instances: list["StubGpu"] = field(default_factory=list)
    lost: int = 0
    failing: dict[str, int] = field(default_factory=dict)
    hanging: set[str] = field(default_factory=set)

    @classmethod
    def instance(cls, uuid: str, memory_used: int, memory_total: int) -> "StubGpu":
        """A MIG instance, which has a name, memory and processes of its own and nothing else."""
        own: dict[str, Any] = {"uuid": uuid, "name": "Stub MIG 1g"}
        own |= {"memory_used": memory_used, "memory_total": memory_total}
        given = {*own, "compute", "graphics", "instances", "lost", "failing", "hanging"}
        return cls(**own | {each.name: None for each in fields(cls) if each.name not in given})

    def lines(self, owner: str) -> list[bytes]:
        """Its part of the script."""
        found: list[bytes] = []
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name in ("failing", "hanging", "instances") or value is None:
                continue
            if isinstance(value, dict):
                value = " ".join(f"{pid}:{size}" for pid, size in value.items())
            elif isinstance(value, list):
                value = " ".join(map(str, value))
            found.append(_line(f"{owner}.{each.name}", value))
        found += [f"{owner}.{name} error {code}".encode() for name, code in self.failing.items()]
        found += [f"{owner}.{name} hang".encode() for name in self.hanging]
        for number, instance in enumerate(self.instances):
            found += instance.lines(f"{owner}/{number}")
        return found


def _line(key: str, value: object) -> bytes:
    return key.encode() + b" " + (value if isinstance(value, bytes) else str(value).encode())


class NvmlStub:
    """A library that was built and the script that it obeys; `write` makes a change known."""

    def __init__(self, library: Path, script: Path, gpus: list[StubGpu]) -> None:
        self.library = library
        self.script = script
        self.gpus = gpus
        self.driver_version: str | bytes | None = "570.86.10"
        self.cuda_version: int | None = 12080
        self.failing: dict[str, int] = {}
        """functions that belong to no GPU, and the error code that each returns"""
        self.hanging: set[str] = set()
        self.write()

    def write(self) -> None:
        """Write the script again, whole: a reader sees the old one or this one."""
        lines = [f"devices {len(self.gpus)}".encode()]
        for key, value in (("driver_version", self.driver_version), ("cuda_version", self.cuda_version)):
            if value is not None:
                lines.append(_line(key, value))
        lines += [f"system.{name} error {code}".encode() for name, code in self.failing.items()]
        lines += [f"system.{name} hang".encode() for name in self.hanging]
        for number, gpu in enumerate(self.gpus):
            lines += gpu.lines(str(number))
        beside = self.script.with_suffix(".new")
        beside.write_bytes(b"\n".join(lines) + b"\n")
        beside.replace(self.script)

    def environment(self) -> dict[str, str]:
        """What a process needs so that its binding loads the stub."""
        folders = [str(self.library.parent), *filter(None, [os.environ.get("LD_LIBRARY_PATH")])]
        return {"LD_LIBRARY_PATH": ":".join(folders), "NVML_STUB_SCRIPT": str(self.script)}


def build_stub(folder: Path) -> Path:
    """Build the library in a folder; skips the test where there is no C compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    library = folder / SONAME
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", f"-Wl,-soname,{SONAME}"]
    subprocess.run([*command, "-o", str(library), str(SOURCE), "-lpthread"], check=True)
    return library
