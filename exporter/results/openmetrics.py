"""Series as OpenMetrics text: a run's `series.om.gz`, and past results for `soak backfill`."""

import gzip
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from exporter.timeseries import Series, SeriesStore


def write_openmetrics(store: SeriesStore, path: Path) -> None:
    """All series with their timestamps, gzipped where the name ends in .gz.

    `promtool tsdb create-blocks-from openmetrics` takes it, decompressed.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "wt", encoding="utf-8", newline="\n") as file:
        file.writelines(openmetrics_lines(store))


def openmetrics_lines(store: SeriesStore) -> Iterator[str]:
    """The text by lines, in the order of names and labels.

    Every sample name is a family of its own, of type unknown: Prometheus stores samples alone.
    """
    by_name = sorted(store, key=lambda series: (series.name, series.labels))
    for name, group in groupby(by_name, key=lambda series: series.name):
        yield f"# TYPE {name} unknown\n"
        for series in group:
            head = name + _label_text(series)
            for time, value in zip(series.times, series.values, strict=True):
                yield f"{head} {_number(value)} {time:.3f}\n"
    yield "# EOF\n"


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
