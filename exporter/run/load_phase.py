"""The load of a run: the engine from its start to what it leaves."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from exporter.clock import Clock
from exporter.errors import EngineError
from exporter.live.long_seen import both_seen
from exporter.live.message import Phase
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult, RunningLoad
from exporter.run.error_ratio import ErrorRatio
from exporter.run.interrupt import Interrupt
from exporter.run.phases import Phases
from exporter.run.plan import RunPlan, Stretch
from exporter.run.progress import EVERY_SECONDS, Progress
from exporter.run.registration import Registration
from exporter.verdict.finding import Said, verbatim

POLL_SECONDS = 0.2
OVERRUN_SECONDS = 30.0
STOPPED = Said("stopped by the user", "利用者が停止")


@dataclass(frozen=True)
class Load:
    """What a load left, and how it ended."""

    command: tuple[str, ...]
    result: LoadResult
    seconds: float
    """while at least one connection was under load"""
    ended_early: Said | None
    """why it ended before its time"""
    aborted: Said | None
    """the same, where it was lost"""
    stalled: int
    """connections whose attempt was in flight for too long when it ended"""


def run_load(
    plan: RunPlan,
    registration: Registration,
    folder: Path,
    phases: Phases,
    progress: Progress,
    interrupt: Interrupt,
    clock: Clock,
    warmed: Callable[[], bool] = lambda: True,
    rest: Callable[[Load], None] = lambda _load: None,
    look: Callable[[tuple[int, ...]], None] = lambda _pids: None,
) -> Load:
    """Start the engine, show its progress until it ends, and collect what it leaves; with a rest do it twice.

    `warmed` is asked once the warm-up is over, and again until it says that it need not be. `rest` passes
    the time between two stretches, and gets what the first has left. `look` gets the engine's processes,
    several times a second. `folder` is empty; the first start has its files in `0` there, the second in `1`.
    Raises EngineError where nothing could be measured.
    """
    run = _Running(plan, registration, folder, phases, progress, interrupt, clock, warmed, look)
    load = run.stretch(plan.stretches[0])
    for stretch in plan.stretches[1:]:
        if load.ended_early or interrupt.requested:
            break
        phases.enter(Phase.REST)
        rest(load)
        if interrupt.requested:
            return replace(load, ended_early=STOPPED)
        phases.enter(Phase.LOAD)
        try:
            load = _joined(load, run.stretch(stretch, load.seconds))
        except EngineError as error:  # what was measured stays
            return replace(load, ended_early=verbatim(str(error)))
    return load


def _joined(first: Load, second: Load) -> Load:
    totals = (first.result.totals, second.result.totals)
    result = LoadResult(
        totals=totals[0] + totals[1] if totals[0] and totals[1] else None,
        # Those of the first alone are not all: then the exporter knows more.
        messages=first.result.messages + second.result.messages if second.result.messages else (),
        output=first.result.output + second.result.output,
        long_seen=both_seen(first.result.long_seen, second.result.long_seen),
    )
    return replace(
        second, result=result, seconds=first.seconds + second.seconds, stalled=first.stalled + second.stalled
    )


@dataclass
class _Running:
    """What a stretch of load needs."""

    plan: RunPlan
    registration: Registration
    folder: Path
    phases: Phases
    progress: Progress
    interrupt: Interrupt
    clock: Clock
    warmed: Callable[[], bool]
    look: Callable[[tuple[int, ...]], None]

    def stretch(self, stretch: Stretch, before: float = 0.0) -> Load:
        """One of them, after so many seconds of load."""
        plan, progress = self.plan, self.progress
        folder = self.folder / str(plan.stretches.index(stretch))
        folder.mkdir()
        wanted = LoadPlan(
            token=self.registration.token,
            workload=plan.workload,
            connections=plan.connections,
            duration_seconds=stretch.seconds,
            max_requests=stretch.max_requests,
            stall_after_seconds=plan.stall_after_seconds,
            first_worker=stretch.first_worker,
            ingest_host=self.registration.ingest_host,
            ingest_port=self.registration.ingest_port,
            folder=folder,
            say=progress.warn,
        )
        try:
            running = plan.engine.start(wanted)
        except OSError as error:
            raise EngineError(f"{plan.engine.name}: cannot be started ({error})") from error
        started = self.clock.monotonic()
        ended_early, aborted, problem = None, None, None
        try:
            ended_early, aborted = self._watch(running, stretch, started, before)
        except EngineError as error:
            problem = error
        finally:
            running.stop()
            result = running.result()
        progress.quote(result.report)
        if problem is not None and result.totals is not None:
            progress.warn(str(problem))  # of the script's done(): the load was over
        elif problem is not None:
            status = self.registration.status() or progress.last_status
            if status is None or status.responses == status.failed == 0:
                raise problem
            ended_early = verbatim(str(problem))
        elif result.totals is None and not ended_early:
            name = plan.engine.name
            ended_early = Said(
                f"{name} died before it could give its totals", f"{name} が集計を出す前に異常終了"
            )
        seconds = _seconds(result.totals, plan) if result.totals else self.clock.monotonic() - started
        return Load(running.command, result, seconds, ended_early, aborted, _stalled(result, plan, progress))

    def _watch(
        self, running: RunningLoad, stretch: Stretch, started: float, before: float
    ) -> tuple[Said | None, Said | None]:
        """Show progress until the load ends; why it ended early, and the same where it was lost."""
        plan, ratio, shown = self.plan, ErrorRatio(self.plan.abort_on_error_ratio), 0.0
        warm = self.phases.current != Phase.WARMUP
        while running.poll() is None:
            now = self.clock.monotonic()
            self.look(running.pids)
            if now - started > stretch.seconds + OVERRUN_SECONDS:
                return Said(
                    f"{plan.engine.name} did not end by itself", f"{plan.engine.name} が自ら終了せず"
                ), None
            if self.phases.current == Phase.WARMUP and now - started >= plan.warmup_seconds:
                self.phases.enter(Phase.LOAD)
                warm = self.warmed()
            if now - shown >= EVERY_SECONDS:
                shown = now
                warm = warm or self.phases.current == Phase.WARMUP or self.warmed()
                elapsed = before + now - started
                lost = ratio.lost(
                    now, self.progress.show(self.phases.current, elapsed, plan.duration_seconds)
                )
                if lost is not None:
                    return lost, lost
            if self.interrupt.wait(POLL_SECONDS):
                return STOPPED, None
        return None, None


def _seconds(totals: EngineTotals, plan: RunPlan) -> float:
    """How long the load lasted; wrk goes on for its time where every thread has stopped."""
    stopped = totals.stopped_after_seconds
    return max(stopped) if len(stopped) == plan.connections else totals.duration_seconds


def _stalled(result: LoadResult, plan: RunPlan, progress: Progress) -> int:
    """From the workers' last reports; as last seen where the engine left none."""
    if not result.messages:
        return progress.last_status.stalled if progress.last_status else 0
    longest_ms = plan.stall_after_seconds * 1000
    return sum(
        {
            each.worker: each.stalled or each.in_flight
            for each in result.messages
            if each.waiting_ms > longest_ms
        }.values()
    )
