"""The load generators that the live engine is compared with: wrk without live reporting, and hey."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import wrk_text
from service import find_program

from exporter.errors import SoakError
from exporter.load.child import end_with_parent
from exporter.load.workload import Workload

GRACE_SECONDS = 30.0


@dataclass(frozen=True)
class BareRun:
    """What wrk prints of a run without hooks."""

    throughput: float
    """requests a second"""
    p99_seconds: float
    """corrected by wrk for coordinated omission"""


def bare_wrk(workload: Workload, connections: int, seconds: int, folder: Path) -> BareRun:
    """A run of wrk with the same threads, connections and POST body, and no hook at all."""
    script = folder / "bare.lua"
    script.write_text(bare_script(workload.body), encoding="ascii")
    command = [find_program("wrk"), "-t", str(connections), "-c", str(connections), "-d", f"{seconds}s"]
    command += ["--latency", "-s", str(script), workload.url]
    return parse_wrk(_run("wrk", command, seconds))


def hey(workload: Workload, connections: int, seconds: int, folder: Path) -> float:
    """Requests a second of hey with the same connections and POST body."""
    body = folder / "hey.json"
    body.write_bytes(workload.body)
    command = [find_program("hey"), "-z", f"{seconds}s", "-c", str(connections), "-m", "POST"]
    command += ["-T", "application/json", "-D", str(body), workload.url]
    return parse_hey(_run("hey", command, seconds))


def bare_script(body: bytes) -> str:
    """A wrk script that sets method, body and header and defines no hook; any byte may be in the body."""
    escaped = "".join(f"\\{byte:03d}" for byte in body)
    return (
        'wrk.method = "POST"\n'
        f'wrk.body = "{escaped}"\n'
        'wrk.headers["Content-Type"] = "application/json"\n'
    )  # fmt: skip


def parse_wrk(output: str) -> BareRun:
    """What wrk printed with --latency; raises SoakError where any request failed or a figure is missing."""
    failed = re.search(r"^\s*(Non-2xx.*|Socket errors.*)$", output, re.MULTILINE)
    if failed:
        raise SoakError(f"bare wrk had failures, so its throughput says nothing: {failed[1]}")
    for run in wrk_text.parse_wrk(output)[0]:
        if run.rps is not None and run.p99_ms is not None:
            return BareRun(run.rps, run.p99_ms / 1e3)
    raise SoakError(f"wrk printed no throughput or no p99: {' '.join(output.split())[-200:]}")


def parse_hey(output: str) -> float:
    """Requests a second of hey's printed summary; raises SoakError where any request failed."""
    statuses = set(re.findall(r"^\s*\[(\d+)\]\s+\d+ responses", output, re.MULTILINE))
    if statuses != {"200"} or "Error distribution" in output:
        raise SoakError(f"hey had failures, so its throughput says nothing (statuses: {sorted(statuses)})")
    return _figure(r"^\s*Requests/sec:\s+([\d.]+)", output, "hey")


def _figure(pattern: str, output: str, name: str) -> float:
    match = re.search(pattern, output, re.MULTILINE)
    if match is None:
        raise SoakError(f"{name} printed no throughput: {' '.join(output.split())[-200:]}")
    return float(match[1])


def _run(name: str, command: list[str], seconds: int) -> str:
    try:
        # subprocess.run kills its child on every exception, so on Ctrl-C too.
        done = subprocess.run(
            end_with_parent(command),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            timeout=seconds + GRACE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SoakError(f"{name} did not end by itself") from error
    if done.returncode != 0:
        raise SoakError(f"{name} ended with exit code {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout
