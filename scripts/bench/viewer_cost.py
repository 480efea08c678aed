"""What an open live page costs the exporter: its CPU under a load, with a viewer and without, in turns."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

import requests
from live_run import LiveLoad
from table import Row

ROUNDS = 5
SECONDS = 20
MAX_CORES = 0.01


@contextmanager
def viewer(exporter: str) -> Iterator[None]:
    """Somebody looks at the live page: its stream is read as a browser reads it."""
    left = threading.Event()

    def read() -> None:
        with requests.get(f"{exporter}/live/events", stream=True, timeout=30) as answer:
            answer.raise_for_status()
            for _ in answer.iter_lines():
                if left.is_set():
                    return

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        left.set()
        thread.join()


def measure_viewer(load: LiveLoad) -> list[tuple[float, float]]:
    """CPUs that the exporter kept busy in each round, without a viewer and with one."""
    rounds = []
    for _ in range(ROUNDS):
        alone = load.run(SECONDS)
        with viewer(load.exporter.url):
            looked_at = load.run(SECONDS)
        rounds.append(
            (alone.cpu_seconds / alone.wall_seconds, looked_at.cpu_seconds / looked_at.wall_seconds)
        )
    return rounds


def viewer_rows(rounds: list[tuple[float, float]]) -> list[Row]:
    """The table's row."""
    alone, more = median(each for each, _ in rounds), median(with_it - each for each, with_it in rounds)
    return [
        Row(
            "exporter's CPU for a live page that is open",
            f"{more:.2%} of a core, beside {alone:.2%} without it",
            f"<= {MAX_CORES:.0%}",
            more <= MAX_CORES,
        )
    ]
