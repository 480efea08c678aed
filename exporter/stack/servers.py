"""What each service of a native stack is started with: its program, its options, its environment.

Every one listens on loopback alone, and keeps its data in the stack's folder.
"""

import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from exporter.errors import ToolMissingError
from exporter.settings.shipped import shipped
from exporter.stack.ports import HOST, Ports
from exporter.stack.service import SOAK

SERVERS = {"prometheus": "Prometheus", "alertmanager": "Alertmanager"}
"""what a stack may go without, by the name of its port"""
PROGRAMS = {"prometheus": ("prometheus",), "alertmanager": ("prometheus-alertmanager", "alertmanager")}
PACKAGES = {name: programs[0] for name, programs in PROGRAMS.items()}
"""of Debian and Ubuntu"""
GRAFANA_PROGRAMS = ("grafana", "grafana-server")
GRAFANA_HOMES = ("/usr/share/grafana", "/usr/local/share/grafana", "/opt/grafana")
"""where its packages and archives put what it serves"""
PASSWORD_FILE = "grafana-admin"
CLOSING_SECONDS = 60.0
"""how long a Prometheus may take to close the data of a long soak"""


@dataclass(frozen=True)
class Server:
    """A service to be started."""

    name: str
    command: Sequence[str]
    ready_path: str
    environment: Mapping[str, str] = field(default_factory=dict)
    """beside this process's own"""
    working_folder: Path | None = None
    stop_seconds: float | None = None
    """how long it may take to end; None: the usual time"""


def simulator(ports: Ports, *options: str) -> Server:
    """The simulated router."""
    return Server("router", [*SOAK, "simulate", "--port", str(ports.router), *options], "/v1/models")


def exporter(
    ports: Ports, folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Server:
    """The exporter; its state outlives a restart. Without a configuration it watches the stack's router."""
    command = [*SOAK, "exporter", "--web.listen-address", f"{HOST}:{ports.exporter}"]
    command += ["--ingest.listen-address", f"{HOST}:{ports.ingest}"]
    command += ["--ingest.state-file", str(folder / "ingest-state.json"), *options]
    return Server("exporter", command, "/-/ready", {"ROUTER_URL": ports.url("router"), **(environment or {})})


def prometheus(ports: Ports, folder: Path, configuration: Path, *options: str) -> Server:
    """Prometheus on that configuration."""
    command = [
        find_program(SERVERS["prometheus"], *PROGRAMS["prometheus"]),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'prometheus-data'}",
        f"--web.listen-address={HOST}:{ports.prometheus}",
        # An alert that fires before Alertmanager is found is sent again after this, not after 1 min.
        "--rules.alert.resend-delay=10s",
        "--log.level=warn",
        *options,
    ]
    return Server("prometheus", command, "/-/ready", stop_seconds=CLOSING_SECONDS)


def alertmanager(ports: Ports, folder: Path, configuration: Path) -> Server:
    """Alertmanager on that configuration."""
    file = configuration.resolve()
    command = [
        find_program(SERVERS["alertmanager"], *PROGRAMS["alertmanager"]),
        f"--config.file={file}",
        f"--storage.path={folder / 'alertmanager-data'}",
        f"--web.listen-address={HOST}:{ports.alertmanager}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    # Some secret files are relative to its working folder, not to its configuration.
    return Server("alertmanager", command, "/-/ready", working_folder=file.parent)


def grafana(ports: Ports, folder: Path) -> Server:
    """Grafana with the project's provisioning and dashboards."""
    program = find_program("Grafana", *GRAFANA_PROGRAMS)
    files = shipped("grafana")
    command = [program, "server"] if Path(program).name == "grafana" else [program]
    if (home := grafana_home(program)) is not None:
        command += ["--homepath", str(home)]
    environment = {
        "GF_SERVER_HTTP_ADDR": HOST,
        "GF_SERVER_HTTP_PORT": str(ports.grafana),
        "GF_PATHS_DATA": str(folder / "grafana-data"),
        "GF_PATHS_LOGS": str(folder / "grafana-logs"),
        "GF_PATHS_PLUGINS": str(folder / "grafana-plugins"),
        "GF_PATHS_PROVISIONING": str(files / "provisioning"),
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(files / "dashboards" / "soak.json"),
        # Grafana's own way to read a file; NAME__FILE is one of its image's alone.
        "GF_SECURITY_ADMIN_PASSWORD": f"$__file{{{admin_password(folder)}}}",
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_LOG_MODE": "console",
        "GF_LOG_LEVEL": "warn",
        # Nothing is asked of the internet: the stack works on a network without one.
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES": "false",
        "GF_NEWS_NEWS_FEED_ENABLED": "false",
        "GF_PLUGINS_PREINSTALL_DISABLED": "true",
        "GRAFANA_DASHBOARDS_PATH": str(files / "dashboards"),
        "PROMETHEUS_URL": ports.url("prometheus"),
    }
    return Server("grafana", command, "/api/health", environment)


def grafana_home(program: str) -> Path | None:
    """The folder with what Grafana serves: beside its program, as in its archive, or a package's."""
    beside = Path(program).resolve().parent.parent
    for folder in (beside, *map(Path, GRAFANA_HOMES)):
        if (folder / "conf" / "defaults.ini").exists():
            return folder
    return None


def admin_password(folder: Path) -> Path:
    """The file with the password of Grafana's user `admin`, for the folder's owner alone; made once.

    Grafana takes it when it makes its database, so the file stays as long as the data does.
    """
    file = folder / PASSWORD_FILE
    with (
        suppress(FileExistsError),
        open(file, "x", encoding="ascii", opener=partial(os.open, mode=0o600)) as new,
    ):
        new.write(secrets.token_urlsafe(24))
    return file


def grafana_program() -> str | None:
    """The path of Grafana; None where it is not installed."""
    return next(filter(None, map(shutil.which, GRAFANA_PROGRAMS)), None)


def installed_servers() -> tuple[str, ...]:
    """Which of SERVERS are installed."""
    return tuple(name for name in SERVERS if any(map(shutil.which, PROGRAMS[name])))


def find_program(what: str, *names: str) -> str:
    """The path of the first program found; raises ToolMissingError naming what to install."""
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        raise ToolMissingError(f"{what}: not installed; install it (Debian, Ubuntu: apt install {names[0]})")
    return found


def without(missing: Sequence[str]) -> str:
    """What a stack goes without where these of SERVERS are not installed."""
    names = " and ".join(SERVERS[name] for name in missing)
    are = "are" if len(missing) > 1 else "is"
    what = "no dashboards, no alerts" if "prometheus" in missing else "alerts reach nobody"
    packages = " ".join(PACKAGES[name] for name in missing)
    return f"{names} {are} missing: {what}; load, exporter and /live do without (apt install {packages})"
