"""A run of the streaming engine as a user types it, and what its run.json says."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from service import soak_command

from exporter.errors import SoakError
from exporter.load.child import end_with_parent
from exporter.stack.ports import HOST, free_ports

GRACE_SECONDS = 120.0
WORKER = "exporter.load.stream.worker"


@dataclass(frozen=True)
class StreamRun:
    """The evidence of a run.json."""

    evidence: dict[str, Any]

    @property
    def throughput(self) -> float:
        """2xx a second."""
        return float(self.evidence["success_requests_per_second"] or 0.0)

    @property
    def responses_by_source(self) -> dict[str, int]:
        """The whole responses that the engine, the live messages and /metrics have of it."""
        return {name: each["responses"] for name, each in self.evidence["counts_by_source"].items()}

    @property
    def complete(self) -> int:
        """Streams that are."""
        return int(self._streams["ends"]["complete"])

    @property
    def output_tokens(self) -> int:
        """Of complete streams."""
        return int(self._streams["output_tokens"])

    def seconds(self, figure: str, quantile: str) -> float:
        """A quantile of a figure of its streams; raises SoakError where it has none."""
        found = self._streams[figure][quantile]
        if found is None:
            raise SoakError(f"the streaming engine left no {figure} at {quantile}")
        return float(found)

    @property
    def _streams(self) -> dict[str, Any]:
        found = self.evidence["streams"]
        if found is None:
            raise SoakError("the streaming engine counted no stream")
        return dict(found)


def run_streams(
    url: str,
    folder: Path,
    seconds: int,
    *options: str,
    look: Callable[[psutil.Process], None] | None = None,
) -> StreamRun:
    """A load of one worker, with an exporter of its own; `look` is called each second with the run's process.

    Raises SoakError where it gives no record, or a request of it failed.
    """
    command = soak_command("run", "--engine", "stream", "--json", "--no-preflight", "--drain", "2s")
    command += ["--target", url, "--duration", f"{seconds}s", "--workers", "1", *options]
    command += ["--results", str(folder), "--own-exporter-listen", f"{HOST}:{free_ports().exporter}"]
    with subprocess.Popen(
        end_with_parent(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        try:
            output, errors = _watched(running, seconds + GRACE_SECONDS, look)
        finally:
            if running.poll() is None:
                running.kill()
    if not output:
        raise SoakError(f"soak run left no record: {errors.strip().splitlines()[-1:]}")
    evidence = json.loads(output)["evidence"]
    failed = sum(evidence["failures"].values()) + sum(
        count for status, count in evidence["requests"].items() if status != "2xx"
    )
    if failed or not evidence["requests"]["2xx"]:
        raise SoakError(f"the streaming engine had {failed} failures, so its figures say nothing")
    return StreamRun(evidence)


def _watched(
    running: "subprocess.Popen[str]", seconds: float, look: Callable[[psutil.Process], None] | None
) -> tuple[str, str]:
    left = seconds
    while look is not None and running.poll() is None and left > 0:
        look(psutil.Process(running.pid))
        try:
            return running.communicate(timeout=1.0)
        except subprocess.TimeoutExpired:
            left -= 1.0
    try:
        return running.communicate(timeout=max(left, 1.0))
    except subprocess.TimeoutExpired as error:
        raise SoakError("soak run did not end by itself") from error


def worker_of(run: psutil.Process) -> psutil.Process | None:
    """The process of a run that sends its streams; None where there is none at this moment."""
    for child in run.children(recursive=True):
        try:
            if WORKER in child.cmdline():
                return child
        except psutil.NoSuchProcess:
            continue
    return None
