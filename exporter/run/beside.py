"""What is done beside a run's load, so that it can be watched, and is not lost where it is killed.

Every few seconds it is looked at and judged; every half minute what is known is written down.
"""

import platform
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from exporter import __version__
from exporter.clock import Clock
from exporter.errors import QueryError
from exporter.live.figures import Quantiles
from exporter.live.message import RunInfo
from exporter.live.status import RunStatus
from exporter.run.judging import JUDGE_SECONDS, Judge, published
from exporter.run.killed_notes import MAX_SPANS, NOTE_SECONDS, CourseFile, NotedCourse, NotedPlan
from exporter.run.phases import Phases
from exporter.run.plan import RunPlan
from exporter.run.progress import Progress
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.recorder import Recorder
from exporter.run.registration import Registration
from exporter.run.rounds import Rounds, Task
from exporter.run.second_log import SecondLog
from exporter.run.spool import SpooledStore
from exporter.run.surroundings import LOOK_SECONDS, Around
from exporter.run.time_gaps import TimeGaps
from exporter.run.warmup import WarmUp
from exporter.verdict.evidence import Evidence, Watching
from exporter.verdict.finding import Span
from exporter.verdict.judgement import Judgement


@dataclass(frozen=True)
class Beside:
    """What the tasks beside the load need of its run."""

    registration: Registration
    recorder: Recorder
    store: SpooledStore
    seconds: SecondLog | None
    """None of a load that somebody else sends, as `warmup`"""
    judge: Judge
    warmup: WarmUp | None
    phases: Phases
    gaps: TimeGaps
    course: CourseFile
    is_target: bool
    prometheus: PrometheusClient | None
    clock: Clock

    def rounds(self, progress: Progress, so_far: Callable[[], Evidence | None]) -> Rounds:
        """All that is done in turn while the run goes on; `so_far` is what is known of it."""
        exporter = self.registration.exporter.beside()
        around = Around(
            self.recorder,
            self.is_target,
            self.prometheus.beside() if self.prometheus else None,
            lambda: progress.last_status.successes if progress.last_status else 0,
            self.clock,
        )
        found: list[Judgement] = []

        def look() -> None:
            around.look()
            progress.around = around.latest

        def judge() -> None:
            evidence = so_far()
            if evidence is not None:
                found[:] = [self.judge.judge(evidence)]
                progress.judged(found[0])
                self.judge.publish(found[0], self.clock.wall(), True, exporter, around.latest)

        def note() -> None:
            known = progress.last_status
            if known is not None:
                after_warmup = None
                if self.warmup is not None:
                    durations = None
                    with suppress(QueryError):
                        durations = exporter.durations(known.run)
                    after_warmup = self.warmup.quantiles_of(durations)
                    known = replace(known, streams=self.warmup.streams_of(durations, known.streams))
                self.course.add(self._noted(known, after_warmup, found, around))
                self.store.sync()

        rounds = Rounds(
            (
                Task("the state of router and host", look, LOOK_SECONDS),
                Task("the verdict so far", judge, JUDGE_SECONDS),
                Task("what a kill would leave", note, NOTE_SECONDS),
            ),
            self.clock,
        )
        progress.problems = lambda: rounds.problems
        return rounds

    def _noted(
        self, known: RunStatus, after_warmup: Quantiles | None, found: Sequence[Judgement], around: Around
    ) -> NotedCourse:
        at, seconds = self.clock.wall(), self.seconds
        gaps = None if seconds is None else seconds.success_gaps
        return NotedCourse(
            at=at,
            load_seconds=self.phases.load_seconds(),
            status=known,
            after_warmup=after_warmup,
            scrapes=self.recorder.scrapes,
            failed_scrapes=self.recorder.failed_scrapes,
            phases=self.phases.spans(),
            time_gaps=tuple(self.gaps.found[-MAX_SPANS:]),
            success_gaps=None if gaps is None else _longest(gaps),
            unknown_gaps=() if seconds is None else _longest(seconds.unknown_gaps),
            min_success_gap_seconds=0.0 if seconds is None else seconds.min_success_gap_seconds,
            others=dict(self.registration.others),
            findings=published(known.run, found[0], at, True, around.latest) if found else None,
        )


def noted_plan_of(plan: RunPlan, info: RunInfo, watching: Watching, instance: str) -> NotedPlan:
    """What is noted of a run as it begins."""
    return NotedPlan(
        info=info,
        inputs=plan.inputs,
        soak_command=plan.soak_command,
        command=(plan.engine.name,),
        instance=instance,
        watching=watching,
        versions=versions_of(plan),
        preflight=plan.preflight,
    )


def versions_of(plan: RunPlan) -> dict[str, str]:
    """Of all programs that measure."""
    return {
        "llm-router-soak": __version__,
        plan.engine.name: plan.engine_version,
        "python": platform.python_version(),
    }


def _longest(gaps: Sequence[Span]) -> tuple[Span, ...]:
    """The longest of them, in order."""
    kept = sorted(gaps, key=lambda each: each.seconds)[-MAX_SPANS:]
    return tuple(sorted(kept, key=lambda each: each.since))
