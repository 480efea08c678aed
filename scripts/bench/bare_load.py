"""The load generators that the live engine is compared with: wrk without live reporting, and hey."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import hey_text
import wrk_text
from service import find_program

from exporter.errors import SoakError
from exporter.live.results_csv import ResultRow
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
    row = _clean("wrk", wrk_text.parse_wrk(output).rows)
    if row.rps is None or row.p99_ms is None:
        raise SoakError(f"wrk printed no throughput or no p99: {' '.join(output.split())[-200:]}")
    return BareRun(row.rps, row.p99_ms / 1e3)


def parse_hey(output: str) -> float:
    """Requests a second of hey's printed summary; raises SoakError where any request failed."""
    row = _clean("hey", hey_text.parse_hey(output).rows)
    if row.rps is None:
        raise SoakError(f"hey printed no throughput: {' '.join(output.split())[-200:]}")
    return row.rps


def _clean(name: str, rows: list[ResultRow]) -> ResultRow:
    row = rows[0] if rows else ResultRow("")
    if row.non2xx or row.socket_errors:
        raise SoakError(
            f"{name} had failures, so its throughput says nothing: "
            f"{row.non2xx} responses not 2xx, {row.socket_errors} errors"
        )
    return row


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
