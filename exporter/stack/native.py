"""A native stack: services as child processes in one folder, started, watched and stopped together."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import yaml

from exporter.run.interrupt import Interrupt, ignored, uninterrupted
from exporter.settings.exporter_config import ExporterConfig, watch_router
from exporter.settings.router_api import RouterApi
from exporter.settings.shipped import shipped
from exporter.settings.temporary_folder import temporary_folder
from exporter.stack import servers
from exporter.stack.ports import Ports
from exporter.stack.prometheus_files import Scraped, write_prometheus
from exporter.stack.servers import Server
from exporter.stack.service import Service


class NativeStack:
    """Starts services and, when left, stops them in reverse order.

    What it writes is in `folder`, where none is given in a temporary one that ends with it. Waiting for a
    service ends with KeyboardInterrupt where the user asks to end (`interrupt`).
    """

    def __init__(
        self, ports: Ports, *, folder: Path | None = None, interrupt: Interrupt | None = None
    ) -> None:
        self.ports = ports
        self._check = (interrupt or Interrupt()).check
        self._services: list[Service] = []
        self._temporary = ExitStack()
        self.folder = folder or self._temporary.enter_context(temporary_folder("stack"))

    def __enter__(self) -> "NativeStack":
        return self

    def __exit__(self, *_: object) -> None:
        with ignored():
            for service in reversed(self._services):
                service.stop()
            self._temporary.close()

    def start_simulator(self, *options: str) -> None:
        """The simulated router."""
        self.start(servers.simulator(self.ports, *options))

    def start_exporter(
        self, *options: str, router: RouterApi | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """The exporter, watching this stack's router or another."""
        if router is not None:
            options = ("--config", str(config_file(watch_router(router), self.folder)), *options)
        self.start(servers.exporter(self.ports, self.folder, *options, environment=environment))

    def start_prometheus(self, files: Path | None = None) -> None:
        """Prometheus on the project's configuration and rules, or on those of a folder like `prometheus`."""
        configuration = write_prometheus(self.folder, self.ports, Scraped(), files)
        self.start(servers.prometheus(self.ports, self.folder, configuration))

    def start_alertmanager(self, configuration: Path | None = None) -> None:
        """Alertmanager on the project's configuration, or on another."""
        file = configuration or shipped("prometheus/alertmanager.yml")
        self.start(servers.alertmanager(self.ports, self.folder, file))

    def start(self, server: Server) -> Service:
        """Start a service and wait until it answers.

        Raises SoakError where it does not, KeyboardInterrupt where the user asks to end.
        """
        service = self.begin(server)
        service.wait_until_ready(server.ready_path, self._check)
        return service

    def begin(self, server: Server) -> Service:
        """Start a service, in the place of one of its name that has ended, and do not wait for it."""
        with uninterrupted():
            service = Service(
                server.name,
                self.ports.url(server.name),
                server.command,
                self.folder,
                server.environment,
                server.working_folder,
                server.stop_seconds,
            )
            self._services = [each for each in self._services if each.name != server.name] + [service]
        return service

    def wait(self, service: Service, path: str, seconds: float | None = None) -> None:
        """Until it answers there; raises as `start` does."""
        service.wait_until_ready(path, self._check, seconds=seconds)

    def stop(self, name: str) -> None:
        """End a service, so that it can be started again."""
        self._end(name, Service.stop)

    def kill(self, name: str) -> None:
        """SIGKILL a service and forget it, so that it can be started again."""
        self._end(name, Service.kill)

    def _end(self, name: str, how: Callable[[Service], None]) -> None:
        for service in [service for service in self._services if service.name == name]:
            how(service)
            self._services.remove(service)

    @property
    def services(self) -> dict[str, Service]:
        """Those that have been started and not been stopped, by name."""
        return {each.name: each for each in self._services}


def config_file(config: ExporterConfig, folder: Path) -> Path:
    """That configuration of an exporter as a file in the folder."""
    file = folder / "exporter.yml"
    watched = config.model_dump(mode="json", exclude_defaults=True)
    file.write_text(yaml.safe_dump(watched), encoding="utf-8")
    return file
