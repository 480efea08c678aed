"""Composition root of the exporter: configuration to running server."""

import logging
import os
from pathlib import Path

import uvloop

from exporter.clock import SystemClock
from exporter.collectors import build_collectors
from exporter.collectors.isolation import IsolatedCollectors
from exporter.config import ExporterConfig
from exporter.errors import ConfigurationError
from exporter.exposition import Exposition, bind_http, ignore_repeated_signals, serve
from exporter.ingest import Ingest, bind_ingest
from exporter.metrics.journal import Journal
from exporter.metrics.live import LiveRuns
from exporter.metrics.results import ResultsCollector

_log = logging.getLogger(__name__)


def listen_address(text: str, option: str) -> tuple[str, int]:
    """Host and port of `host:port`, `[v6]:port` or `:port` (every address), as Go spells them."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ConfigurationError(f"{option}: {text!r} is not HOST:PORT, like 127.0.0.1:9877")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)


def serve_exporter(
    config: ExporterConfig,
    web: tuple[str, int],
    ingest_address: tuple[str, int],
    state_file: str | None,
    results: Path,
    telemetry_path: str,
) -> None:
    """Serve until SIGINT or SIGTERM; raises ConfigurationError where it cannot begin."""
    clock = SystemClock()
    http = bind_http(*web)
    udp = bind_ingest(*ingest_address)
    ingest_port = udp.getsockname()[1]
    runs = LiveRuns(clock)
    journal = _journal(state_file, ingest_port)
    if journal is not None:
        journal.load(runs)
    ingest = Ingest(runs.apply)
    collectors = IsolatedCollectors(
        [*build_collectors(config, clock), ResultsCollector(results, clock)],
        config.collector_deadline_seconds,
        clock,
    )
    exposition = Exposition(runs, ingest, collectors, journal, clock, ingest_port, telemetry_path)
    _log.info(
        "serving http://%s:%d%s, ingest on UDP %s:%d",
        *http.getsockname()[:2],
        telemetry_path,
        *udp.getsockname()[:2],
    )
    ignore_repeated_signals()
    uvloop.run(serve(exposition, ingest, runs, http, udp))
    if journal is not None:
        journal.save(runs)


def _journal(state_file: str | None, ingest_port: int) -> Journal | None:
    """The journal at the given place, at the default one, or none (an empty name)."""
    if state_file == "":
        return None
    if state_file is not None:
        path = Path(state_file)
        if not path.parent.is_dir():
            raise ConfigurationError(f"--ingest.state-file: the folder {path.parent} does not exist")
        return Journal(path)
    base = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    folder = base / "llm-router-soak"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.warning("%s: no state file (%s); a restart in mid-run would count twice", folder, error.strerror)
        return None
    return Journal(folder / f"ingest-{ingest_port}.json")
