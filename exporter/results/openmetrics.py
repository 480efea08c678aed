"""Series as OpenMetrics text: a run's `series.om.gz`, and past results for `soak backfill`."""

import gzip
import math
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from prometheus_client.utils import floatToGoString

from exporter.timeseries import Series, SeriesStore

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


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
    labels = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in series.labels)
    return f"{{{labels}}}" if labels else ""


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else floatToGoString(value)
