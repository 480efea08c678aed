"""What the streaming engine adds to a first token, and what it holds, at a server of a fixed pace."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from cpu_account import resident_bytes
from memory_run import MIB, least_squares
from service import running
from stream_load import StreamRun, run_streams, worker_of
from table import Row

from exporter.stack.ports import HOST, free_ports

SERVER = Path(__file__).with_name("paced_server.py")
STREAMS, TOKENS, GAP_SECONDS, PACED_SECONDS = 200, 50, 0.020, 20
RATE = STREAMS / (TOKENS * GAP_SECONDS)
"""streams a second that are so many at once"""
MAX_OWN_SECONDS = {"0.5": 0.0002, "0.99": 0.001}
HELD_STREAMS, HELD_TOKENS, HELD_GAP_SECONDS = 1000, 50, 0.1
MAX_BYTES = 150 * 10**6
FLAT_SHARE = 0.01
WARM_UP_SECONDS = 60.0


@dataclass(frozen=True)
class Script:
    """What the server knows of its own streams."""

    whole: int
    """streams that it sent to their end"""
    first_token_seconds: dict[str, float]
    """from the arrival of a request to its first token sent, by quantile"""


@contextmanager
def paced(tokens: int, gap_seconds: float, folder: Path) -> Iterator[tuple[str, Path]]:
    """The URL of the server, and the file that it leaves when it ends."""
    port, file = free_ports().router, folder / "paced.json"
    command = [sys.executable, str(SERVER), str(port), str(tokens), str(gap_seconds), str(file)]
    with running("paced", command, f"http://{HOST}:{port}", "/v1/models", folder) as service:
        yield service.url, file


def script_of(file: Path) -> Script:
    """What it left."""
    document = json.loads(file.read_text(encoding="ascii"))
    return Script(document["whole"], document["first_token_seconds"])


def own_part_rows(folder: Path, seconds: int = PACED_SECONDS) -> list[Row]:
    """200 streams of 50 tokens a second: the first token measured less the server's own part, and the lag.

    They begin at random moments. A closed load of a fixed pace would go in step: all of its tokens would come
    at once, and the last of them would wait for all others.
    """
    options = ("--rate", f"{RATE:g}/s", "--arrivals", "poisson")
    with paced(TOKENS, GAP_SECONDS, folder) as (url, file):
        run = run_streams(url, folder / "paced", seconds, *options)
    script = script_of(file)
    title = f"stream engine at {STREAMS} streams of {1 / GAP_SECONDS:.0f} tokens/s: "
    wanted = ", ".join(f"<= {bound * 1e3:g}" for bound in MAX_OWN_SECONDS.values()) + " ms"
    rows = []
    first = "time_to_first_token_seconds"
    parts = {q: run.seconds(first, q) - script.first_token_seconds[q] for q in MAX_OWN_SECONDS}
    lags = {q: run.seconds("client_lag_seconds", q) for q in MAX_OWN_SECONDS}
    for what, found in (
        (f"{title}first token less the server's own part, p50, p99", parts),
        ("  lag behind the kernel's stamps, p50, p99", lags),
    ):
        meets = all(found[q] <= bound for q, bound in MAX_OWN_SECONDS.items())
        rows.append(Row(what, _milliseconds(found), wanted, meets))
    rows.append(Row("  the server's own part, p50, p99", _milliseconds(script.first_token_seconds)))
    return [*rows, *counted_rows(run, script, 2 * STREAMS, TOKENS)]


def held_rows(minutes: int, folder: Path) -> list[Row]:
    """1,000 streams for minutes: the worker's memory, and whether every stream and token is counted."""
    samples: list[tuple[float, int]] = []

    def look(process: psutil.Process) -> None:
        try:
            worker = worker_of(process)
            if worker is not None:
                samples.append((float(len(samples)), resident_bytes(worker.pid)))
        except psutil.NoSuchProcess:
            return  # it has ended meanwhile

    with paced(HELD_TOKENS, HELD_GAP_SECONDS, folder) as (url, file):
        options = ("--connections", str(HELD_STREAMS))
        run = run_streams(url, folder / "held", 60 * minutes, *options, look=look)
    return [*worker_rows(samples), *counted_rows(run, script_of(file), HELD_STREAMS, HELD_TOKENS)]


def worker_rows(samples: Sequence[tuple[float, int]]) -> list[Row]:
    """Its memory, about a sample a second, and the slope after the first minute."""
    sizes = [size for _, size in samples]
    settled = [(seconds, size) for seconds, size in samples if seconds >= WARM_UP_SECONDS]
    slope, error = least_squares([(seconds / 3600, size / MIB) for seconds, size in settled])
    share = slope * MIB * (settled[-1][0] - settled[0][0]) / 3600 / settled[0][1]
    return [
        Row(
            f"stream engine's memory at {HELD_STREAMS:,} streams: first, last, greatest",
            ", ".join(f"{size / MIB:.1f}" for size in (sizes[0], sizes[-1], max(sizes))) + " MiB",
            f"<= {MAX_BYTES / MIB:.0f} MiB",
            max(sizes) <= MAX_BYTES,
        ),
        Row(
            f"  its slope after the first minute, {len(settled)} samples",
            f"{slope:+.2f} ± {error:.2f} MiB/h ({share:+.2%} in all)",
            f"flat: < {FLAT_SHARE:.0%} in all",
            share < FLAT_SHARE,
        ),
    ]


def counted_rows(run: StreamRun, script: Script, connections: int, tokens: int) -> list[Row]:
    """Whether every source has the same streams, as many as the server sent, and all of their tokens.

    What the server has sent whole when the load ends and is not read yet is no stream of the load's: at most
    one a connection.
    """
    responses = run.responses_by_source
    left = script.whole - run.complete
    exact = (
        set(responses.values()) == {run.complete}
        and run.output_tokens == run.complete * tokens
        and 0 <= left <= connections
    )
    said = f"{run.complete:,} streams, {run.output_tokens:,} tokens; {left} more sent at its end"
    return [Row("  streams and tokens in every source, and the server's", said, "equal", exact)]


def _milliseconds(found: dict[str, float]) -> str:
    return ", ".join(f"{figure * 1e3:.3f}" for figure in found.values()) + " ms"
