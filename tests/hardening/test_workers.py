"""Announcements of as many workers as an exporter takes, all of them with the largest reports."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import requests

from exporter.live.histogram import (
    BUCKETS,
    INDEX_COUNT,
    OCTAVE,
    STATUS_BASE,
    Histogram,
    bucket_of,
    end_of_row,
)
from exporter.live.message import MAX_CONNECTIONS, MAX_PAIRS
from exporter.live.runs import MAX_RUNS
from exporter.live.sender import ROWS_A_DATAGRAM
from exporter.live.wire import encode
from exporter.live.worker import ROOM_BYTES
from tests.support.live_messages import message, octaves, token_of
from tests.support.peak_memory import MAX_PEAK_BYTES, peak_bytes
from tests.support.secured_exporter import ExporterProcess
from tests.support.served_exporter import announcement

AT_A_TIME = 50


@pytest.fixture
def exporter(tmp_path: Path) -> Iterator[ExporterProcess]:
    with ExporterProcess(tmp_path, "--ingest.state-file", str(tmp_path / "state.json")) as process:
        yield process


def put(
    exporter: ExporterProcess, number: int, phase: str = "load", models: int = 1, asked: int | None = None
) -> int:
    run = f"{number:016}"
    name = number if asked is None else asked
    pairs = [{"route": "local", "model": f"{name}-{i}"} for i in range(models)]
    body = announcement(phase, run=run, token=token_of(run).hex(), connections=MAX_CONNECTIONS, pairs=pairs)
    url = f"http://127.0.0.1:{exporter.port}/api/runs/{run}"
    return requests.put(url, json=body, timeout=20).status_code


def send(exporter: ExporterProcess, datagrams: Iterator[bytes]) -> None:
    """Send them as fast as they are taken; a scrape takes what waits."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", exporter.ingest_port))
        for number, datagram in enumerate(datagrams, 1):
            udp.send(datagram)
            if number % AT_A_TIME == 0:
                assert exporter.get(f"/api/runs/{0:016}").status_code in (200, 404)


def far_apart(number: int, worker: int, pair: int = 0) -> bytes:
    """Some 3 KB whose octaves are at both ends of three pages."""
    counts = {
        page * BUCKETS + octave * OCTAVE + worker % OCTAVE: worker + 1
        for page in (1, 3, 4)
        for octave in (0, 25)
    }
    counts[STATUS_BASE + 404] = 1
    return encode(message(counts, run=f"{number:016}", worker=worker, pair=pair, part=pair))


def three_decades(number: int, worker: int) -> bytes:
    """What a worker of a load has: 1 ms to 1 s, and a few errors."""
    counts = {BUCKETS + bucket_of(1000 * 2**i): 7 for i in range(11)}
    counts |= {4 * BUCKETS + bucket_of(1000 * 2**i): 7 for i in range(3)}
    counts[STATUS_BASE + 503] = 77
    return encode(message(counts, run=f"{number:016}", worker=worker))


def test_sixteen_runs_of_a_thousand_workers_cost_no_more_than_the_room(exporter: ExporterProcess) -> None:
    assert exporter.get().status_code == 200
    for number in range(MAX_RUNS):
        assert put(exporter, number) == 200
    send(
        exporter,
        (far_apart(number, worker) for worker in range(0, MAX_CONNECTIONS, 5) for number in range(MAX_RUNS)),
    )
    text = exporter.get().text
    assert 'exporter_ingest_rejected_total{reason="no_room"} 0' not in text
    assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
    full = exporter.resident_bytes()
    for number in range(MAX_RUNS):
        assert put(exporter, number, "finished") == 200
    assert exporter.get().status_code == 200
    assert exporter.resident_bytes() < full - ROOM_BYTES // 2
    # There is room again.
    assert put(exporter, 99) == 200
    send(exporter, (three_decades(99, worker) for worker in range(MAX_CONNECTIONS)))
    assert exporter.get(f"/api/runs/{99:016}").json()["workers"] == MAX_CONNECTIONS
    assert exporter.get().status_code == 200
    assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


def wrks_indices() -> list[int]:
    """Durations by status class, and statuses."""
    return [*range(5 * BUCKETS), *range(STATUS_BASE, STATUS_BASE + 600)]


SECOND = 1_000_000
TIMES_US = {
    1: (SECOND // 10, 100 * SECOND),
    4: (1_000, SECOND),
    Histogram.FIRST_TOKEN: (10_000, 10 * SECOND),
    Histogram.FIRST_OUTPUT: (10_000, 10 * SECOND),
    Histogram.CHUNK_GAP: (1_000, 10 * SECOND),
    Histogram.TIME_PER_TOKEN: (1_000, SECOND),
    Histogram.EVENTS_PER_READ: (1, 1_000),
    Histogram.CLIENT_LAG: (1, 10_000),
    Histogram.SEND_LATENESS: (1, 100_000),
    Histogram.FIRST_TOKEN_OVER: (10, 10_000),
    Histogram.FIRST_TOKEN_UNDER: (10, 10_000),
    Histogram.TOTAL_OVER: (10, 10_000),
    Histogram.TOTAL_UNDER: (10, 10_000),
}
"""of a load of streams, by page: what is in each lies within three decades or four"""


def streams_indices() -> list[int]:
    """All counts of such a load, and some statuses."""
    pages = {page: range(bucket_of(least), bucket_of(most)) for page, (least, most) in TIMES_US.items()}
    found = [page * BUCKETS + bucket for page, buckets in pages.items() for bucket in buckets]
    return sorted([*found, *range(STATUS_BASE + 400, STATUS_BASE + 600)])


def all_indices() -> list[int]:
    """Whatever a datagram can hold."""
    return [index for index in range(INDEX_COUNT) if index < end_of_row(index)]


class FullReports:
    """Reports with all of these counts of a pair, in as many parts as they need; no two are alike."""

    def __init__(self, indices: list[int]) -> None:
        self._indices = indices
        self._random = Random(1)
        self._counts: dict[tuple[int, int], list[int]] = {}

    def of(self, number: int, pair: int, sequence: int) -> Iterator[bytes]:
        before = self._counts.get((number, pair), [0] * len(self._indices))
        now = [count + 1 + self._random.getrandbits(24) for count in before]
        self._counts[number, pair] = now
        rows = octaves(dict(zip(self._indices, now, strict=True)), pair)
        for part, start in enumerate(range(0, len(rows), ROWS_A_DATAGRAM)):
            report = message(run=f"{number:016}", pair=pair, part=16 * part + pair, sequence=sequence)
            yield encode(replace(report, rows=rows[start : start + ROWS_A_DATAGRAM]))


@pytest.mark.parametrize("indices", [wrks_indices(), streams_indices()], ids=["wrk", "streams"])
def test_all_that_64_models_and_the_workers_count_is_kept_and_restored_within_bounds(
    tmp_path: Path, indices: list[int]
) -> None:
    reports, options = FullReports(indices), ("--ingest.state-file", str(tmp_path / "state.json"))
    with ExporterProcess(tmp_path, *options) as exporter:
        # Models that had runs before: what is counted of a model is not what is counted of its run.
        for first, sequences in ((0, 1), (4, 2)):
            numbers = range(first, first + 4)
            for number in numbers:
                assert put(exporter, number, models=MAX_PAIRS, asked=number % 4) == 200
            for sequence in range(sequences):
                for number in numbers:
                    for pair in range(MAX_PAIRS):
                        send(exporter, reports.of(number, pair, sequence))
                assert 'exporter_ingest_rejected_total{reason="no_room"} 0' in exporter.get().text
            if first == 0:
                for number in numbers:
                    assert put(exporter, number, "finished", models=MAX_PAIRS, asked=number % 4) == 200
        send(exporter, (far_apart(n, worker) for worker in range(1, 400) for n in range(4, 8)))
        for _ in range(3):
            text = exporter.get().text
            assert text.count("benchmark_request_failures_total{") == 64 * 9
        assert 'exporter_ingest_rejected_total{reason="no_room"} 0' not in text
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
    with ExporterProcess(tmp_path, *options) as exporter:
        for _ in range(3):
            assert counted(exporter.get().text) == counted(text)
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


def test_every_count_that_a_datagram_can_hold_is_kept_or_refused_within_bounds(tmp_path: Path) -> None:
    reports, options = FullReports(all_indices()), ("--ingest.state-file", str(tmp_path / "state.json"))
    with ExporterProcess(tmp_path, *options) as exporter:
        # What is kept of models whose runs are over makes room for new ones.
        for round_ in range(3):
            numbers = range(4 * round_, 4 * round_ + 4)
            for number in numbers:
                assert put(exporter, number, models=MAX_PAIRS, asked=number % 8) == 200
            for number in numbers:
                for pair in range(0, MAX_PAIRS, 2):
                    send(exporter, reports.of(number, pair, 0))
            text = exporter.get().text
            assert text.count("benchmark_request_failures_total{") == 64 * 9
            first = f'benchmark_streams_total{{end="complete",model="{numbers[0] % 8}-0"'
            assert first in text
            if round_ < 2:
                for number in numbers:
                    assert put(exporter, number, "finished", models=MAX_PAIRS, asked=number % 8) == 200
        assert 'exporter_ingest_rejected_total{reason="no_room"} 0' not in text
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES
    with ExporterProcess(tmp_path, *options) as exporter:
        for _ in range(3):
            assert counted(exporter.get().text) == counted(text)
        assert peak_bytes(exporter.process.pid) <= MAX_PEAK_BYTES


def counted(text: str) -> list[str]:
    """All that is of durations, and of the histograms of streams."""
    return [line for line in text.splitlines() if line.startswith("benchmark_") and "_seconds_" in line]
