"""The exporter of a run, and whether it watches the router under test."""

from dataclasses import dataclass

from exporter.errors import QueryError
from exporter.run.exporter_client import ExporterClient
from exporter.settings.machine import this_machine
from exporter.settings.url import public_url
from exporter.settings.watch import Watch
from exporter.verdict.evidence import Watching
from exporter.verdict.finding import Said


@dataclass(frozen=True)
class Watcher:
    """An exporter that takes the run."""

    exporter: ExporterClient
    metrics_url: str
    watching: Watching

    @property
    def live_url(self) -> str:
        """Of its live page."""
        return f"{self.exporter.url}/live"


def watcher_at(exporter: ExporterClient, target: str, owner: str | None = None) -> Watcher:
    """That exporter as the watcher of a run against `target`; `owner` is its `owner_digest`.

    Raises QueryError with one line where it does not answer, takes no runs or belongs to another command.
    """
    watch = exporter.watch()
    if watch.ingest_port is None:
        raise QueryError(
            f"the exporter at {exporter.url} takes no runs: its --ingest.listen-address is empty"
        )
    if watch.owner != owner:
        raise QueryError(f"the exporter at {exporter.url} belongs to another run, and ends with it")
    return Watcher(exporter, exporter.url + watch.telemetry_path, _watching(exporter, watch, target))


def _watching(exporter: ExporterClient, watch: Watch, target: str) -> Watching:
    return Watching(
        exporter=exporter.url,
        router=None if watch.url is None else public_url(watch.url),
        processes=tuple(each.name for each in watch.processes),
        is_target=watch.watches(target, exporter.url, this_machine()),
    )


def changed(before: Watching, exporter: ExporterClient, target: str) -> Said | None:
    """What the exporter of a run watches otherwise by its end; None: nothing, or it does not answer.

    Whatever listens at its address is scraped, and what another one has seen is not this run's.
    """
    try:
        now = _watching(exporter, exporter.watch(), target)
    except QueryError:
        return None  # the scrapes tell
    if now.is_target != before.is_target or (not now.is_target and now.router != before.router):
        return Said(
            f"the exporter at {exporter.url} is not the one of the begin: it watches "
            f"{now.router or 'no router'}",
            f"{exporter.url} のエクスポーターは開始時と異なる (監視対象: {now.router or 'なし'})",
        )
    if lost := ", ".join(name for name in before.processes if name not in now.processes):
        return Said(
            f"the exporter at {exporter.url} is not the one of the begin: it does not watch {lost}",
            f"{exporter.url} のエクスポーターは開始時と異なる ({lost} を監視していない)",
        )
    return None
