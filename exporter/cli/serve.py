"""Composition root of the exporter: configuration to running server."""

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

import uvloop

from exporter import __version__
from exporter.clock import Clock, SystemClock
from exporter.collectors import build_collectors
from exporter.collectors.collector import LiveLoad, Shared
from exporter.collectors.isolation import IsolatedCollectors
from exporter.errors import ConfigurationError
from exporter.exposition.allowed_hosts import AllowedHosts
from exporter.exposition.application import Exposition
from exporter.http_server.guard import WebGuard
from exporter.http_server.reload import WebFile
from exporter.http_server.server import WebServer, bind_http
from exporter.live.ingest import Ingest, bind_ingest
from exporter.live.runs import LiveRuns
from exporter.live.state_file import StateFile
from exporter.live.wire import VERSION
from exporter.settings.exporter_config import ExporterConfig
from exporter.settings.machine import this_machine
from exporter.settings.state_folder import state_folder
from exporter.settings.watch import Watch, owner_digest

_log = logging.getLogger(__name__)

_NEW_OBJECTS_A_COLLECTION = 20_000
_TICK_AFTER_SECONDS = 0.02


def serve_exporter(
    config: ExporterConfig,
    web: tuple[str, int],
    ingest_address: tuple[str, int] | None,
    state_path: str | None,
    results: Path,
    telemetry_path: str,
    web_config_file: Path | None = None,
    owner: str | None = None,
    allowed_hosts: Sequence[str] = (),
) -> None:
    """Serve until SIGINT or SIGTERM; raises ConfigurationError where it cannot start.

    Without an `ingest_address` no runs are taken, with an `owner` those of one command alone. They are taken
    under the names of this machine and under `allowed_hosts`.
    """
    clock = SystemClock()
    web_file = WebFile(web_config_file)
    http = bind_http(*web)
    runs = LiveRuns(clock)
    udp, ingest, ingest_port, state_file, load = None, None, None, None, None
    if ingest_address is not None:
        udp = bind_ingest(*ingest_address)
        ingest = Ingest(runs.apply, udp)
        ingest_port = udp.getsockname()[1]
        state_file = open_state_file(state_path, ingest_port)
        load = LiveLoad(runs, ingest, state_file)
    if state_file is not None:
        state_file.load(runs)
    _stay_on_one_cpu()
    shared = Shared(clock, load=load, results=results)
    collectors = IsolatedCollectors(
        build_collectors(config, shared), config.collector_deadline_seconds, clock
    )
    machine = this_machine()
    watch = Watch.of(
        config,
        machine,
        version=VERSION,
        release=__version__,
        telemetry_path=telemetry_path,
        ingest_port=ingest_port,
        owner=None if owner is None else owner_digest(owner),
    )
    hosts = AllowedHosts((web[0], http.getsockname()[0]), machine, allowed_hosts)
    exposition = Exposition(runs, ingest, collectors, clock, watch, shared.right_of_way, owner, hosts)
    guard = WebGuard(exposition.app, web_file, clock)
    _announce_address(http, udp, telemetry_path, web_file)
    server = WebServer(guard, web_file, http)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: server.stop())
    _freeze_what_is_imported()
    uvloop.run(_serve(server, runs, ingest, clock))
    guard.close()
    if udp is not None:
        udp.close()
    if state_file is not None:
        state_file.save(runs)


async def _serve(server: WebServer, runs: LiveRuns, ingest: Ingest | None, clock: Clock) -> None:
    async def tick() -> None:
        while True:
            # A moment after each second's end, so that it has what came up to then.
            await asyncio.sleep(1 + _TICK_AFTER_SECONDS - clock.wall() % 1)
            if ingest is not None:
                ingest.take_waiting()
            runs.tick()

    tasks = [asyncio.create_task(tick())]
    if ingest is not None:
        tasks.append(asyncio.create_task(ingest.serve()))
    try:
        await server.serve()
    finally:
        for task in tasks:
            task.cancel()


def _announce_address(
    http: socket.socket, udp: socket.socket | None, telemetry_path: str, web_file: WebFile
) -> None:
    scheme = "https" if web_file.last_good.tls else "http"
    host, port = http.getsockname()[:2]
    ingest = "no ingest" if udp is None else "ingest on UDP {}:{}".format(*udp.getsockname()[:2])
    _log.info("serving %s://%s:%d%s, %s", scheme, host, port, telemetry_path, ingest)
    if not ipaddress.ip_address(host).is_loopback and not web_file.last_good.authenticates:
        _log.warning(
            "%s is no loopback address: anyone who reaches it can read the metrics and announce runs; "
            "--web.config.file asks for a password or a certificate",
            host,
        )


def _stay_on_one_cpu() -> None:
    """Run all threads on one CPU: the last of those that this process may use.

    Python keeps no more than one busy. Where all are busy, as under load, the kernel moves a process that
    wakes now and then between them, and the load's with it: that takes up to 7 % of a load's throughput for
    2 % of a core. Where the kernel refuses, nothing else depends on it.
    """
    with contextlib.suppress(OSError):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _freeze_what_is_imported() -> None:
    """Keep garbage collection out of scrapes.

    A scrape makes some ten thousand objects and drops them all. A full collection during one walks all that
    is imported, which takes 30 ms; what is there now stays, so every collection leaves it out.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS_A_COLLECTION)


def open_state_file(state_path: str | None, ingest_port: int) -> StateFile | None:
    """The state file at the given place, at the default one, or none (an empty name)."""
    if state_path == "":
        return None
    if state_path is not None:
        path = Path(state_path)
        if not path.parent.is_dir():
            raise ConfigurationError(f"--ingest.state-file: the folder {path.parent} does not exist")
        return StateFile(path)
    try:
        folder = state_folder()
    except OSError as error:
        _log.warning(
            "%s: no state file (%s); a restart in mid-run would count twice", error.filename, error.strerror
        )
        return None
    return StateFile(folder / f"ingest-{ingest_port}.json")
