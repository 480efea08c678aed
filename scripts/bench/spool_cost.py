"""What a long run's series cost in memory, on disk and in time: `python scripts/bench/spool_cost.py`."""

import argparse
import os
import random
import resource
import tempfile
import time
from pathlib import Path

from exporter.results.openmetrics import write_openmetrics
from exporter.run.recorder import SCRAPES_A_FLUSH
from exporter.run.spool import SpooledStore

SCRAPE_SECONDS = 5


def main() -> None:
    """Give the recorder's store so many hours of so many series, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0)
    parser.add_argument("--series", type=int, default=2000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        spool, series = Path(name) / "spool", Path(name) / "series.om.gz"
        store = SpooledStore([lambda: os.open(spool, os.O_RDWR | os.O_CREAT)])
        print(f"before: {_peak_mb()} MB")
        for scrape in range(int(asked.hours * 3600 / SCRAPE_SECONDS)):
            for number in range(asked.series):
                labels = {"process": "router", "le": str(number)}
                value = float(scrape) if number % 3 == 0 else random.random()
                store.add(f"family_{number % 50}", labels, float(SCRAPE_SECONDS * scrape), value)
            if scrape % SCRAPES_A_FLUSH == 0:
                store.flush()
        print(f"recorded: {_peak_mb()} MB, on disk {spool.stat().st_size / 1e6:.0f} MB, lost {store.loss}")
        started = time.monotonic()
        write_openmetrics(store, series, job="exporter", instance="bench")
        seconds = time.monotonic() - started
        print(f"written: {_peak_mb()} MB, {series.stat().st_size / 1e6:.0f} MB in {seconds:.0f} s")
        store.close()


def _peak_mb() -> int:
    """The most memory that was resident so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
