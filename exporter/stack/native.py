"""The native stack: simulator, exporter, Prometheus, Alertmanager and Grafana as child processes.

All files of a stack live in one temporary folder; the configuration of Prometheus is the project's own with
its targets (file_sd) on the ports in use.
"""

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import yaml

from exporter.errors import PortTakenError, ToolMissingError
from exporter.run.interrupt import Interrupt, ignored, uninterrupted
from exporter.settings.exporter_config import watch_router
from exporter.settings.router_api import RouterApi
from exporter.settings.shipped import CHECKOUT, shipped
from exporter.settings.temporary_folder import temporary_folder
from exporter.stack.ports import HOST, Ports
from exporter.stack.service import SOAK, Service

SERVERS = {"prometheus": "Prometheus", "alertmanager": "Alertmanager"}
"""what a stack may go without, by the name of its port"""
PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
PACKAGES = {name: programs[0] for name, programs in PROGRAMS.items()}
"""of Debian and Ubuntu"""


class NativeStack:
    """Starts services and, when left, stops them in reverse order.

    Waiting for a service ends with KeyboardInterrupt where the user asks to end (`interrupt`).
    """

    def __init__(self, ports: Ports, checkout: Path = CHECKOUT, interrupt: Interrupt | None = None) -> None:
        self.ports = ports
        self._checkout = checkout
        self._check = (interrupt or Interrupt()).check
        self._services: list[Service] = []
        self._temporary = ExitStack()
        self.folder = self._temporary.enter_context(temporary_folder("stack"))

    def __enter__(self) -> "NativeStack":
        return self

    def __exit__(self, *_: object) -> None:
        with ignored():
            for service in reversed(self._services):
                service.stop()
            self._temporary.close()

    def check_ports(self, services: Sequence[str]) -> None:
        """Raise PortTakenError for the first of the services' ports that is in use."""
        for service in services:
            if not self.ports.is_free(service):
                raise PortTakenError(service, HOST, getattr(self.ports, service), f"--{service}-port")

    def start_simulator(self, *options: str) -> None:
        """The simulated router."""
        self._start("router", [*SOAK, "simulate", "--port", str(self.ports.router), *options], "/v1/models")

    def start_exporter(
        self, *options: str, router: RouterApi | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        """The exporter, watching this stack's router or another; its state outlives a restart.

        `environment` is added to this process's own.
        """
        if router is not None:
            options = ("--config", str(config_file(router, self.folder)), *options)
        command = [*SOAK, "exporter", "--web.listen-address", f"{HOST}:{self.ports.exporter}"]
        command += ["--ingest.listen-address", f"{HOST}:{self.ports.ingest}"]
        command += ["--ingest.state-file", str(self.folder / "ingest-state.json"), *options]
        known = {"ROUTER_URL": self.ports.url("router"), **(environment or {})}
        self._start("exporter", command, "/-/ready", known)

    def start_prometheus(self) -> None:
        """Prometheus on the project's configuration."""
        program = find_program(SERVERS["prometheus"], *PROGRAMS["prometheus"])
        configuration = self.folder / "prometheus"
        shutil.copytree(shipped("prometheus", self._checkout), configuration)
        for service in ("exporter", "router", "prometheus", "alertmanager"):
            targets = configuration / "targets" / f"{service}.yml"
            groups = yaml.safe_load(targets.read_text(encoding="utf-8"))
            for group in groups:
                group["targets"] = [f"{HOST}:{getattr(self.ports, service)}"]
            targets.write_text(yaml.safe_dump(groups), encoding="utf-8")
        self._start(
            "prometheus",
            [
                program,
                f"--config.file={configuration / 'prometheus.yml'}",
                f"--storage.tsdb.path={self.folder / 'prometheus-data'}",
                f"--web.listen-address={HOST}:{self.ports.prometheus}",
                # An alert that fires before Alertmanager is found is sent again after this, not after 1 min.
                "--rules.alert.resend-delay=10s",
                "--log.level=warn",
            ],
            "/-/ready",
        )

    def start_alertmanager(self, configuration: Path | None = None) -> None:
        """Alertmanager on the project's configuration, or on another."""
        file = (configuration or shipped("prometheus/alertmanager.yml", self._checkout)).resolve()
        self._start(
            "alertmanager",
            [
                find_program(SERVERS["alertmanager"], *PROGRAMS["alertmanager"]),
                f"--config.file={file}",
                f"--storage.path={self.folder / 'alertmanager-data'}",
                f"--web.listen-address={HOST}:{self.ports.alertmanager}",
                "--cluster.listen-address=",
                "--log.level=warn",
            ],
            "/-/ready",
            # Some secret files are relative to its working folder, not to its configuration.
            working_folder=file.parent,
        )

    def start_grafana(self) -> Path | None:
        """Grafana with the project's provisioning: the file with the password of its user `admin`.

        None where Grafana is not installed.
        """
        program = shutil.which("grafana") or shutil.which("grafana-server")
        if program is None:
            return None
        password = self.folder / "grafana-admin"
        with open(password, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as file:
            file.write(secrets.token_urlsafe(24))
        command = [program, "server"] if Path(program).name == "grafana" else [program]
        grafana = shipped("grafana", self._checkout)
        self._start(
            "grafana",
            [*command, "--homepath", "/usr/share/grafana"],
            "/api/health",
            {
                "GF_SERVER_HTTP_ADDR": HOST,
                "GF_SERVER_HTTP_PORT": str(self.ports.grafana),
                "GF_PATHS_DATA": str(self.folder / "grafana-data"),
                "GF_PATHS_LOGS": str(self.folder / "grafana-logs"),
                "GF_PATHS_PROVISIONING": str(grafana / "provisioning"),
                "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(grafana / "dashboards" / "soak.json"),
                "GF_SECURITY_ADMIN_PASSWORD__FILE": str(password),
                "GF_AUTH_ANONYMOUS_ENABLED": "true",
                "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
                "GF_ANALYTICS_REPORTING_ENABLED": "false",
                "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
                "GRAFANA_DASHBOARDS_PATH": str(grafana / "dashboards"),
                "PROMETHEUS_URL": self.ports.url("prometheus"),
            },
        )
        return password

    def kill(self, name: str) -> None:
        """SIGKILL a service and forget it, so that it can be started again."""
        for service in [service for service in self._services if service.name == name]:
            service.kill()
            self._services.remove(service)

    def _start(
        self,
        name: str,
        command: list[str],
        ready_path: str,
        environment: dict[str, str] | None = None,
        working_folder: Path | None = None,
    ) -> None:
        """Start a service and wait until it answers.

        Raises SoakError where it does not, KeyboardInterrupt where the user asks to end.
        """
        with uninterrupted():
            self._services.append(
                Service(name, self.ports.url(name), command, self.folder, environment, working_folder)
            )
        self._services[-1].wait_until_ready(ready_path, self._check)


def config_file(router: RouterApi, folder: Path) -> Path:
    """The configuration of an exporter that watches this router, in that folder."""
    file = folder / "exporter.yml"
    watched = watch_router(router).model_dump(mode="json", exclude_defaults=True)
    file.write_text(yaml.safe_dump(watched), encoding="utf-8")
    return file


def installed_servers() -> tuple[str, ...]:
    """Which of SERVERS are installed."""
    return tuple(name for name in SERVERS if any(map(shutil.which, PROGRAMS[name])))


def find_program(what: str, *names: str) -> str:
    """The path of the first program found; raises ToolMissingError naming what to install."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise ToolMissingError(f"{what}: not installed; install it (Debian, Ubuntu: apt install {names[0]})")
    return found
