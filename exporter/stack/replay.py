"""A run's series.om.gz as blocks of a Prometheus, together with what the rules make of it.

promtool makes blocks of the series. A Prometheus of its own then evaluates the rules over the run's time,
round by round, since one rule reads what another has recorded; it sees new blocks when it starts. (promtool's
own `create-blocks-from rules` asks a Prometheus in the same way, but for each rule alone and for no alert.)
"""

import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from exporter.clock import Clock
from exporter.errors import ConfigurationError, QueryError
from exporter.results.backfill import RECENT_SECONDS, create_blocks
from exporter.results.openmetrics import write_openmetrics
from exporter.results.recorded_series import unpack
from exporter.results.rules import Rule, alert_samples, in_rounds, read_rules
from exporter.run.prometheus_client import PrometheusClient
from exporter.settings.temporary_folder import temporary_folder
from exporter.stack.ports import HOST, free_ports
from exporter.stack.servers import find_program
from exporter.stack.service import Service
from exporter.timeseries import SeriesStore

LOOKBACK = "65s"
"""A series that ended is seen no longer than a rule's longest interval. Live it ends at once; blocks made of
text have no marks of staleness."""
MAX_POINTS = 2000
"""of one query"""
MAX_QUERIED = 20_000_000
"""samples that one query may hold in Prometheus's memory, 16 bytes each; its own default is 50 million"""
MAX_RECORDED = 30_000_000
"""samples that the rules of one round come to: half a gigabyte of memory"""
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
        room = shutil.disk_usage(work).free // 2
        first, last = unpack(folder / "series.om.gz", text, clock.wall(), room)
        _check_age(folder, output_folder, last, clock)
        prometheus = find_program("prometheus", "prometheus")
        create_blocks(promtool, text, data)
        for rules in rounds:
            store = _Recorded()
            try:
                with _Prometheus(prometheus, data, work) as asked:
                    for rule in rules:
                        _evaluate(rule, asked, first, last, store)
            except QueryError as error:
                raise ConfigurationError(
                    f"{folder}: the rules cannot be evaluated over it ({error})"
                ) from error
            if any(True for _ in store):
                write_openmetrics(store, text)
                create_blocks(promtool, text, data)
        _hand_over(data, output_folder)
    return first, last


def _check_age(folder: Path, output_folder: Path, last: float, clock: Clock) -> None:
    """Prometheus's manual: not safe to backfill the last three hours, which it is still writing itself."""
    safe = last + RECENT_SECONDS
    if clock.wall() < safe and (output_folder / "wal").exists():
        raise ConfigurationError(
            f"{folder}: the run ended less than three hours ago, a time that the Prometheus of "
            f"{output_folder} is still writing; wait until "
            f"{datetime.fromtimestamp(safe).astimezone():%H:%M}, or name an empty folder"
        )


class _Recorded(SeriesStore):
    """Samples that rules come to, no more than MAX_RECORDED: somebody else's series may meet every rule."""

    def __init__(self) -> None:
        super().__init__()
        self._left = MAX_RECORDED

    def add(self, name: str, labels: Mapping[str, str], time: float, value: float) -> None:
        self._left -= 1
        if self._left < 0:
            raise ConfigurationError(
                f"the rules come to more than {MAX_RECORDED:,} samples of these series: no run of one router"
            )
        super().add(name, labels, time, value)


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
                f"--query.max-samples={MAX_QUERIED}",
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


def _evaluate(rule: Rule, asked: PrometheusClient, first: float, last: float, store: _Recorded) -> None:
    """What the rule comes to at each of its evaluations within the run."""

    def is_there(query: str, time: float) -> bool:
        return bool(asked.query_range(query, time, time, 1))

    found = _Recorded()
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
