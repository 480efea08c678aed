"""What the faults happen to: the shipped stack with a GPU and a load; and a router and a load left in peace.

All alerts but those on leaks come from a Prometheus on the shipped configuration. An hour is too long for a
proof, so the leak alerts come from another, on a faster scale of time. Both tell the same Alertmanager.
"""

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from exporter.errors import QueryError
from exporter.run.prometheus_client import PrometheusClient
from exporter.stack.native import NativeStack
from exporter.stack.ports import HOST, free_ports

from .configuration import write_alertmanager, write_exporters, write_scaled_checkout, write_watched
from .gpu import Gpu
from .load import Kind, Load
from .patience import ProofError, wait_until
from .webhook import Episode, Webhook

MODEL = "gpt-oss:20b"
CLEAN_MODEL = "gpt-oss:120b"
FIRST_TOKEN_SECONDS = 0.4
"""so much later than answers: a load generator is late by a share of it, which one on busy cores is not"""
YOUNG_SECONDS = 150.0
"""A run that is five minutes old is held against its own start, of which the faults would be a part."""


class Stage:
    """All of it, started when entered and stopped when left.

    `scale` is that of the leak rules: with 0.05 three seconds are a minute to them. With `host` the exporters
    watch this machine as well, whose disks and memory then have to be sound.
    """

    def __init__(self, scale: float, host: bool) -> None:
        self._scale = scale
        self._host = host
        self._cleanup = ExitStack()

    def __enter__(self) -> "Stage":
        with self._cleanup:
            self._start()
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def names(self) -> dict[str, str]:
        """What differs from one stage to the next in the labels of alerts."""
        return {"instance": f"{HOST}:{self.stack.ports.exporter}"}

    def is_clean(self, episode: Episode) -> bool:
        """Whether an alert is about what is left in peace."""
        clean = {"instance": f"{HOST}:{self._clean.ports.exporter}", "model": CLEAN_MODEL}
        return bool(clean.items() & episode.labels.items())

    def start_router(self) -> None:
        """The router that the faults happen to."""
        self.stack.start_simulator()

    def start_exporter(self) -> None:
        """Its exporter."""
        options = self._exporter_options(self._watched)
        self.stack.start_exporter(*options, environment=self.gpu.environment)

    def begin(self, fault: str, **parameters: Any) -> None:
        """Begin a fault of the router."""
        self._command("PUT", f"/{fault}", parameters)

    def end(self, fault: str, query: str = "") -> None:
        """End it."""
        self._command("DELETE", f"/{fault}{query}", None)

    def renew_load(self, kind: Kind) -> None:
        """See to it that the load is young, and of that kind."""
        if kind is Kind.STREAMS:
            self.begin("slow", add_seconds=FIRST_TOKEN_SECONDS)
        else:
            self.end("slow")
        self._load.renew(YOUNG_SECONDS, kind)

    def halt_load(self) -> None:
        """Let the load generator stand still for a part of the time."""
        self._load.halt()

    def let_load_go_on(self) -> None:
        """End that."""
        self._load.go_on()

    def check(self) -> None:
        """Raise ProofError where a load has ended by itself."""
        self._load.check()
        self._clean_load.check()

    def end_clean_load(self) -> dict[str, Any]:
        """End the load left in peace; its evidence."""
        return self._clean_load.end()

    def _start(self) -> None:
        self.webhook = self._cleanup.enter_context(Webhook())
        self.stack = self._cleanup.enter_context(NativeStack(free_ports()))
        self._clean = self._cleanup.enter_context(NativeStack(free_ports()))
        folder, ports = self.stack.folder, self.stack.ports
        self.gpu = Gpu(folder)
        self._cleanup.callback(self.gpu.close)
        self._watched = write_watched(folder / "watched.yml", ports, self._host, self.gpu.pid_file)
        clean_watched = write_watched(folder / "clean.yml", self._clean.ports, self._host, None)

        self.start_router()
        self._clean.start_simulator()
        self.start_exporter()
        self._clean.start_exporter(*self._exporter_options(clean_watched))
        self.stack.start_alertmanager(write_alertmanager(folder / "alertmanager.yml", self.webhook))
        leak_ports = replace(ports, prometheus=free_ports().prometheus)
        leaks = self._cleanup.enter_context(NativeStack(leak_ports))
        scaled = write_scaled_checkout(folder / "leaks", self._scale) / "prometheus"
        for each, files in ((self.stack, None), (leaks, scaled)):
            each.start_prometheus(files)
            write_exporters(each.folder, ports, self._clean.ports)

        self._load = Load(self.stack, MODEL)
        self._cleanup.callback(self._load.close)
        self._clean_load = Load(self._clean, CLEAN_MODEL)
        self._cleanup.callback(self._clean_load.close)
        for each in (self.stack, leaks):
            _wait_until_it_watches(each.ports.url("prometheus"))

    def _exporter_options(self, watched: Path) -> tuple[str, ...]:
        # Not the results in the checkout: a baseline among them would be held against the load.
        return ("--config", str(watched), "--results.folder", str(self.stack.folder / "no-results"))

    def _command(self, method: str, path: str, parameters: dict[str, Any] | None) -> None:
        url = f"{self.stack.ports.url('router')}/admin/faults{path}"
        answer = requests.request(method, url, json=parameters, timeout=10)
        if answer.status_code != 200:
            raise ProofError(f"{method} {url}: {answer.text.strip()}")


def _wait_until_it_watches(url: str) -> None:
    """Until a Prometheus has scraped both exporters and found Alertmanager."""
    prometheus = PrometheusClient(url)

    def both_are_up() -> bool:
        try:
            return prometheus.value('sum(up{job="exporter"})') == 2
        except QueryError:
            return False

    def alertmanager_is_known() -> bool:
        answer = requests.get(f"{url}/api/v1/alertmanagers", timeout=5)
        return bool(answer.json()["data"]["activeAlertmanagers"])

    wait_until("both exporters in Prometheus", both_are_up)
    wait_until("Alertmanager in Prometheus", alertmanager_is_known)
