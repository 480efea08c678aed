"""One run from its registration to its files: warm-up, load, drain, judgement."""

import platform
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.message import Phase, RunInfo
from exporter.live.status import RunStatus
from exporter.results.folder import write_results
from exporter.results.run_result import RunResult
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.load_phase import Load, run_load
from exporter.run.plan import RunPlan
from exporter.run.progress import EVERY_SECONDS, Progress
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.reconcile import Totals, count_of, deliver, final_status, in_prometheus, scraped
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.run.view import RunView
from exporter.verdict.evidence import Count, Evidence
from exporter.verdict.judgement import judge

SCRAPE_INTERVAL_SECONDS = 5.0


def run_soak(
    plan: RunPlan,
    exporter: ExporterClient,
    prometheus: PrometheusClient | None,
    view: RunView,
    interrupt: Interrupt,
    clock: Clock,
) -> tuple[RunResult, dict[str, Path]]:
    """Run a checked plan to its end; the result and the files it was written to.

    Raises KeyboardInterrupt where an end was asked for before it began.
    """
    interrupt.check()
    recorder = Recorder(exporter.url + "/metrics", SCRAPE_INTERVAL_SECONDS, clock, exporter.session())
    registration = Registration(plan.info(clock.wall()), exporter, clock, Phase.WARMUP)
    memory = partial(recorder.latest, "observed_process_resident_memory_bytes", role="router")
    progress = Progress(registration, view, memory)
    try:
        result = _Soak(plan, prometheus, interrupt, clock, recorder, registration, progress).measure()
    finally:
        registration.enter(Phase.FINISHED)
    return result, write_results(result, plan.results)


@dataclass(frozen=True)
class _Soak:
    plan: RunPlan
    prometheus: PrometheusClient | None
    interrupt: Interrupt
    clock: Clock
    recorder: Recorder
    registration: Registration
    progress: Progress

    @property
    def _info(self) -> RunInfo:
        return self.registration.info

    def measure(self) -> RunResult:
        self.recorder.start()
        try:
            self.registration.enter(Phase.LOAD)
            with tempfile.TemporaryDirectory(prefix="soak-") as folder:
                load = run_load(
                    self.plan, self.registration, Path(folder), self.progress, self.interrupt, self.clock
                )
            self.registration.enter(Phase.DRAIN)
            final = final_status(self._info, self.registration.token, load.result.messages, self.clock)
            if final is not None:
                deliver(self.registration, load.result.messages, final, self.clock)
            self._drain()
        finally:
            self.recorder.stop()
        known = final or self.registration.status()
        if known is None:
            raise QueryError("neither the engine nor the exporter has counts of the run")
        return self._result(load, known, self._totals(load, final, known))

    def _drain(self) -> None:
        """Watch the router for a while without load: some leaks show only then."""
        started, planned = self.clock.monotonic(), self.plan.drain_seconds
        while not self.interrupt.requested:
            elapsed = self.clock.monotonic() - started
            if elapsed >= planned:
                return
            self.progress.show(Phase.DRAIN, elapsed, planned)
            self.interrupt.wait(min(EVERY_SECONDS, planned - elapsed))

    def _totals(self, load: Load, final: RunStatus | None, known: RunStatus) -> Totals:
        engine = load.result.totals
        status = self.registration.status()
        totals: Totals = {
            # wrk does not count every loss; its responses are what can be compared with the others.
            "engine": Count(engine.requests, None) if engine else None,
            "live": count_of(final) if final else None,
            "exporter": count_of(status) if status else None,
            "scraped": scraped(self._info, self.recorder.store),
        }
        if self.prometheus is not None:
            totals["prometheus"] = in_prometheus(
                self._info, self.prometheus, self.recorder.store, count_of(known), self.clock
            )
        return totals

    def _result(self, load: Load, known: RunStatus, totals: Totals) -> RunResult:
        plan, engine = self.plan, load.result.totals
        evidence = Evidence(
            planned_seconds=float(plan.duration_seconds),
            measured_seconds=load.seconds,
            ended_early=load.ended_early,
            requests=known.requests,
            statuses=known.statuses,
            failures=known.failures,
            stalled=load.stalled,
            totals=totals,
            scrapes=self.recorder.scrapes,
            failed_scrapes=self.recorder.failed_scrapes,
            series=self.recorder.store,
            route=self._info.route,
            connections=plan.connections,
            stopped_after_seconds=engine.stopped_after_seconds if engine else (),
            engine_failures=engine.failures if engine else {},
        )
        return RunResult(
            info=self._info,
            soak_command=plan.soak_command,
            command=load.command,
            instance=self.registration.instance,
            evidence=evidence,
            quantiles=known.quantiles,
            judgement=judge(evidence, plan.bounds, plan.warn),
            versions={
                "llm-router-soak": __version__,
                plan.engine.name: plan.engine_version,
                "python": platform.python_version(),
            },
            inputs=plan.inputs,
            engine_totals=engine,
            output=load.result.output,
            preflight=plan.preflight,
            alerts=self._alerts(),
        )

    def _alerts(self) -> list[str] | None:
        """Names of the alerts that fired during the run, the one that always fires aside."""
        if self.prometheus is None:
            return None
        try:
            series = self.prometheus.query_range(
                'ALERTS{alertstate="firing",alertname!="Watchdog"}',
                self._info.start_timestamp_seconds,
                self.clock.wall(),
                SCRAPE_INTERVAL_SECONDS,
            )
        except QueryError:
            return None
        return sorted({each.label("alertname") or "" for each in series})
