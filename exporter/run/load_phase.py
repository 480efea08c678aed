"""The load of a run: the engine from its start to what it leaves."""

from dataclasses import dataclass
from pathlib import Path

from exporter.clock import Clock
from exporter.errors import EngineError
from exporter.live.message import Phase
from exporter.load.engine import EngineTotals, LoadPlan, LoadResult, RunningLoad
from exporter.run.error_ratio import ErrorRatio
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.progress import EVERY_SECONDS, Progress
from exporter.run.registration import Registration
from exporter.verdict.finding import Said, verbatim

POLL_SECONDS = 0.2
OVERRUN_SECONDS = 30.0


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
    progress: Progress,
    interrupt: Interrupt,
    clock: Clock,
) -> Load:
    """Start the engine, show its progress until it ends, and collect what it leaves.

    `folder` is empty and the engine's own. Raises EngineError where nothing could be measured.
    """
    wanted = LoadPlan(
        token=registration.token,
        workload=plan.workload,
        connections=plan.connections,
        duration_seconds=plan.duration_seconds,
        max_requests=plan.max_requests,
        ingest_host=registration.ingest_host,
        ingest_port=registration.ingest_port,
        folder=folder,
        say=progress.warn,
    )
    try:
        running = plan.engine.start(wanted)
    except OSError as error:
        raise EngineError(f"{plan.engine.name}: cannot be started ({error})") from error
    started = clock.monotonic()
    ratio = ErrorRatio(plan.abort_on_error_ratio)
    ended_early, aborted, problem = None, None, None
    try:
        ended_early, aborted = _watch(running, plan, started, progress, ratio, interrupt, clock)
    except EngineError as error:
        problem = error
    finally:
        running.stop()
        result = running.result()
    progress.quote(result.report)
    if problem is not None and result.totals is not None:
        progress.warn(str(problem))  # of the script's done(): the load was over
    elif problem is not None:
        status = registration.status() or progress.last_status
        if status is None or status.responses == status.failed == 0:
            raise problem
        ended_early = verbatim(str(problem))
    elif result.totals is None and not ended_early:
        name = plan.engine.name
        ended_early = Said(f"{name} died before it could give its totals", f"{name} が集計を出す前に異常終了")
    seconds = _seconds(result.totals, plan) if result.totals else clock.monotonic() - started
    return Load(running.command, result, seconds, ended_early, aborted, _stalled(result, plan, progress))


def _seconds(totals: EngineTotals, plan: RunPlan) -> float:
    """How long the load lasted; wrk goes on for its time where every thread has stopped."""
    stopped = totals.stopped_after_seconds
    return max(stopped) if len(stopped) == plan.connections else totals.duration_seconds


def _watch(
    running: RunningLoad,
    plan: RunPlan,
    started: float,
    progress: Progress,
    ratio: ErrorRatio,
    interrupt: Interrupt,
    clock: Clock,
) -> tuple[Said | None, Said | None]:
    """Show progress until the load ends; why it ended early, and the same where it was lost."""
    shown = 0.0
    while running.poll() is None:
        now = clock.monotonic()
        if now - started > plan.duration_seconds + OVERRUN_SECONDS:
            return Said(
                f"{plan.engine.name} did not end by itself", f"{plan.engine.name} が自ら終了せず"
            ), None
        if now - shown >= EVERY_SECONDS:
            shown = now
            lost = ratio.lost(now, progress.show(Phase.LOAD, now - started, plan.duration_seconds))
            if lost is not None:
                return lost, lost
        if interrupt.wait(POLL_SECONDS):
            return Said("stopped by the user", "利用者が停止"), None
    return None, None


def _stalled(result: LoadResult, plan: RunPlan, progress: Progress) -> int:
    """From the workers' last reports; as last seen where the engine left none."""
    if not result.messages:
        return progress.last_status.stalled if progress.last_status else 0
    longest_ms = plan.stall_after_seconds * 1000
    return sum(
        {each.worker: each.in_flight for each in result.messages if each.waiting_ms > longest_ms}.values()
    )
