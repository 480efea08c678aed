"""One run from its registration to its files: warm-up, load, drain, judgement."""

import math
import platform
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import EngineError, QueryError
from exporter.live.message import Phase, RunInfo
from exporter.live.status import RunStatus
from exporter.results.folder import RunFolder, base_name, claim_anywhere
from exporter.results.run_files import note_begin, write_results
from exporter.results.run_result import RunResult
from exporter.results.seconds_file import PARTIAL_NAME
from exporter.run.http_answer import printable
from exporter.run.interrupt import Interrupt
from exporter.run.load_phase import Load, run_load
from exporter.run.objectives_file import with_length
from exporter.run.plan import RunPlan
from exporter.run.progress import EVERY_SECONDS, Latest, Progress
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.reconcile import Delivery, Totals, count_of, final_run, in_prometheus, scraped
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.run.second_log import SecondLog
from exporter.run.spool import SpooledStore, spool_places
from exporter.run.time_gaps import TimeGaps
from exporter.run.view import RunView
from exporter.run.watcher import Watcher
from exporter.settings.temporary_folder import temporary_folder
from exporter.verdict.evidence import Count, Evidence, TimeGap, Watching
from exporter.verdict.judgement import judge

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
    claimed = claim_anywhere(plan.results, base_name(info.start_timestamp_seconds, info.label))
    with closing(SpooledStore(spool_places(claimed))) as store:
        try:
            result = _measured(plan, info, watcher, prometheus, view, interrupt, clock, claimed, store)
        except EngineError:
            claimed.release()
            raise
        except BaseException:
            # What was recorded stays where it is.
            claimed.release_if_empty()
            raise
        if plan.baseline is not None:
            result = plan.baseline.judged(result)
        published = write_results(result, claimed, plan.results)
    if published.problem:
        view.warn(published.problem)
    return result, published.files


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
    latest: Latest = recorder.latest if watcher.watching.is_target else _unknown
    seconds = SecondLog(registration, clock, claimed.partial / PARTIAL_NAME)
    progress = Progress(registration, view, latest, seconds.poll)
    try:
        return _Soak(
            plan,
            watcher.watching,
            prometheus,
            interrupt,
            clock,
            recorder,
            store,
            registration,
            progress,
            seconds,
        ).measure()
    finally:
        registration.enter(Phase.FINISHED)


def _unknown(_name: str, /, **_labels: str) -> float | None:
    """What is known of a router that is not watched."""
    return None


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

    @property
    def _info(self) -> RunInfo:
        return self.registration.info

    def measure(self) -> RunResult:
        with TimeGaps(self.clock) as gaps:
            self.recorder.start()
            try:
                load, final, delivery = self._load_and_drain()
            finally:
                self.recorder.stop()
        if delivery and delivery.arrived:
            delivery.publish(self.recorder, self.store)
        known = final or self.registration.status() or self.progress.last_status
        if known is None:
            raise QueryError("neither the engine nor the exporter has counts of the run")
        return self._result(load, known, self._totals(load, final, known), gaps.found)

    def _load_and_drain(self) -> tuple[Load, RunStatus | None, Delivery | None]:
        """What the load left, and of its workers' last reports, where there are any, status and delivery."""
        self.registration.enter(Phase.LOAD)
        with temporary_folder("run") as folder:
            load = run_load(self.plan, self.registration, folder, self.progress, self.interrupt, self.clock)
        ended = self.clock.wall()
        self.registration.enter(Phase.DRAIN)
        run = final_run(self._info, self.registration.token, load.result.messages, self.clock)
        final = None if run is None else RunStatus.of(run, self.clock.monotonic())
        delivery = None
        if final is not None:
            delivery = Delivery(self.registration, load.result.messages, final, self.clock)
            delivery.settle()
        self._drain(delivery)
        self.seconds.poll()
        self.seconds.close(None if run is None else run.counted(math.floor(ended)))
        return load, final, delivery

    def _drain(self, delivery: Delivery | None) -> None:
        """Watch the router for a while without load: some leaks show only then.

        An exporter that was killed meanwhile gets the last reports again.
        """
        started, planned = self.clock.monotonic(), self.plan.drain_seconds
        while not self.interrupt.requested:
            elapsed = self.clock.monotonic() - started
            if elapsed >= planned:
                return
            self.progress.show(Phase.DRAIN, elapsed, planned)
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

    def _result(self, load: Load, known: RunStatus, totals: Totals, gaps: Sequence[TimeGap]) -> RunResult:
        plan, engine = self.plan, load.result.totals
        evidence = Evidence(
            planned_seconds=float(plan.duration_seconds),
            measured_seconds=load.seconds,
            ended_early=load.ended_early,
            aborted=load.aborted,
            max_requests=plan.max_requests,
            requests=known.requests,
            statuses=known.statuses,
            failures=known.failures,
            stalled=load.stalled,
            totals=totals,
            scrapes=self.recorder.scrapes,
            failed_scrapes=self.recorder.failed_scrapes,
            series=self.store,
            watching=self.watching,
            others=self.registration.others,
            route=self._info.route,
            connections=plan.connections,
            stopped_after_seconds=engine.stopped_after_seconds if engine else (),
            engine_failures=engine.failures if engine else {},
            time_gaps=tuple(gaps),
            asked=self._asked(load.seconds),
            allowed_statuses=plan.allowed_statuses,
            seconds=self.seconds.seconds,
        )
        return RunResult(
            info=self._info,
            soak_command=plan.soak_command,
            command=load.command,
            instance=self.registration.instance,
            evidence=evidence,
            quantiles=known.quantiles,
            judgement=judge(evidence, plan.bounds, plan.warn, plan.own),
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

    def _asked(self, load_seconds: float) -> dict[str, tuple[float, ...] | None]:
        """What Prometheus says to the expressions of the user's objectives; `$run` is the load's length."""
        answers: dict[str, tuple[float, ...] | None] = {}
        for expression in (each.statement.promql for each in self.plan.own):
            if expression is None or self.prometheus is None:
                continue
            try:
                found = self.prometheus.query(with_length(expression, load_seconds))
                answers[expression] = tuple(series.values[0] for series in found)
            except QueryError:
                answers[expression] = None
        return answers

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
        return sorted({printable(each.label("alertname") or "") for each in series})
