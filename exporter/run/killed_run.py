"""A run that was killed, as far as it is on disk: judged by that, and written like one that has ended.

It is incomplete, and so inconclusive at best; what it had found to fail fails.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.live.findings import Outcome, PublishedFinding
from exporter.live.message import Phase
from exporter.live.seconds import Seconds
from exporter.load.output import EngineOutput
from exporter.results.folder import PARTIAL, RunFolder
from exporter.results.publication import Published
from exporter.results.run_files import write_results
from exporter.results.run_result import RunResult, WatchInputs
from exporter.results.seconds_file import PARTIAL_NAME, read_seconds
from exporter.run.killed_notes import NotedCourse, NotedPlan, noted_course, noted_plan
from exporter.run.killed_series import KilledSeries
from exporter.run.spool import NAME
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Finding, Said, Span, overall, verbatim
from exporter.verdict.judgement import Judgement, judge
from exporter.verdict.lives import warmed_up
from exporter.verdict.traffic import traffic_of

KILLED = Said("the run was killed; what is known of it ends here", "実行が強制終了された。記録はここまで")
NOTHING_NOTED = "it was killed before anything was counted; the folder has nothing to report"


def is_killed(folder: Path) -> bool:
    """Whether it is the folder of a run that was not written to its end."""
    return (folder / PARTIAL).is_dir() and not (folder / "run.json").exists()


@contextmanager
def under_way(partial: Path) -> Iterator[None]:
    """While entered the run goes on, also for other programs: a lock that ends with this process.

    Where the file system knows no locks there is none.
    """
    folder = _opened(partial)
    try:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(folder)


def _opened(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def write_killed(folder: Path) -> Published:
    """The files of a run that was killed, made from its `partial/`, which goes where all could be written.

    Raises ConfigurationError where the run goes on, or nothing is known of it.
    """
    claimed = RunFolder(folder.parent, folder.name, folder.name)
    try:
        lock = _opened(claimed.partial)
    except OSError as error:
        raise ConfigurationError(f"{claimed.partial}: cannot be read ({error.strerror})") from error
    try:
        return _written(claimed, lock)
    finally:
        os.close(lock)


def _written(claimed: RunFolder, lock: int) -> Published:
    with suppress(OSError):  # a file system without locks
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigurationError(
                f"{claimed.details}: this run goes on; what it has seen so far is in {PARTIAL}/"
            ) from None
    plan, course = noted_plan(claimed.partial), noted_course(claimed.partial)
    if course is None:
        raise ConfigurationError(f"{claimed.details}: {NOTHING_NOTED}")
    with _series(claimed.partial) as series:
        result = _result(plan, course, series, _seconds(claimed.partial))
        return write_results(result, claimed, claimed.results)


@contextmanager
def _series(partial: Path) -> Iterator[SeriesStore]:
    try:
        store = KilledSeries(partial / NAME)
    except OSError:
        yield SeriesStore()
        return
    with closing(store):
        yield store


def _seconds(partial: Path) -> Seconds:
    try:
        return read_seconds(partial / PARTIAL_NAME)
    except ConfigurationError:
        return Seconds()


def _result(plan: NotedPlan, course: NotedCourse, series: SeriesStore, seconds: Seconds) -> RunResult:
    evidence = _evidence(plan, course, series, seconds)
    return RunResult(
        info=plan.info,
        soak_command=plan.soak_command,
        command=plan.command,
        instance=plan.instance,
        evidence=evidence,
        quantiles=(course.after_warmup or course.status.quantiles) if plan.info.sends else {},
        whole_quantiles=course.status.quantiles if plan.info.sends else {},
        judgement=_judgement(plan, course, evidence),
        versions=plan.versions,
        inputs=plan.inputs,
        engine_totals=None,
        output=EngineOutput(),
        preflight=plan.preflight,
        traffic=traffic_of(evidence) if evidence.load_known == LoadKnown.NOTHING else None,
        incomplete=KILLED.english,
    )


def _evidence(plan: NotedPlan, course: NotedCourse, series: SeriesStore, seconds: Seconds) -> Evidence:
    status, inputs = course.status, plan.inputs
    in_drain = bool(course.phases) and course.phases[-1].phase == Phase.DRAIN
    known = Evidence(
        requests=status.requests,
        statuses=status.statuses,
        failures=status.failures,
        planned_seconds=float(inputs.duration_seconds or course.load_seconds),
        measured_seconds=course.load_seconds,
        ended_early=KILLED,
        stalled=0 if in_drain else status.stalled,
        totals={},
        scrapes=course.scrapes,
        failed_scrapes=course.failed_scrapes,
        series=series,
        watching=plan.watching,
        others=course.others,
        time_gaps=course.time_gaps,
        phases=course.phases,
        engine=plan.info.engine,
    )
    if isinstance(inputs, WatchInputs):
        phases = warmed_up(course.phases) if plan.command else course.phases
        nothing = LoadKnown.NOTHING
        return replace(known, load_known=nothing, has_command=bool(plan.command), phases=phases)
    return replace(
        known,
        route=plan.info.route or known.route,
        max_requests=inputs.max_requests,
        connections=inputs.connections,
        seconds=seconds,
        success_gaps=course.success_gaps,
        unknown_gaps=course.unknown_gaps,
        min_success_gap_seconds=course.min_success_gap_seconds,
        longest_request=status.longest_request,
        allowed_statuses=frozenset(inputs.allowed_statuses),
        varies_prompts=inputs.script is not None or inputs.requests_in_mix not in (None, 1),
        goodput=plan.info.goodput,
        requests_per_second=inputs.rate,
        streams=status.streams,
        median_seconds=status.quantiles["0.5"],
    )


def _judgement(plan: NotedPlan, course: NotedCourse, evidence: Evidence) -> Judgement:
    """By the record; what the run itself had found to fail stands, and so do the user's own objectives."""
    judged = judge(evidence, plan.inputs.bounds, plan.inputs.warn, require=plan.inputs.require)
    noted = {each.check: each for each in course.findings.findings} if course.findings else {}
    findings = [
        _noted(noted[each.check])
        if each.check in noted and noted[each.check].outcome == Outcome.FAIL != each.outcome
        else each
        for each in judged.findings
    ]
    known = {each.check for each in findings}
    findings += [_noted(each) for each in noted.values() if each.check not in known]
    return replace(judged, outcome=overall(each.outcome for each in findings), findings=tuple(findings))


def _noted(found: PublishedFinding) -> Finding:
    return Finding(
        found.check,
        found.outcome,
        verbatim(found.text),
        found.figure,
        found.bound,
        found.unit,
        tuple(Span(each.since, each.until) for each in found.spans),
    )
