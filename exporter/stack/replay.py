"""A run's series.om.gz as blocks of a Prometheus, together with what the rules make of it.

promtool makes blocks of the series. A Prometheus of its own then evaluates the rules over the run's time,
round by round, since one rule reads what another has recorded; it sees new blocks when it starts. (promtool's
own `create-blocks-from rules` asks a Prometheus in the same way, but for each rule alone and for no alert.)
"""

import gzip
import re
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TextIO

from exporter.clock import Clock
from exporter.errors import ConfigurationError
from exporter.regular_file import open_regular
from exporter.results.backfill import RECENT_SECONDS, create_blocks
from exporter.results.openmetrics import write_openmetrics
from exporter.results.rules import Rule, alert_samples, in_rounds, read_rules
from exporter.run.prometheus_client import PrometheusClient
from exporter.settings.temporary_folder import temporary_folder
from exporter.stack.native import find_program
from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service
from exporter.timeseries import SeriesStore

TARGET = 'instance="127.0.0.1:9877",job="exporter"'
"""of series that an earlier release kept without"""
LOOKBACK = "65s"
"""A series that ended is seen no longer than a rule's longest interval. Live it ends at once; blocks made of
text have no marks of staleness."""
MAX_POINTS = 2000
"""of one query"""
_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(\{.*\})? (\S+) ([0-9.]+)$")
_BLOCK = re.compile("[0-9A-HJKMNP-TV-Z]{26}")


def replay(
    folder: Path, output_folder: Path, rules_folder: Path, promtool: str, clock: Clock
) -> tuple[float, float]:
    """Load the run of a results folder into the data folder of a Prometheus; its first and last Unix s.

    Raises ConfigurationError where there is no run, it cannot be loaded, or a Prometheus is still writing
    its time.
    """
    rounds = in_rounds(read_rules(rules_folder))
    with temporary_folder("replay") as work:
        data, text = work / "data", work / "series.om"
        first, last = _unpack(folder / "series.om.gz", text)
        _check_age(folder, output_folder, last, clock)
        prometheus = find_program("prometheus", "prometheus")
        create_blocks(promtool, text, data)
        for rules in rounds:
            store = SeriesStore()
            with _Prometheus(prometheus, data, work) as asked:
                for rule in rules:
                    _evaluate(rule, asked, first, last, store)
            if any(True for _ in store):
                write_openmetrics(store, text)
                create_blocks(promtool, text, data)
        _hand_over(data, output_folder)
    return first, last


def _unpack(packed: Path, file: Path) -> tuple[float, float]:
    """The text, with `up` where a scrape succeeded; the first and the last time in it."""
    first, last = float("inf"), 0.0
    scrapes = []
    try:
        with (
            open_regular(packed) as compressed,
            gzip.open(compressed, "rt", encoding="utf-8", newline="\n") as lines,
            file.open("w", encoding="utf-8") as out,
        ):
            for line in lines:
                if line == "# EOF\n":
                    break
                if found := _SAMPLE.match(line):
                    name, labels, value, time = found.groups()
                    labels = labels or "{}"
                    if 'job="' not in labels:
                        labels = "{" + ",".join(filter(None, (labels[1:-1], TARGET))) + "}"
                    first, last = min(first, float(time)), max(last, float(time))
                    if name == "exporter_build_info":
                        scrapes.append((labels, time))
                    out.write(f"{name}{labels} {value} {time}\n")
                else:
                    out.write(line)
            _write_up(scrapes, out)
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{packed}: cannot be read ({getattr(error, 'strerror', None) or error})"
        ) from error
    if not last:
        raise ConfigurationError(f"{packed}: no series of a run")
    return first, last


def _write_up(scrapes: list[tuple[str, str]], out: TextIO) -> None:
    out.write("# TYPE up unknown\n")
    for labels, time in scrapes:
        target = ",".join(re.findall(r'(?:instance|job)="[^"]*"', labels))
        out.write(f"up{{{target}}} 1 {time}\n")
    out.write("# EOF\n")


def _check_age(folder: Path, output_folder: Path, last: float, clock: Clock) -> None:
    """Prometheus's manual: not safe to backfill the last three hours, which it is still writing itself."""
    safe = last + RECENT_SECONDS
    if clock.wall() < safe and (output_folder / "wal").exists():
        raise ConfigurationError(
            f"{folder}: the run ended less than three hours ago, a time that the Prometheus of "
            f"{output_folder} is still writing; wait until "
            f"{datetime.fromtimestamp(safe).astimezone():%H:%M}, or name an empty folder"
        )


class _Prometheus:
    """A Prometheus without targets on a folder of blocks, while it is entered."""

    def __init__(self, program: str, data: Path, work: Path) -> None:
        configuration = work / "prometheus.yml"
        configuration.write_text("{}\n", encoding="utf-8")
        port = free_ports().prometheus
        self._service = Service(
            "prometheus",
            f"http://{HOST}:{port}",
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={data}",
                "--storage.tsdb.retention.time=100y",
                f"--query.lookback-delta={LOOKBACK}",
                f"--web.listen-address={HOST}:{port}",
                "--log.level=warn",
            ],
            work,
        )

    def __enter__(self) -> PrometheusClient:
        try:
            self._service.wait_until_ready("/-/ready")
        except BaseException:
            self._service.stop()
            raise
        return PrometheusClient(self._service.url)

    def __exit__(self, *_: object) -> None:
        self._service.stop()


def _evaluate(rule: Rule, asked: PrometheusClient, first: float, last: float, store: SeriesStore) -> None:
    """What the rule comes to at each of its evaluations within the run."""

    def is_there(query: str, time: float) -> bool:
        return bool(asked.query_range(query, time, time, 1))

    found = SeriesStore()
    for start, end in _spans(first, last, rule.interval_seconds):
        for series in asked.query_range(rule.expression, start, end, rule.interval_seconds):
            for time, value in zip(series.times, series.values, strict=True):
                found.add("", dict(series.labels), time, value)
    for series in found:
        if rule.is_alert:
            for name, labels, time, value in alert_samples(rule, series, last, is_there):
                store.add(name, labels, time, value)
        else:
            labels = {**dict(series.labels), **rule.labels}
            for time, value in zip(series.times, series.values, strict=True):
                store.add(rule.name, labels, time, value)


def _spans(first: float, last: float, step: float) -> Iterator[tuple[float, float]]:
    start = first // step * step + step
    while start <= last:
        end = min(start + (MAX_POINTS - 1) * step, last)
        yield start, end
        start += MAX_POINTS * step


def _hand_over(data: Path, output_folder: Path) -> None:
    """Each block appears whole: a Prometheus that runs on the folder takes it up within minutes."""
    try:
        output_folder.mkdir(parents=True, exist_ok=True)
        for block in sorted(each for each in data.iterdir() if _BLOCK.fullmatch(each.name)):
            unfinished = output_folder / f"{block.name}.tmp-for-creation"
            shutil.copytree(block, unfinished)
            unfinished.rename(output_folder / block.name)
    except OSError as error:
        raise ConfigurationError(
            f"{output_folder}: cannot write blocks ({error.strerror or error})"
        ) from error
