"""One run from its first check to its files: warm-up, load, drain, judgement."""

import platform
import secrets
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import EngineError, QueryError
from exporter.live.message import FailureReason, Phase, RunInfo, StatusClass
from exporter.load.engine import LoadEngine, LoadPlan, LoadResult, RunningLoad
from exporter.load.hey import HeyEngine
from exporter.load.workload import Workload, check_reachable
from exporter.load.wrk import WrkEngine
from exporter.results.folder import check_label, check_writable, write_results
from exporter.results.run_result import RunResult
from exporter.run.exporter_client import ExporterApi
from exporter.run.interrupt import Interrupt
from exporter.run.prometheus_client import PrometheusApi
from exporter.run.reconcile import Settlement, count_of, truth_of
from exporter.run.recorder import Recorder
from exporter.run.view import RunView
from exporter.verdict.evidence import Count, Evidence
from exporter.verdict.judgement import judge

ENGINES: dict[str, type[LoadEngine]] = {WrkEngine.name: WrkEngine, HeyEngine.name: HeyEngine}
POLL_SECONDS = 0.2
SCRAPE_INTERVAL_SECONDS = 5.0
PROGRESS_EVERY_SECONDS = 1.0
ANNOUNCE_EVERY_SECONDS = 5.0
OVERRUN_SECONDS = 30.0
NOTICE_AFTER_SECONDS = 2.0


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
    plan: RunPlan, engine_version: str, view: RunView, interrupt: Interrupt, clock: Clock
) -> tuple[RunResult, dict[str, Path]]:
    """Run a checked plan to its end; the result and the files it was written to.

    Raises KeyboardInterrupt where an end was asked for before it began.
    """
    interrupt.check()
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
        view: RunView,
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
        self._recorder = Recorder(
            plan.exporter.url + "/metrics", SCRAPE_INTERVAL_SECONDS, clock, plan.exporter.session()
        )

    def run(self) -> RunResult:
        ingest_port = self._plan.exporter.announce(self._info, Phase.WARMUP)
        settlement = Settlement(self._info, self._plan.exporter, ingest_port, self._clock)
        try:
            return self._measure(settlement)
        finally:
            self._announce(Phase.FINISHED)

    def _measure(self, settlement: Settlement) -> RunResult:
        self._recorder.start()
        try:
            with tempfile.TemporaryDirectory(prefix="soak-") as folder:
                loaded = self._load(Path(folder), settlement)
            self._announce(Phase.DRAIN)
            truth = truth_of(self._info, loaded.result.messages, self._clock)
            if truth is not None:
                settlement.deliver(loaded.result.messages, truth)
            self._drain()
        finally:
            self._recorder.stop()
        known = truth or settlement.status()
        if known is None:
            raise QueryError("neither the engine nor the exporter could say what was measured")
        return self._result(loaded, known, self._totals(settlement, loaded, truth, known))

    # load

    def _load(self, folder: Path, settlement: Settlement) -> _Loaded:
        plan = self._plan
        self._announce(Phase.LOAD)
        running = plan.engine.start(
            LoadPlan(
                run=self._info.run,
                workload=plan.workload,
                connections=plan.connections,
                duration_seconds=plan.duration_seconds,
                ingest_host=plan.exporter.host,
                ingest_port=settlement.ingest_port,
                folder=folder,
            )
        )
        started = self._clock.monotonic()
        ended_early = ""
        try:
            ended_early = self._watch(running, started)
        except EngineError as error:
            status = settlement.status()
            if status is None or count_of(status) == Count(0, 0):
                raise
            ended_early = str(error)
        finally:
            running.stop()
            result = running.result()
        seconds = result.totals.duration_seconds if result.totals else self._clock.monotonic() - started
        if result.totals is None and not ended_early:
            ended_early = f"{plan.engine.name} died before it could give its totals"
        return _Loaded(running.command, result, seconds, ended_early, self._stalled(result))

    def _stalled(self, result: LoadResult) -> int:
        """Connections whose request had been out for too long at the end; as last seen where wrk died."""
        if not result.messages:
            return self._status["stalled"] if self._status else 0
        out = {
            message.worker
            for message in result.messages
            if message.in_flight and message.waiting_ms > self._plan.stall_after_seconds * 1000
        }
        return len(out)

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
        if sum(status["requests"].values()) > 0 and status["requests"]["2xx"] == 0:
            statuses = ", ".join(f"{code}: {count:,}" for code, count in status["statuses"].items())
            self._view.say(f"no response is 2xx so far ({statuses}): this run is failing", "bold red")
            self._noticed = True

    def _announce(self, phase: Phase) -> None:
        try:
            self._plan.exporter.announce(self._info, phase)
        except QueryError:
            return
        self._announced = self._clock.monotonic()

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

    def _totals(
        self,
        settlement: Settlement,
        loaded: _Loaded,
        truth: dict[str, Any] | None,
        known: dict[str, Any],
    ) -> dict[str, Count | None]:
        engine = loaded.result.totals
        status = settlement.status()
        totals = {
            # wrk does not count every loss; its responses are what can be held against the others.
            "engine": Count(engine.requests, None) if engine else None,
            "live": count_of(truth) if truth else None,
            "exporter": count_of(status) if status else None,
            "scraped": settlement.scraped(self._recorder.store),
        }
        if self._plan.prometheus is not None:
            totals["prometheus"] = settlement.in_prometheus(
                self._plan.prometheus, self._recorder.store, count_of(known)
            )
        return totals

    def _result(self, loaded: _Loaded, known: dict[str, Any], totals: dict[str, Count | None]) -> RunResult:
        plan = self._plan
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
            route=self._info.route,
        )
        account = None
        if loaded.result.totals is not None:
            account = asdict(loaded.result.totals)
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
