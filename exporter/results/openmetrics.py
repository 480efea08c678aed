"""A run's series as OpenMetrics text, `series.om.gz`."""

import gzip
import math
from itertools import groupby
from pathlib import Path

from exporter.timeseries import Series, SeriesStore


def write_openmetrics(store: SeriesStore, path: Path) -> None:
    """All series with their timestamps as gzipped OpenMetrics text.

    `promtool tsdb create-blocks-from openmetrics` takes it, decompressed. Every sample name is a family of
    its own, of type unknown: what was recorded are samples, and that is all that Prometheus stores.
    """
    with gzip.open(path, "wt", encoding="utf-8", newline="\n") as file:
        by_name = sorted(store, key=lambda series: (series.name, series.labels))
        for name, group in groupby(by_name, key=lambda series: series.name):
            file.write(f"# TYPE {name} unknown\n")
            for series in group:
                head = name + _label_text(series)
                for time, value in zip(series.times, series.values, strict=True):
                    file.write(f"{head} {_number(value)} {time:.3f}\n")
        file.write("# EOF\n")


def _label_text(series: Series) -> str:
    if not series.labels:
        return ""
    escaped = (
        (name, value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\""))
        for name, value in series.labels
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)
