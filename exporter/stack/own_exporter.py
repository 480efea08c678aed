"""The exporter that a run starts for itself: of that run's target, for no other run, and ended with it."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path

from exporter.errors import SoakError, cannot_listen
from exporter.run.exporter_client import ExporterClient
from exporter.run.http_answer import Answer
from exporter.run.interrupt import Interrupt, ignored, uninterrupted
from exporter.run.watcher import Watcher, watcher_at
from exporter.settings.exporter_config import watch_router
from exporter.settings.router_api import RouterApi
from exporter.settings.temporary_folder import temporary_folder
from exporter.settings.watch import OWNER_VARIABLE, Watch, owner_digest
from exporter.stack.native import config_file
from exporter.stack.ports import HOST, Ports, free_ports, is_free, try_to_listen
from exporter.stack.service import SOAK, Service

OPTION = "--own-exporter-listen"
Address = tuple[str, int]
TRIES = 5
ANY_ADDRESS = {"0.0.0.0": HOST, "::": "::1"}
"""where a command of this machine reaches what listens on every address"""


@contextmanager
def own_exporter(
    router: RouterApi, target: str, listen: Address | None, interrupt: Interrupt
) -> Iterator[Watcher]:
    """Start it and end it again; it asks `router`, the API at `target`.

    It listens at `listen`, else on the default ports where they are free, else on others. Raises SoakError
    where it does not start.
    """
    if listen is not None:
        listen = _checked(listen)
    owner = secrets.token_hex(16)
    with ExitStack() as cleanup:
        folder = cleanup.enter_context(temporary_folder("exporter"))
        config = config_file(watch_router(router), folder)
        for number in count(1):
            web, ingest = (listen, _beside(listen)) if listen else _addresses(is_first=number == 1)
            url = f"http://{_joined(reached(web))}"
            with uninterrupted():
                service = Service(
                    "exporter",
                    url,
                    [*_command(web, ingest, folder), "--config", str(config)],
                    folder,
                    {OWNER_VARIABLE: owner},
                )
                cleanup.callback(_stop, service)
            try:
                # What answers there may be another's, who was quicker.
                service.wait_until_ready(
                    "/api/watch", interrupt.check, lambda answer: _owner_in(answer) == owner_digest(owner)
                )
                break
            except SoakError as error:
                if listen or number == TRIES or "already in use" not in str(error):
                    raise
        yield watcher_at(ExporterClient(url, owner=owner), target, owner_digest(owner))


def _checked(listen: Address) -> Address:
    """That address, with a free port where it asks for any (0); raises ConfigurationError."""
    host, port = listen[0], listen[1] or free_ports().exporter
    try:
        try_to_listen(host, port)
    except OSError as error:
        raise cannot_listen("exporter of this run", host, port, OPTION, error) from error
    return host, port


def _addresses(is_first: bool) -> tuple[Address, Address]:
    """Of web and ingest: the default ones, where it is the first try and they are free."""
    ports = Ports()
    if not is_first or not (ports.is_free("exporter") and ports.is_free("ingest")):
        ports = free_ports()
    return (HOST, ports.exporter), (HOST, ports.ingest)


def _beside(web: Address) -> Address:
    """Where the ingest listens: on the port after the web's where that is free."""
    host, port = reached(web)
    if port < 65535 and is_free(host, port + 1, udp=True):
        return host, port + 1
    return host, free_ports().ingest


def reached(listening: Address) -> Address:
    """Where a command of this machine reaches what listens there."""
    host, port = listening
    return ANY_ADDRESS.get(host, host), port


def _joined(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _command(web: Address, ingest: Address, folder: Path) -> list[str]:
    command = [*SOAK, "exporter", "--web.listen-address", _joined(web)]
    command += ["--ingest.listen-address", _joined(ingest)]
    return [*command, "--ingest.state-file", str(folder / "ingest-state.json")]


def _owner_in(answer: Answer) -> str | None:
    try:
        return Watch.from_json(answer.body).owner
    except ValueError:
        return None


def _stop(service: Service) -> None:
    with ignored():
        service.stop()
