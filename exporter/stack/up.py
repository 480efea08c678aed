"""One stack for one router: brought up in a folder of its own, kept up, and taken down.

The exporter and, where they are installed, Alertmanager, Prometheus and Grafana. A service that ends by
itself is started again, the first time after a second, then after pauses that double up to a minute: a disk
that was full for a while does not end the watching.
"""

import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace

from exporter.clock import Clock, SystemClock
from exporter.errors import SoakError
from exporter.run.interrupt import Interrupt
from exporter.settings.url import public_url
from exporter.stack import servers
from exporter.stack.attempts import Attempts
from exporter.stack.native import NativeStack
from exporter.stack.ports import Ports, free_ports
from exporter.stack.servers import PACKAGES, SERVERS, without
from exporter.stack.service import EndedError, Service
from exporter.stack.stack_health import takes_a_run
from exporter.stack.up_folder import check_room, stack_folder, trim_logs
from exporter.stack.up_plan import RETENTION_OPTION, UpPlan, choose_ports, retention_bytes
from exporter.stack.up_servers import UpServers
from exporter.stack.up_state import (
    ProcessRecord,
    ServiceRecord,
    StackRecord,
    read_record,
    this_boot,
    write_record,
)

POLL_SECONDS = 1.0
LOOK_SECONDS = 60.0
LOOK_FOR_ROUTER_SECONDS = 3.0
"""how often a router that does not answer is looked for"""
TRIES = 5
NEEDED = ("router", "exporter")

Say = Callable[[str], None]


class Up:
    """A stack, up to its end; leaving the context takes it down.

    `say` gets a line for whatever a user should know. Entering raises ConfigurationError where the folder
    cannot be had or a port is taken, `start` SoakError where a service does not come up.
    """

    def __init__(self, plan: UpPlan, say: Say, interrupt: Interrupt, clock: Clock | None = None) -> None:
        self.plan = plan
        self._say = say
        self._interrupt = interrupt
        self._clock = clock or SystemClock()
        self._attempts: dict[str, Attempts] = {}
        self._notes: list[str] = []
        self._late = ""
        """what was said of a router that did not answer at first"""
        self._absent: dict[str, str] = {}
        self._look_at = 0.0
        self._is_up = False
        self._is_written = True

    def __enter__(self) -> "Up":
        with ExitStack() as cleanup:
            lasting = self.plan.simulator is None
            self.folder = cleanup.enter_context(stack_folder(self.plan.name, lasting))
            earlier = read_record(self.folder)
            ports = choose_ports(self.plan.ports, {} if earlier is None else earlier.ports, self.plan.router)
            self._servers = UpServers(self.plan, self.folder, self._clock)
            self._since = self._clock.wall()
            cleanup.callback(self._write_end)
            self._stack = cleanup.enter_context(
                NativeStack(ports, folder=self.folder, interrupt=self._interrupt)
            )
            self._write()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def ports(self) -> Ports:
        """Those in use."""
        return self._stack.ports

    def start(self) -> None:
        """Bring everything up, and wait until it answers."""
        installed = servers.installed_servers()
        for name in SERVERS:
            if name not in installed:
                self._absent[name] = f"not installed (apt install {PACKAGES[name]})"
        if missing := [name for name in SERVERS if name not in installed]:
            self._note(without(missing))
        if "prometheus" in installed and check_room(self.folder) < retention_bytes(self.plan.retention_size):
            self._note(
                f"{self.folder}: less is free than the {self.plan.retention_size} that Prometheus may keep; "
                f"give a smaller {RETENTION_OPTION}"
            )
        if self.plan.simulator is not None:
            self._bring_up("router")
        self._look()
        if self._servers.problem is not None:
            self._late = (
                f"the router at {self.plan.router.url} does not answer yet ({self._servers.problem}); it is "
                "watched from when it does"
            )
            self._note(self._late)
        self._bring_up("exporter")
        begun = [(name, self._begin(name)) for name in ("alertmanager", "prometheus") if name in installed]
        for name, service in begun:
            self._bring_up(name, service)
        self._start_grafana("prometheus" in installed)
        self._is_up = True
        self._write()

    def hold(self) -> None:
        """Keep it up until the user asks to end."""
        while not self._interrupt.wait(POLL_SECONDS):
            self.tend()

    def tend(self) -> None:
        """Start again what has ended, and look at the router again, each when it is due."""
        for name, attempts in self._attempts.items():
            service, now = self._stack.services.get(name), self._clock.monotonic()
            how = "it could not be started" if service is None else service.ended()
            if how is None:
                attempts.run(now)
            elif not attempts.waits:
                self._say_maybe(attempts.end(now, how))
                self._write()
            elif attempts.is_due(now):
                self._begin_again(attempts)
        if self._clock.monotonic() >= self._look_at:
            trim_logs(self.folder)
            self._look_again()

    def _begin_again(self, attempts: Attempts) -> None:
        """A disk that is full takes no configuration either: that is one more end."""
        try:
            self._begin(attempts.name)
        except (OSError, SoakError) as error:
            self._say_maybe(attempts.end(self._clock.monotonic(), str(error)))

    def _say_maybe(self, text: str | None) -> None:
        if text is not None:
            self._say(text)

    def _look_again(self) -> None:
        """At the router, while the stack is up; a node that is new is watched once no run is under way."""
        before = self._servers.problem
        self._look()
        if before is not None and self._servers.problem is None:
            self._say(f"the router at {self.plan.router.url} answers")
            self._notes = [note for note in self._notes if note != self._late]
            self._write()
        new = self._servers.new_nodes
        if new and not self._attempts["exporter"].waits and not takes_a_run(self.ports.url("exporter")):
            self._say(f"watched from now on: {', '.join(new)}")
            self._stack.stop("exporter")
            self._begin_again(self._attempts["exporter"])

    def _look(self) -> None:
        self._servers.look(self.ports)
        patience = LOOK_SECONDS if self._servers.problem is None else LOOK_FOR_ROUTER_SECONDS
        self._look_at = self._clock.monotonic() + patience

    def _begin(self, name: str) -> Service:
        server = self._servers.server(name, self.ports)
        service = self._stack.begin(server)
        attempts = self._attempts.setdefault(name, Attempts(name))
        attempts.begin(self._clock.monotonic(), server.ready_path)
        self._write()
        return service

    def _bring_up(self, name: str, service: Service | None = None) -> None:
        """Start a service, where it has not been, and wait for it; on another port where its own is lost.

        One that runs and is not ready yet is left to it, but for the exporter and the demo's router.
        """
        for number in range(1, TRIES + 1):
            service = service or self._begin(name)
            try:
                self._stack.wait(service, self._attempts[name].ready_path)
                return
            except EndedError as error:
                if name in self.plan.ports or number == TRIES or "in use" not in str(error):
                    raise
                self._take_other_port(name)
                service = None
            except SoakError as error:
                if name in NEEDED:
                    raise
                self._note(f"{error}; it is left to it")
                return

    def _take_other_port(self, name: str) -> None:
        """After another process was quicker."""
        other = free_ports()
        names = {"exporter": ("exporter", "ingest")}.get(name, (name,))
        changed = {each: getattr(other, each) for each in names if each not in self.plan.ports}
        self._stack.ports = replace(self.ports, **changed)
        self._servers.write_targets(self.ports)

    def _start_grafana(self, has_prometheus: bool) -> None:
        if servers.grafana_program() is None:
            self._absent["grafana"] = "not installed"
        elif not has_prometheus:
            self._absent["grafana"] = "not started: it has nothing to show without Prometheus"
        else:
            try:
                self._bring_up("grafana")
            except SoakError as error:
                self._stack.stop("grafana")
                self._attempts.pop("grafana", None)
                self._absent["grafana"] = f"not started: {error}"
                self._note(f"Grafana is not started: {error}")

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._say(text)

    @property
    def record(self) -> StackRecord:
        """What is known of it."""
        keeper = ProcessRecord.of(os.getpid())
        assert keeper is not None
        running = {name: each for name, each in self._stack.services.items() if each.ended() is None}
        found = {
            name: ServiceRecord(
                url=self.ports.url(name),
                process=ProcessRecord.of(running[name].pid) if name in running else None,
                ready_path=attempts.ready_path,
                starts=attempts.starts,
            )
            for name, attempts in self._attempts.items()
        }
        return StackRecord(
            name=self.plan.name,
            target=public_url(self.plan.router.url),
            since=self._since,
            boot=this_boot(),
            keeper=keeper,
            detached=self.plan.detached,
            is_demo=self.plan.simulator is not None,
            is_up=self._is_up,
            retention_size=self.plan.retention_size,
            ports=asdict(self.ports),
            agents=sum(len(group.targets) for group in self.plan.config.agents),
            services=found,
            absent=self._absent,
            notes=tuple(self._notes),
        )

    def _write_end(self) -> None:
        with suppress(OSError):
            write_record(self.record, self.folder)

    def _write(self) -> None:
        """Write the state file; a disk that is full is said once, and does not end the stack."""
        try:
            write_record(self.record, self.folder)
            self._is_written = True
        except OSError as error:
            if self._is_up and self._is_written:
                self._say(f"{self.folder}: the state cannot be written ({error.strerror})")
                self._is_written = False
            elif not self._is_up:
                raise
