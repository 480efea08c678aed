"""The exporter's memory over minutes: of full-speed load, and of nothing but scrapes every second."""

import math
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing

from cpu_account import resident_bytes
from exposition_text import Scraper
from live_run import LiveLoad
from table import Row

from exporter.stack.service import Service

MIB = 1 << 20
WARM_UP_SECONDS = 60.0
"""left out of the slope: the first requests fill tables that then stay"""
FLAT_SHARE = 0.01
MAX_BYTES = 70 * 10**6
SCRAPE_EVERY_SECONDS = 1.0


def least_squares(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The slope b of y = a + b·x, and its standard error if the residuals are independent.

    b = Sxy/Sxx and its error sqrt((SSR/(n-2))/Sxx).
    Raises ValueError for fewer than three points, or where they share one x.
    """
    if len(points) < 3:
        raise ValueError("a slope with an error needs three points")
    xs, ys = zip(*points, strict=True)
    slope, intercept = statistics.linear_regression(xs, ys)
    residuals = sum((y - intercept - slope * x) ** 2 for x, y in points)
    sxx = sum((x - statistics.fmean(xs)) ** 2 for x in xs)
    return slope, math.sqrt(residuals / (len(points) - 2) / sxx)


def run_memory(load: LiveLoad, minutes: int) -> list[tuple[float, int]]:
    """(seconds since the start, resident bytes of the exporter) about every 5 s of a load of `minutes`."""
    samples: list[tuple[float, int]] = []
    started = time.monotonic()

    def sample() -> None:
        samples.append((time.monotonic() - started, resident_bytes(load.exporter.pid)))
        if len(samples) % 12 == 0:
            seconds, size = samples[-1]
            print(f"  {seconds:.0f} s: {size / MIB:.1f} MiB", file=sys.stderr, flush=True)

    load.run(60 * minutes, each_scrape=sample)
    return samples


def run_scraped(exporter: Service, minutes: int) -> list[tuple[float, int]]:
    """(seconds since the start, resident bytes) after each scrape, one a second for `minutes`."""
    samples = []
    started = time.monotonic()
    with closing(Scraper(exporter.url)) as scraper:
        for number in range(1, 60 * minutes + 1):
            time.sleep(max(0.0, started + number * SCRAPE_EVERY_SECONDS - time.monotonic()))
            scraper.scrape()
            samples.append((time.monotonic() - started, resident_bytes(exporter.pid)))
    return samples


def memory_rows(samples: Sequence[tuple[float, int]], of: str) -> list[Row]:
    """The table's rows: sizes, and the slopes of what came after the first minute and of the second half.

    Flat: over the time measured the first slope adds less than 1 % of the memory. The other tells a
    memory that settles from one that goes on growing.
    """
    sizes = [size for _, size in samples]
    half = samples[-1][0] / 2
    settled = [(seconds, size) for seconds, size in samples if seconds >= WARM_UP_SECONDS]
    slope, share = _slope(settled)
    return [
        Row(
            f"exporter's memory, {of}: first, last, greatest",
            ", ".join(f"{size / MIB:.1f}" for size in (sizes[0], sizes[-1], max(sizes))) + " MiB",
            f"<= {MAX_BYTES / MIB:.1f} MiB",
            max(sizes) <= MAX_BYTES,
        ),
        Row(
            f"its slope after the first minute, {len(settled)} samples",
            slope,
            f"flat: < {FLAT_SHARE:.0%} in all",
            share < FLAT_SHARE,
        ),
        Row("  in the second half", _slope([sample for sample in samples if sample[0] >= half])[0]),
    ]


def _slope(samples: Sequence[tuple[float, int]]) -> tuple[str, float]:
    """As text, and the growth over the time of the samples as a share of the first."""
    slope, error = least_squares([(seconds / 3600, size / MIB) for seconds, size in samples])
    (began, first), (ended, _) = samples[0], samples[-1]
    share = slope * MIB * (ended - began) / 3600 / first
    return f"{slope:+.2f} ± {error:.2f} MiB/h ({share:+.2%} in all)", share
