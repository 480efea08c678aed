"""The same series through exporter/verdict/growth.py, which judges a run when it is over."""

from array import array

import numpy as np

from exporter.timeseries import Series
from exporter.verdict.growth import steady_growth
from exporter.verdict.resource import RESOURCES

from .series import Labelled
from .shapes import STEP_SECONDS

MIN_GROWTH = {
    "memory": RESOURCES["memory"].min_growth,
    "fds": RESOURCES["file_descriptors"].min_growth,
    "threads": RESOURCES["threads"].min_growth,
    "close_wait": RESOURCES["connections"].min_growth,
    "established": RESOURCES["connections"].min_growth,
}


def minute_detected(labelled: Labelled) -> float | None:
    """When the verdict's method first detects a leak, or None."""
    there = ~np.isnan(labelled.values)
    times = array("d", np.arange(len(there))[there] * STEP_SECONDS)
    values = Series(labelled.resource, (), times, array("d", labelled.values[there]))
    restart = -3600.0 if labelled.restarted is None else float(int(labelled.restarted * 60))
    started = [restart if time >= (labelled.restarted or 0) * 60 else -3600.0 for time in times]
    starts = Series("start", (), times, array("d", started))
    growth = steady_growth([values], MIN_GROWTH[labelled.resource], starts)
    return None if growth is None else float(growth.first_minute)
