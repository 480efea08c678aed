"""One run from its registration to its files: warm-up, load, rest, drain, judgement."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.figures import Quantiles
from exporter.live.message import Phase, RunInfo
from exporter.live.run import Run
from exporter.live.status import RunStatus
from exporter.results.folder import RunFolder
from exporter.results.run_files import note_begin
from exporter.results.run_result import RunResult
from exporter.results.seconds_file import PARTIAL_NAME
from exporter.run.asked import asked, fired_in
from exporter.run.beside import Beside, noted_plan_of, versions_of
from exporter.run.exporter_client import ExporterClient
from exporter.run.generator_watch import GeneratorWatch
from exporter.run.interrupt import Interrupt
from exporter.run.judging import Judge
from exporter.run.kept import kept_run
from exporter.run.killed_notes import CourseFile, note_plan
from exporter.run.load_phase import Load, run_load
from exporter.run.phases import Phases
from exporter.run.plan import RunPlan
from exporter.run.progress import EVERY_SECONDS, Latest, Progress, unknown
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.reconcile import Delivery, Totals, count_of, final_run, in_prometheus, scraped
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.run.router_metrics import RouterMetrics
from exporter.run.second_log import SecondLog
from exporter.run.spool import SpooledStore
from exporter.run.time_gaps import TimeGaps
from exporter.run.unwatched import warn_of_unwatched
from exporter.run.view import RunView
from exporter.run.warmup import WarmUp
from exporter.run.watcher import Watcher, changed
from exporter.settings.temporary_folder import temporary_folder
from exporter.verdict.evidence import Count, Evidence, Watching

SCRAPE_INTERVAL_SECONDS = 5.0


def run_soak(
    plan: RunPlan,
    watcher: Watcher,
    prometheus: PrometheusClient | None,
    view: RunView,
    interrupt: Interrupt,
    clock: Clock,
) -> tuple[RunResult, dict[str, Path]]:
    """Run a checked plan to its end; the result and the files it was written to.

    Raises KeyboardInterrupt where an end was asked for before it began.
    """
    interrupt.check()
    info = plan.info(clock.wall())

    def measured(claimed: RunFolder, store: SpooledStore) -> RunResult:
        return _measured(plan, info, watcher, prometheus, view, interrupt, clock, claimed, store)

    return kept_run(plan.results, info, view, measured)


def _measured(
    plan: RunPlan,
    info: RunInfo,
    watcher: Watcher,
    prometheus: PrometheusClient | None,
    view: RunView,
    interrupt: Interrupt,
    clock: Clock,
    claimed: RunFolder,
    store: SpooledStore,
) -> RunResult:
    exporter = watcher.exporter
    recorder = Recorder(watcher.metrics_url, SCRAPE_INTERVAL_SECONDS, clock, exporter.session(), store)
    registration = Registration(info, exporter, clock, Phase.WARMUP)
    note_begin(info, plan.inputs, plan.soak_command, claimed)
    with suppress(OSError):
        note_plan(claimed.partial, noted_plan_of(plan, info, watcher.watching, registration.instance))
    latest: Latest = recorder.latest if watcher.watching.is_target else unknown
    seconds = SecondLog(registration, clock, claimed.partial / PARTIAL_NAME)
    progress = Progress(registration, view, latest, seconds.poll)
    judge = Judge(info.run, registration.token, plan.bounds, plan.warn, plan.own, plan.require)
    warmup, phases, gaps = WarmUp(registration), Phases(registration, recorder.now), TimeGaps(clock)
    soak = _Soak(
        *(plan, watcher.watching, prometheus, interrupt, clock, recorder, store, registration, progress),
        *(seconds, judge, warmup, phases, gaps, GeneratorWatch(clock)),
        Beside(
            *(registration, recorder, store, seconds, judge, warmup, phases, gaps),
            *(CourseFile(claimed.partial), watcher.watching.is_target, prometheus, clock),
        ),
        exporter,
    )
    try:
        result = soak.measure()
        if plan.baseline is not None:
            result = plan.baseline.judged(result)
        judge.publish_at_end(result, clock.wall(), exporter, view.warn)
        return result
    finally:
        registration.enter(Phase.FINISHED)


@dataclass(frozen=True)
class _Soak:
    plan: RunPlan
    watching: Watching
    prometheus: PrometheusClient | None
    interrupt: Interrupt
    clock: Clock
    recorder: Recorder
    store: SpooledStore
    registration: Registration
    progress: Progress
    seconds: SecondLog

    judge: Judge
    warmup: WarmUp
    phases: Phases
    gaps: TimeGaps
    generator: GeneratorWatch
    beside: Beside
    exporter: ExporterClient

    @property
    def _info(self) -> RunInfo:
        return self.registration.info

    def measure(self) -> RunResult:
        api, headers = self.plan.router, self.plan.workload.headers
        own = RouterMetrics(api, headers, self.clock, self.recorder, self.store)
        with self.gaps:
            self.recorder.start()
            warn_of_unwatched(self.recorder, self.watching, self.progress.warn)
            own.start()
            try:
                with self.beside.rounds(self.progress, self._so_far):
                    load, run, delivery = self._load_and_drain()
            finally:
                own.stop()
                self.recorder.stop()
        if delivery and delivery.arrived:
            delivery.publish(self.recorder, self.store)
        final = None if run is None else RunStatus.of(run, self.clock.monotonic())
        known = final or self.registration.status() or self.progress.last_status
        if known is None:
            raise QueryError("neither the engine nor the exporter has counts of the run")
        known = replace(known, streams=self.warmup.streams_after(run, known.streams))
        after_warmup = self.warmup.quantiles_after(run)
        return self._result(load, known, after_warmup, self._totals(load, final, known))

    def _so_far(self) -> Evidence | None:
        """What is known of the run under way; None before anything is."""
        known = self.progress.last_status
        if known is None:
            return None
        return Evidence(
            **self._common(known),
            measured_seconds=self.phases.load_seconds(),
            ended_early=None,
            stalled=known.stalled,
            totals={},
            so_far=True,
        )

    def _common(self, known: RunStatus) -> dict[str, Any]:
        """The evidence that there is at any time."""
        return {
            "planned_seconds": float(self.plan.duration_seconds),
            "varies_prompts": self.plan.varies_prompts,
            "max_requests": self.plan.max_requests,
            "requests": known.requests,
            "statuses": known.statuses,
            "failures": known.failures,
            "scrapes": self.recorder.scrapes,
            "failed_scrapes": self.recorder.failed_scrapes,
            "series": self.store,
            "watching": self.watching,
            "others": dict(self.registration.others),
            "route": self.plan.workload.route,
            "connections": self.plan.connections,
            "allowed_statuses": self.plan.allowed_statuses,
            "seconds": self.seconds.seconds,
            "success_gaps": self.seconds.success_gaps,
            "unknown_gaps": self.seconds.unknown_gaps,
            "min_success_gap_seconds": self.seconds.min_success_gap_seconds,
            "longest_request": known.longest_request,
            "stall_after_seconds": self.plan.stall_after_seconds,
            "time_gaps": tuple(self.gaps.found),
            "phases": self.phases.spans(),
            "generator": self.generator.result(),
            "instance": self.registration.instance,
            "pairs": self._info.pairs,
            "engine": self._info.engine,
            "goodput": self._info.goodput,
            "requests_per_second": self.plan.shape.rate if self.plan.shape else None,
            "streams": known.streams,
            "median_seconds": known.quantiles["0.5"],
        }

    def _load_and_drain(self) -> tuple[Load, Run | None, Delivery | None]:
        """What the load left, and of its workers' last reports, where there are any, the run and delivery."""
        self.phases.enter(Phase.WARMUP if self.plan.warmup_seconds else Phase.LOAD)
        with temporary_folder("run") as folder:
            load = run_load(
                *(self.plan, self.registration, folder, self.phases),
                *(self.progress, self.interrupt, self.clock),
                warmed=self.warmup.end,
                rest=self._rest,
                look=self.generator.look,
            )
        ended = self.clock.wall()
        self.phases.enter(Phase.DRAIN)
        run = self._final_run(load)
        delivery = self._delivery(load, run)
        if delivery:
            delivery.settle()
        self._wait(Phase.DRAIN, self.plan.drain_seconds, delivery)
        self.seconds.poll()
        self.seconds.close(run, ended)
        self.phases.end()
        return load, run, delivery

    def _rest(self, load: Load) -> None:
        """The router has a pause: what settles does so now, and counts return."""
        self._wait(Phase.REST, self.plan.rest_seconds, self._delivery(load, self._final_run(load)))

    def _final_run(self, load: Load) -> Run | None:
        """The run as its workers' last reports make it; None where they left none."""
        messages, gaps = load.result.messages, self.seconds.gaps_state
        return final_run(self._info, self.registration.token, messages, self.clock, gaps)

    def _delivery(self, load: Load, run: Run | None) -> Delivery | None:
        if run is None:
            return None
        status = RunStatus.of(run, self.clock.monotonic())
        return Delivery(self.registration, load.result.messages, status, self.clock)

    def _wait(self, phase: Phase, planned: float, delivery: Delivery | None) -> None:
        """Watch the router for a while without load: some leaks show only then.

        An exporter that was killed meanwhile gets the last reports again.
        """
        started = self.clock.monotonic()
        while not self.interrupt.requested:
            elapsed = self.clock.monotonic() - started
            if elapsed >= planned:
                return
            self.progress.show(phase, elapsed, planned)
            if delivery:
                delivery.repeat()
            self.interrupt.wait(min(EVERY_SECONDS, planned - elapsed))

    def _totals(self, load: Load, final: RunStatus | None, known: RunStatus) -> Totals:
        engine = load.result.totals
        status = self.registration.status()
        totals: Totals = {
            # wrk does not count every loss; its responses are what can be compared with the others.
            "engine": Count(engine.requests, None) if engine else None,
            "live": count_of(final) if final else None,
            "exporter": count_of(status) if status else None,
            "scraped": scraped(self._info, self.store),
        }
        if self.prometheus is not None:
            totals["prometheus"] = in_prometheus(
                self._info,
                self.prometheus,
                self.store,
                count_of(known),
                self.clock,
                self.registration.instance,
            )
        return totals

    def _result(
        self, load: Load, known: RunStatus, after_warmup: Quantiles | None, totals: Totals
    ) -> RunResult:
        plan, engine = self.plan, load.result.totals
        evidence = Evidence(
            **self._common(known),
            measured_seconds=load.seconds,
            ended_early=load.ended_early,
            aborted=load.aborted,
            stalled=load.stalled,
            totals=totals,
            stopped_after_seconds=engine.stopped_after_seconds if engine else (),
            engine_failures=engine.failures if engine else {},
            asked=asked(self.prometheus, plan.own, load.seconds),
            alerts=fired_in(self.prometheus, self._info, self.clock),
            long_seen=load.result.long_seen,
            exporter_changed=changed(self.watching, self.exporter, self._info.target),
        )
        return RunResult(
            info=self._info,
            soak_command=plan.soak_command,
            command=load.command,
            instance=self.registration.instance,
            evidence=evidence,
            quantiles=after_warmup or known.quantiles,
            whole_quantiles=known.quantiles,
            judgement=self.judge.judge(evidence),
            versions=versions_of(plan),
            inputs=plan.inputs,
            engine_totals=engine,
            output=load.result.output,
            preflight=plan.preflight,
        )
