"""What being watched costs the watched: the simulated router under bare wrk, scraped every second and not."""

import statistics
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bare_load import BareRun, bare_wrk
from exposition_text import Scraper
from table import Row

from exporter.load.workload import Workload
from exporter.stack.service import Service

SCRAPE_EVERY_SECONDS = 1.0
MAX_APART = 0.01


@dataclass(frozen=True)
class ObservedRound:
    """Three runs one after the other: the two that nobody scrapes show what two equal runs differ by."""

    scraped: BareRun
    unscraped: BareRun
    again: BareRun
    """not scraped either"""


def run_observed(
    exporter: Service, workload: Workload, load: tuple[int, int], rounds: int, folder: Path
) -> list[ObservedRound]:
    """`rounds` rounds of runs of `load` (connections, seconds); the scraped one comes first, second, last, …

    The exporter watches the router all the time; it does nothing while it is not scraped.
    """
    connections, seconds = load
    found = []
    for number in range(rounds):
        runs = [False, False]
        runs.insert(number % 3, True)
        scraped, plain = [], []
        for watched in runs:
            if watched:
                with _scraped_every_second(exporter):
                    scraped.append(bare_wrk(workload, connections, seconds, folder))
            else:
                plain.append(bare_wrk(workload, connections, seconds, folder))
        found.append(ObservedRound(scraped[0], plain[0], plain[1]))
        print(_line(number + 1, rounds, found[-1]), file=sys.stderr, flush=True)
    return found


@contextmanager
def _scraped_every_second(exporter: Service) -> Iterator[None]:
    ended = threading.Event()

    def scrapes() -> None:
        with closing(Scraper(exporter.url)) as scraper:
            while not ended.wait(SCRAPE_EVERY_SECONDS):
                scraper.scrape()

    with ThreadPoolExecutor(1) as pool:
        scraping = pool.submit(scrapes)
        try:
            yield
        finally:
            ended.set()
        scraping.result()


def _line(number: int, rounds: int, this: ObservedRound) -> str:
    return (
        f"  round {number}/{rounds}: scraped {this.scraped.throughput:,.0f}/s, p99 "
        f"{this.scraped.p99_seconds * 1e3:.2f} ms; not scraped {this.unscraped.throughput:,.0f}/s and "
        f"{this.again.throughput:,.0f}/s, p99 {this.unscraped.p99_seconds * 1e3:.2f} ms and "
        f"{this.again.p99_seconds * 1e3:.2f} ms"
    )


def observer_rows(rounds: Sequence[ObservedRound], target: str) -> list[Row]:
    """The table's rows: throughput and p99, scraped over not scraped, beside not scraped over not scraped.

    Met where the median is within 1 % of one, or no further from it than half of the equal pairs are.
    """
    rows = []
    figures: dict[str, Callable[[BareRun], float]] = {
        "throughput": lambda run: run.throughput,
        "p99": lambda run: run.p99_seconds,
    }
    for what, figure in figures.items():
        effect = statistics.median(
            2 * figure(each.scraped) / (figure(each.unscraped) + figure(each.again)) for each in rounds
        )
        noise = statistics.median(abs(figure(each.unscraped) / figure(each.again) - 1) for each in rounds)
        rows.append(
            Row(
                f"{what} of {target}, scraped every second / not, median of {len(rounds)}",
                f"{effect:.3f} (two runs not scraped: {noise:.1%} apart)",
                "within 1 %, or the noise",
                abs(effect - 1) <= max(MAX_APART, noise),
            )
        )
    return rows
