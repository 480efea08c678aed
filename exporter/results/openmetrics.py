"""Series as OpenMetrics text: a run's `series.om.gz`, and past results for `soak backfill`."""

import gzip
import math
from collections.abc import Iterator, Mapping, Sequence
from io import TextIOWrapper
from itertools import groupby
from pathlib import Path

from prometheus_client.utils import floatToGoString

from exporter.timeseries import Labels, SeriesStore

COMPRESSION = 3
"""of gzip: a fifth of the time of its default 9, for a tenth more bytes"""
ROUTER_JOB = "router"
"""the label `job` of the router's own metrics, as in prometheus.yml; nothing else is recorded with it"""
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def write_openmetrics(store: SeriesStore, path: Path, **target: str) -> None:
    """All series with their timestamps, gzipped where the name ends in .gz.

    `target` are labels that Prometheus gives what it scrapes (job, instance). `promtool tsdb
    create-blocks-from openmetrics` takes the text, decompressed.
    """
    packed = gzip.GzipFile(path, "wb", COMPRESSION) if path.suffix == ".gz" else path.open("wb")
    with packed, TextIOWrapper(packed, encoding="utf-8", newline="\n") as file:
        file.writelines(openmetrics_text(store, **target))


def openmetrics_text(store: SeriesStore, **target: str) -> Iterator[str]:
    """The text series by series, in the order of names and labels.

    Every sample name is a family of its own, of type unknown: Prometheus stores samples alone. The router's
    own metrics have their target already.
    """
    times, stamps = b"", []
    for name, group in groupby(store, key=lambda series: series.name):
        yield f"# TYPE {name} unknown\n"
        for series in group:
            is_routers = series.label("job") == ROUTER_JOB
            head = name + _label_text(dict(series.labels) if is_routers else _exported(series.labels, target))
            # Most series have their samples at the same times, and a day of them is written within minutes.
            if (known := series.times.tobytes()) != times:
                times, stamps = known, [f" {time:.3f}\n" for time in series.times]
            yield "".join(
                [
                    f"{head} {_number(value)}{stamp}"
                    for value, stamp in zip(series.values, stamps, strict=True)
                ]
            )
    yield "# EOF\n"


def constant_text(name: str, labels: Mapping[str, str], value: float, times: Sequence[str]) -> str:
    """The lines of a series that has one value at all times (s, as text)."""
    start = f"{name}{_label_text(labels)} {_number(value)} "
    return start + f"\n{start}".join(times) + "\n"


def _exported(labels: Labels, target: Mapping[str, str]) -> dict[str, str]:
    """The labels with the target's; one that these hide is called exported_*, as Prometheus does it."""
    found = {label: text for label, text in labels if label not in target} | dict(target)
    for label, text in labels:
        name = label
        while name in found and label in target:
            name = f"exported_{name}"
        found[name] = text
    return found


def _label_text(labels: Mapping[str, str]) -> str:
    text = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in sorted(labels.items()))
    return f"{{{text}}}" if text else ""


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else floatToGoString(value)
