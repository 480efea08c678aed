"""The compose stack as `soak files` lays it out, with the tests' stand-ins: a project on free ports."""

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests

from exporter.run.prometheus_client import PrometheusClient
from exporter.settings.layout import lay_out
from exporter.stack.ports import Ports, free_ports
from tests.stack.containers.daemon import Docker
from tests.support.compose_command import compose_command
from tests.support.waiting import wait_for

PROJECT = "soak-test"
BASE = "soak-test-base"
FILES = ("compose/compose.yaml", "compose/compose.remote-write.yaml")
HERE = Path(__file__).resolve().parent


class ComposeStack:
    """Calls Compose, and looks at what runs.

    `results` is the folder of the host that soaks write to; `environment` is as a user's .env. The files are
    not the checkout's but what a user of the wheel has: laid out in a folder.
    """

    def __init__(self, docker: Docker, folder: Path) -> None:
        found = compose_command()
        if found is None:
            pytest.skip(
                "no Compose v2 on this machine (`docker compose version` or `docker-compose version`)"
            )
        self._command = found
        self.docker = docker
        self.results = folder / "results"
        self.results.mkdir()
        files = folder / "files"
        lay_out(files)
        remote_write = folder / "prometheus.yml"
        shipped = (files / "prometheus" / "prometheus.remote-write.yml").read_text(encoding="utf-8")
        assert shipped.count("http://host.docker.internal:8428") == 1
        remote_write.write_text(shipped.replace("host.docker.internal:8428", "store:8428"), encoding="utf-8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "DOCKER_HOST": f"unix://{docker.path}",
            "COMPOSE_PROJECT_NAME": PROJECT,
            "COMPOSE_FILE": ":".join(
                [*(str(files / name) for name in FILES), str(HERE / "compose.test.yaml")]
            ),
            "BASE_IMAGE": BASE,
            "STANDINS": str(HERE),
            "RESULTS_FOLDER": str(self.results),
            "REMOTE_WRITE_CONFIG": str(remote_write),
        }
        self.take_free_ports()

    def take_free_ports(self) -> None:
        """Choose ports, shortly before they are used: what is free now is another's in a minute."""
        self.ports: Ports = free_ports()
        self.host_router_port, self.store_port = free_ports().router, free_ports().router
        self.environment |= {
            "ROUTER_URL": f"http://host.docker.internal:{self.host_router_port}",
            "HOST_ROUTER_PORT": str(self.host_router_port),
            "STORE_PORT": str(self.store_port),
            "EXPORTER_PORT": str(self.ports.exporter),
            "INGEST_PORT": str(self.ports.ingest),
            "PROMETHEUS_PORT": str(self.ports.prometheus),
            "ALERTMANAGER_PORT": str(self.ports.alertmanager),
            "GRAFANA_PORT": str(self.ports.grafana),
        }

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A Compose command under way."""
        return subprocess.Popen(
            [*self._command, "--progress", "plain", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def compose(self, *arguments: str) -> str:
        """Runs a Compose command to its end; fails the test with what it printed where it fails."""
        with self.start(*arguments) as running:
            output, _ = running.communicate()
        if running.returncode != 0:
            with self.start("logs", "--no-color", "--tail", "10") as logs:
                said, _ = logs.communicate()
            pytest.fail(f"docker compose {' '.join(arguments)}:\n{output[-3000:]}\n{said}")
        return output

    def state(self, service: str) -> dict[str, Any]:
        """What the daemon says of the service's container, for Compose's names."""
        answer: dict[str, Any] = self.docker.ask(f"/containers/{PROJECT}-{service}-1/json")
        return answer

    def healthy(self, service: str) -> bool:
        found = self.state(service)["State"]
        # Of the stand-ins the store alone has no check.
        return bool(found["Running"] and found.get("Health", {"Status": "healthy"})["Status"] == "healthy")

    def address(self, service: str) -> str:
        """Where the host reaches the container itself, published ports or not."""
        (network,) = self.state(service)["NetworkSettings"]["Networks"].values()
        return str(network["IPAddress"])

    def kill(self, service: str) -> None:
        """Kills the service's process as the kernel would, and waits until it has been restarted.

        `docker kill` would not do: the daemon takes it for the user's wish that it stays down.
        """
        before = self.state(service)
        os.kill(before["State"]["Pid"], signal.SIGKILL)
        wait_for(
            f"another {service}",
            lambda: self.state(service)["RestartCount"] > before["RestartCount"] and self.healthy(service),
            60,
        )

    @property
    def prometheus(self) -> PrometheusClient:
        return PrometheusClient(self.ports.url("prometheus"))

    def store_answers(self) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.store_port}/health", timeout=5).ok
        except requests.ConnectionError:
            return False

    def alerts(self) -> dict[str, dict[str, str]]:
        """The labels of the alerts that have arrived at Alertmanager, by name."""
        answer = requests.get(self.ports.url("alertmanager") + "/api/v2/alerts", timeout=5)
        return {alert["labels"]["alertname"]: alert["labels"] for alert in answer.json()}
