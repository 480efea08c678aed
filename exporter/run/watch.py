"""A watch from its registration to its files: everything of a run but the load, which somebody else sends."""

import platform
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from exporter import __version__
from exporter.clock import Clock
from exporter.live.message import FailureReason, Phase, RunInfo, StatusClass
from exporter.load.output import EngineOutput
from exporter.results.folder import RunFolder
from exporter.results.run_files import note_begin
from exporter.results.run_result import RunResult
from exporter.run.asked import asked, fired_in
from exporter.run.beside import Beside
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.judging import Judge
from exporter.run.kept import kept_run
from exporter.run.killed_notes import CourseFile, NotedPlan, note_plan
from exporter.run.load_command import LoadCommand
from exporter.run.load_phase import POLL_SECONDS, STOPPED
from exporter.run.phases import Phases
from exporter.run.progress import EVERY_SECONDS, Progress, unknown
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.run.router_metrics import RouterMetrics
from exporter.run.soak import SCRAPE_INTERVAL_SECONDS
from exporter.run.spool import SpooledStore
from exporter.run.time_gaps import TimeGaps
from exporter.run.unwatched import warn_of_unwatched
from exporter.run.view import WatchView
from exporter.run.watch_plan import WatchPlan
from exporter.run.watcher import Watcher, changed
from exporter.verdict.evidence import CommandEnd, EndedBy, Evidence, LoadKnown, Watching
from exporter.verdict.finding import Said
from exporter.verdict.lives import warmed_up
from exporter.verdict.traffic import traffic_of


def run_watch(
    plan: WatchPlan,
    watcher: Watcher,
    prometheus: PrometheusClient | None,
    view: WatchView,
    interrupt: Interrupt,
    clock: Clock,
) -> tuple[RunResult, dict[str, Path]]:
    """Carry out a checked plan; the result and the files it was written to.

    Raises KeyboardInterrupt where an end was asked for before it began, EngineError where the command cannot
    be started.
    """
    interrupt.check()
    info = plan.info(clock.wall())

    def measured(claimed: RunFolder, store: SpooledStore) -> RunResult:
        exporter = watcher.exporter
        recorder = Recorder(watcher.metrics_url, SCRAPE_INTERVAL_SECONDS, clock, exporter.session(), store)
        registration = Registration(info, exporter, clock, Phase.LOAD)
        note_begin(info, plan.inputs, plan.soak_command, claimed)
        with suppress(OSError):
            note_plan(claimed.partial, _noted(plan, info, watcher.watching, registration.instance))
        latest = recorder.latest if watcher.watching.is_target else unknown
        progress = Progress(registration, view, latest)
        judge = Judge(info.run, registration.token, plan.bounds, plan.warn, plan.own, plan.require)
        phases, gaps = Phases(registration, recorder.now), TimeGaps(clock)
        course = CourseFile(claimed.partial)
        beside = Beside(
            *(registration, recorder, store, None, judge, None, phases, gaps),
            *(course, watcher.watching.is_target, prometheus, clock),
        )
        watch = _Watch(
            *(plan, watcher.watching, prometheus, view, interrupt, clock, recorder, store, registration),
            *(progress, judge, phases, gaps, beside, exporter),
        )
        try:
            result = watch.measure()
            judge.publish_at_end(result, clock.wall(), exporter, view.warn)
            return result
        finally:
            registration.enter(Phase.FINISHED)

    return kept_run(plan.results, info, view, measured)


def _noted(plan: WatchPlan, info: RunInfo, watching: Watching, instance: str) -> NotedPlan:
    return NotedPlan(
        info=info,
        inputs=plan.inputs,
        soak_command=plan.soak_command,
        command=plan.shown_command,
        instance=instance,
        watching=watching,
        versions=_versions(),
        preflight=None,
    )


def _versions() -> dict[str, str]:
    return {"llm-router-soak": __version__, "python": platform.python_version()}


@dataclass(frozen=True)
class _Watched:
    """What passed while the router was watched."""

    seconds: float
    ended_early: Said | None = None
    end: CommandEnd | None = None
    output: EngineOutput = field(default_factory=EngineOutput)


@dataclass(frozen=True)
class _Watch:
    plan: WatchPlan
    watching: Watching
    prometheus: PrometheusClient | None
    view: WatchView
    interrupt: Interrupt
    clock: Clock
    recorder: Recorder
    store: SpooledStore
    registration: Registration
    progress: Progress
    judge: Judge
    phases: Phases
    gaps: TimeGaps
    beside: Beside
    exporter: ExporterClient

    def measure(self) -> RunResult:
        own = RouterMetrics(self.plan.router, self.plan.headers, self.clock, self.recorder, self.store)
        with self.gaps:
            self.recorder.start()
            warn_of_unwatched(self.recorder, self.watching, self.progress.warn)
            own.start()
            try:
                with self.beside.rounds(self.progress, self._so_far):
                    watched = self._watch()
                    self._drain()
                    self.phases.end()
            finally:
                own.stop()
                self.recorder.stop()
        return self._result(watched)

    def _watch(self) -> _Watched:
        """Until the command ends, the time is over, or the user ends it."""
        command = LoadCommand(self.plan.command, self.clock) if self.plan.command else None
        self.phases.enter(Phase.LOAD)
        started, by = self.clock.monotonic(), EndedBy.USER
        try:
            by = self._until(started, command)
        finally:
            # However this ends, no load goes on.
            end = command.stop(by) if command else None
        seconds = self.clock.monotonic() - started
        early = by == EndedBy.USER and (command is not None or self.plan.duration_seconds is not None)
        if command is None or end is None:
            return _Watched(seconds, STOPPED if early else None)
        self._show_output(command)
        if end.by == EndedBy.DURATION:
            self.progress.warn("the load command was ended: its --duration is over")
        early = early and end.by != EndedBy.ITSELF
        return _Watched(seconds, STOPPED if early else None, end, command.output)

    def _until(self, started: float, command: LoadCommand | None) -> EndedBy:
        shown, planned = -EVERY_SECONDS, self.plan.duration_seconds
        while True:
            if command is not None:
                self._show_output(command)
                if command.poll() is not None:
                    return EndedBy.ITSELF
            now = self.clock.monotonic()
            if planned is not None and now - started >= planned:
                return EndedBy.DURATION
            if now - shown >= EVERY_SECONDS:
                shown = now
                self.progress.show(Phase.LOAD, now - started, float(planned or 0))
            left = POLL_SECONDS if planned is None else min(POLL_SECONDS, started + planned - now)
            if self.interrupt.wait(left):
                return EndedBy.USER

    def _show_output(self, command: LoadCommand) -> None:
        if lines := command.said():
            self.view.printed(lines)

    def _drain(self) -> None:
        """Watch the router after the load: some leaks show only then."""
        if not self.plan.drain_seconds:
            return
        self.phases.enter(Phase.DRAIN)
        started = self.clock.monotonic()
        while not self.interrupt.requested:
            elapsed = self.clock.monotonic() - started
            if elapsed >= self.plan.drain_seconds:
                return
            self.progress.show(Phase.DRAIN, elapsed, self.plan.drain_seconds)
            self.interrupt.wait(min(EVERY_SECONDS, self.plan.drain_seconds - elapsed))

    def _so_far(self) -> Evidence:
        seconds = self.phases.load_seconds()
        return Evidence(**self._common(seconds), ended_early=None, totals={}, so_far=True)

    def _common(self, seconds: float) -> dict[str, Any]:
        """The evidence that there is at any time."""
        phases = self.phases.spans()
        planned = seconds if self.plan.command else float(self.plan.duration_seconds or seconds)
        return {
            "load_known": LoadKnown.NOTHING,
            "has_command": bool(self.plan.command),
            "planned_seconds": planned,
            "measured_seconds": seconds,
            "requests": dict.fromkeys(StatusClass, 0),
            "statuses": {},
            "failures": dict.fromkeys(FailureReason, 0),
            "stalled": 0,
            "scrapes": self.recorder.scrapes,
            "failed_scrapes": self.recorder.failed_scrapes,
            "series": self.store,
            "watching": self.watching,
            "time_gaps": tuple(self.gaps.found),
            "phases": warmed_up(phases) if self.plan.command else phases,
            "instance": self.registration.instance,
        }

    def _result(self, watched: _Watched) -> RunResult:
        plan, info = self.plan, self.registration.info
        evidence = Evidence(
            **self._common(watched.seconds),
            ended_early=watched.ended_early,
            # A Prometheus that was asked: where its alerts are not known it gave no answer.
            totals={} if self.prometheus is None else {"prometheus": None},
            command=watched.end,
            asked=asked(self.prometheus, plan.own, watched.seconds),
            alerts=fired_in(self.prometheus, info, self.clock),
            exporter_changed=changed(self.watching, self.exporter, info.target),
        )
        if watched.ended_early is not None and plan.duration_seconds is not None:
            evidence = replace(evidence, planned_seconds=float(plan.duration_seconds))
        return RunResult(
            info=info,
            soak_command=plan.soak_command,
            command=plan.shown_command,
            instance=self.registration.instance,
            evidence=evidence,
            quantiles={},
            whole_quantiles={},
            judgement=self.judge.judge(evidence),
            versions=_versions(),
            inputs=plan.inputs,
            engine_totals=None,
            output=watched.output,
            traffic=traffic_of(evidence),
        )
