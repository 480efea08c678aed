"""One run from its first check to its files: warm-up, load, drain, judgement."""

import json
import platform
import secrets
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import EngineError, QueryError
from exporter.events import FailureReason, Phase, RunInfo, StatusClass, WorkerCounts
from exporter.exporter_api import ExporterApi
from exporter.interrupt import Interrupt
from exporter.load.engine import LoadEngine, LoadPlan, LoadResult, RunningLoad
from exporter.load.workload import Workload, check_reachable
from exporter.load.wrk import WrkEngine
from exporter.metrics.live import LiveRuns
from exporter.metrics.status import run_status
from exporter.prometheus_api import PrometheusApi
from exporter.recorder import Recorder
from exporter.report.results_folder import check_label, check_writable, write_results
from exporter.report.run_result import RunResult
from exporter.report.terminal import TerminalView
from exporter.verdict.evidence import Evidence
from exporter.verdict.judgement import judge
from exporter.wire import encode

ENGINES: dict[str, type[LoadEngine]] = {WrkEngine.name: WrkEngine}
POLL_SECONDS = 0.2
SCRAPE_INTERVAL_SECONDS = 5.0
PROGRESS_EVERY_SECONDS = 1.0
ANNOUNCE_EVERY_SECONDS = 5.0
OVERRUN_SECONDS = 30.0
SETTLE_SECONDS = 20.0
"""how long the exporter and Prometheus are given to have everything"""
NOTICE_AFTER_SECONDS = 2.0
RESEND_PAUSE_SECONDS = 0.02
RESEND_BURST = 50


@dataclass(frozen=True)
class RunPlan:
    """What `soak run` was asked for."""

    workload: Workload
    engine: LoadEngine
    scenario: str
    label: str
    connections: int
    duration_seconds: int
    drain_seconds: float
    stall_after_seconds: float
    most_error_ratio: float
    results: Path
    exporter: ExporterApi
    prometheus: PrometheusApi | None
    inputs: dict[str, Any]


def check_plan(plan: RunPlan) -> str:
    """Everything that can be wrong before the load: label, folder, engine, target. The engine's version."""
    check_label(plan.label)
    check_writable(plan.results)
    version = plan.engine.check()
    check_reachable(plan.workload)
    return version


def run_soak(
    plan: RunPlan, engine_version: str, view: TerminalView, interrupt: Interrupt, clock: Clock
) -> tuple[RunResult, dict[str, Path]]:
    """Run a checked plan to its end; the result and the files it was written to."""
    info = RunInfo(
        run=secrets.token_hex(8),
        scenario=plan.scenario,
        engine=plan.engine.name,
        route=plan.workload.route,
        model=plan.workload.model,
        target=plan.workload.target,
        connections=plan.connections,
        label=plan.label,
        start_timestamp_seconds=clock.wall(),
        planned_duration_seconds=float(plan.duration_seconds),
        stall_after_seconds=plan.stall_after_seconds,
    )
    result = _Soak(plan, info, engine_version, view, interrupt, clock).run()
    return result, write_results(result, plan.results)


@dataclass
class _Loaded:
    """What the load phase came to."""

    command: tuple[str, ...]
    result: LoadResult
    seconds: float
    ended_early: str
    stalled: int


class _Soak:
    def __init__(
        self,
        plan: RunPlan,
        info: RunInfo,
        engine_version: str,
        view: TerminalView,
        interrupt: Interrupt,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._info = info
        self._engine_version = engine_version
        self._view = view
        self._interrupt = interrupt
        self._clock = clock
        self._status: dict[str, Any] | None = None
        self._announced = 0.0
        self._noticed = False
        self._recorder = Recorder(plan.exporter.url + "/metrics", SCRAPE_INTERVAL_SECONDS, clock)

    def run(self) -> RunResult:
        ingest_port = self._plan.exporter.announce(self._info, Phase.WARMUP)
        self._recorder.start()
        try:
            with tempfile.TemporaryDirectory(prefix="soak-") as folder:
                loaded = self._load(Path(folder), ingest_port)
            self._announce(Phase.DRAIN)
            truth = self._truth(loaded.result.messages)
            if truth is not None:
                self._settle(loaded.result.messages, ingest_port, _responses(truth))
            self._drain()
        finally:
            self._recorder.stop()
        known = truth or self._final_status()
        if known is None:
            raise QueryError("neither the engine nor the exporter could say what was measured")
        result = self._result(loaded, known, truth)
        self._announce(Phase.FINISHED)
        return result

    # load

    def _load(self, folder: Path, ingest_port: int) -> _Loaded:
        plan = self._plan
        self._announce(Phase.LOAD)
        running = plan.engine.start(
            LoadPlan(
                run=self._info.run,
                workload=plan.workload,
                connections=plan.connections,
                duration_seconds=plan.duration_seconds,
                ingest_host=plan.exporter.host,
                ingest_port=ingest_port,
                folder=folder,
            )
        )
        started = self._clock.monotonic()
        ended_early = ""
        try:
            ended_early = self._watch(running, started)
        except EngineError as error:
            if self._status is None or _responses(self._status) == 0:
                raise
            ended_early = str(error)
        finally:
            running.stop()
            # Asked before the workers' last reports come: a worker that has ended is no longer stalled.
            stalled = self._status["stalled"] if self._status else 0
            result = running.result()
        seconds = result.totals.duration_seconds if result.totals else self._clock.monotonic() - started
        if result.totals is None and not ended_early:
            ended_early = f"{plan.engine.name} died before it could give its totals"
        return _Loaded(running.command, result, seconds, ended_early, stalled)

    def _watch(self, running: RunningLoad, started: float) -> str:
        """Show progress until the load ends; why it ended early, or an empty string."""
        shown = 0.0
        while running.poll() is None:
            now = self._clock.monotonic()
            elapsed = now - started
            if elapsed > self._plan.duration_seconds + OVERRUN_SECONDS:
                return f"{self._plan.engine.name} did not end by itself"
            if now - shown >= PROGRESS_EVERY_SECONDS:
                shown = now
                self._progress(Phase.LOAD, elapsed, self._plan.duration_seconds)
            if self._interrupt.wait(POLL_SECONDS):
                return "stopped by the user"
        return ""

    def _progress(self, phase: Phase, elapsed: float, planned: float) -> None:
        try:
            self._status = status = self._plan.exporter.status(self._info.run)
        except QueryError:
            # The exporter is away, or is new and knows no run yet: it is told again below.
            status = None
            self._announced = 0.0
        if self._clock.monotonic() - self._announced >= ANNOUNCE_EVERY_SECONDS:
            self._announce(phase)
        memory = self._recorder.latest("observed_process_resident_memory_bytes", role="router")
        self._view.update(phase.value, elapsed, planned, status, memory)
        if status and not self._noticed and elapsed >= NOTICE_AFTER_SECONDS:
            self._notice(status)

    def _notice(self, status: dict[str, Any]) -> None:
        """Say in the first seconds that nothing succeeds: it is no throughput, however fast it is."""
        if _responses(status) > 0 and status["requests"]["2xx"] == 0:
            statuses = ", ".join(f"{code}: {count:,}" for code, count in status["statuses"].items())
            self._view.say(f"no response is 2xx so far ({statuses}): this run is failing", "bold red")
            self._noticed = True

    def _announce(self, phase: Phase) -> None:
        try:
            self._plan.exporter.announce(self._info, phase)
        except QueryError:
            return
        self._announced = self._clock.monotonic()

    # what arrived

    def _truth(self, messages: tuple[WorkerCounts, ...]) -> dict[str, Any] | None:
        """The run's status from the workers' last reports, joined as the exporter joins them."""
        if not messages:
            return None
        runs = LiveRuns(self._clock)
        runs.announce(self._info, Phase.LOAD)
        for message in messages:
            runs.apply(message)
        return run_status(runs.runs[self._info.run], self._clock.monotonic())

    def _settle(self, messages: tuple[WorkerCounts, ...], ingest_port: int, responses: int) -> None:
        """Repeat the workers' last reports until the exporter has them all, or time is up."""
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        while self._clock.monotonic() < deadline:
            status = self._final_status()
            if (
                status is not None
                and status["final_workers"] == self._plan.connections
                and _responses(status) == responses
            ):
                return
            self._announce(Phase.DRAIN)
            self._resend(messages, ingest_port)
            time.sleep(POLL_SECONDS)

    def _resend(self, messages: tuple[WorkerCounts, ...], ingest_port: int) -> None:
        with _udp_to(self._plan.exporter.host, ingest_port) as udp:
            for number, message in enumerate(messages, 1):
                try:
                    udp.send(encode(message))
                except OSError:
                    return  # nothing listens there yet; the next round tries again
                if number % RESEND_BURST == 0:
                    time.sleep(RESEND_PAUSE_SECONDS)

    def _final_status(self) -> dict[str, Any] | None:
        try:
            return self._plan.exporter.status(self._info.run)
        except QueryError:
            return None

    def _drain(self) -> None:
        """Watch the router for a while without load: some leaks show only then."""
        started = self._clock.monotonic()
        while not self._interrupt.requested:
            elapsed = self._clock.monotonic() - started
            if elapsed >= self._plan.drain_seconds:
                return
            self._progress(Phase.DRAIN, elapsed, self._plan.drain_seconds)
            self._interrupt.wait(min(PROGRESS_EVERY_SECONDS, self._plan.drain_seconds - elapsed))

    # judgement

    def _result(self, loaded: _Loaded, known: dict[str, Any], truth: dict[str, Any] | None) -> RunResult:
        plan = self._plan
        status = self._final_status()
        engine_totals = loaded.result.totals
        totals: dict[str, int | None] = {
            "engine": engine_totals.requests if engine_totals else None,
            "live": _responses(truth) if truth else None,
            "exporter": _responses(status) if status else None,
            "scraped": self._scraped_total(),
        }
        if plan.prometheus is not None:
            totals["prometheus"] = self._prometheus_total(plan.prometheus, _responses(known))
        evidence = Evidence(
            planned_seconds=float(plan.duration_seconds),
            measured_seconds=loaded.seconds,
            ended_early=loaded.ended_early,
            requests={name: known["requests"][name.value] for name in StatusClass},
            statuses=known["statuses"],
            failures={reason: known["failures"][reason.value] for reason in FailureReason},
            stalled=loaded.stalled,
            totals=totals,
            scrapes=self._recorder.scrapes,
            failed_scrapes=self._recorder.failed_scrapes,
            series=self._recorder.store,
        )
        account = None
        if engine_totals is not None:
            account = asdict(engine_totals)
            del account["histogram"]
        return RunResult(
            info=self._info,
            command=loaded.command,
            evidence=evidence,
            quantiles=known["quantiles"],
            judgement=judge(evidence, plan.most_error_ratio),
            versions={
                "llm-router-soak": __version__,
                plan.engine.name: self._engine_version,
                "python": platform.python_version(),
            },
            inputs=plan.inputs,
            engine_totals=account,
            alerts=self._alerts(),
        )

    def _selector(self) -> dict[str, str]:
        return {"route": self._info.route.value, "model": self._info.model}

    def _scraped_total(self) -> int | None:
        series = self._recorder.store.select("benchmark_requests_total", **self._selector())
        return round(sum(each.increase() for each in series)) if series else None

    def _prometheus_total(self, prometheus: PrometheusApi, expected: int) -> int | None:
        """What Prometheus counts since before the run; given a while to have scraped the end of it."""
        series = self._recorder.store.select("benchmark_requests_total", **self._selector())
        before = sum(each.values[0] for each in series)
        labels = ",".join(f"{name}={json.dumps(value)}" for name, value in self._selector().items())
        deadline = self._clock.monotonic() + SETTLE_SECONDS
        total = None
        while self._clock.monotonic() < deadline:
            try:
                total = round(prometheus.value(f"sum(benchmark_requests_total{{{labels}}})") - before)
            except QueryError:
                total = None
            if total == expected:
                break
            if self._interrupt.requested:
                # The user waits; one more scrape interval is enough to ask of them.
                deadline = min(deadline, self._clock.monotonic() + SCRAPE_INTERVAL_SECONDS)
            time.sleep(POLL_SECONDS)
        return total

    def _alerts(self) -> list[str] | None:
        """Names of the alerts that fired during the run, the one that always fires aside."""
        if self._plan.prometheus is None:
            return None
        try:
            series = self._plan.prometheus.query_range(
                'ALERTS{alertstate="firing",alertname!="Watchdog"}',
                self._info.start_timestamp_seconds,
                self._clock.wall(),
                SCRAPE_INTERVAL_SECONDS,
            )
        except QueryError:
            return None
        return sorted({each.label("alertname") or "" for each in series})


def _responses(status: dict[str, Any]) -> int:
    return sum(status["requests"].values())


@contextmanager
def _udp_to(host: str, port: int) -> Iterator[socket.socket]:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as udp:
        udp.connect(address)
        yield udp
