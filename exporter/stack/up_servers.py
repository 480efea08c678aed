"""What the services of one `soak up` are started with, and what it has learnt of its router for them."""

from pathlib import Path

from exporter.clock import Clock
from exporter.collectors.router.login import Login
from exporter.settings.exporter_config import WatchedProcess, watch_router
from exporter.settings.machine import this_machine
from exporter.settings.shipped import shipped
from exporter.stack import servers
from exporter.stack.native import config_file
from exporter.stack.ports import Ports
from exporter.stack.prometheus_files import RouterMetrics, Scraped, write_prometheus, write_targets
from exporter.stack.router_look import look_at
from exporter.stack.servers import Server
from exporter.stack.up_plan import UpPlan


class UpServers:
    """The services of a plan, in a folder; raises ConfigurationError where its login cannot be used."""

    def __init__(self, plan: UpPlan, folder: Path, clock: Clock) -> None:
        self._plan = plan
        self._folder = folder
        self._clock = clock
        login = plan.router.login
        self._login = None if login is None else Login(plan.router, login, clock)
        self._metrics = RouterMetrics()
        self._nodes: dict[int | None, WatchedProcess] = {}
        self._told = 0
        self.problem: str | None = None
        """why the router gave no answer at the last look; None: it answered"""

    def look(self, ports: Ports) -> None:
        """Ask the router; what that changes for a Prometheus is written down at once."""
        found = look_at(self._plan.router, self._plan.key, this_machine(), self._clock, self._login)
        self.problem = found.problem or None
        # Configured processes are all that is watched.
        for node in () if self._plan.config.processes else found.nodes:
            # A node that goes away stays watched: that it is gone is to be seen.
            self._nodes.setdefault(node.match.port, node)
        if found.metrics not in (None, self._metrics):
            self._metrics = found.metrics or self._metrics
            self.write_targets(ports)

    @property
    def new_nodes(self) -> list[str]:
        """Nodes on this machine that the exporter does not know yet."""
        return [node.name for node in self._nodes.values()][self._told :]

    def write_targets(self, ports: Ports) -> None:
        """For a Prometheus that has its configuration already: it reads them again."""
        if (self._folder / "prometheus" / "targets").is_dir():
            write_targets(self._folder, ports, self._scraped)

    def server(self, name: str, ports: Ports) -> Server:
        """A service on these ports; the files that it reads are written."""
        match name:
            case "router":
                return servers.simulator(ports, *(self._plan.simulator or ()))
            case "exporter":
                return self._exporter(ports)
            case "prometheus":
                file = write_prometheus(self._folder, ports, self._scraped)
                size = f"--storage.tsdb.retention.size={self._plan.retention_size}"
                return servers.prometheus(ports, self._folder, file, size)
            case "alertmanager":
                file = self._plan.alertmanager or shipped("prometheus/alertmanager.yml")
                return servers.alertmanager(ports, self._folder, file)
            case _:
                return servers.grafana(ports, self._folder)

    @property
    def _scraped(self) -> Scraped:
        config = self._plan.config
        return Scraped(self._plan.router, self._metrics, config.agents, config.agents_login)

    def _exporter(self, ports: Ports) -> Server:
        config = self._plan.config.of_the_exporter
        if not config.processes:
            processes = (*watch_router(self._plan.router).processes, *self._nodes.values())
            config = config.model_copy(update={"processes": processes})
        self._told = len(self._nodes)
        options = ["--config", str(config_file(config, self._folder))]
        if self._plan.results is not None:
            options += ["--results.folder", str(self._plan.results)]
        variable = self._plan.router.api_key_env
        environment = {variable: self._plan.key} if variable and self._plan.key else {}
        return servers.exporter(ports, self._folder, *options, environment=environment)
