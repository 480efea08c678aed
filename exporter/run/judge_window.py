"""Verdict and files for a window of a Prometheus, as a run of that time would have left them."""

import platform
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from exporter import __version__
from exporter.errors import QueryError
from exporter.live.message import RunInfo
from exporter.load.output import EngineOutput
from exporter.plain_text import one_line
from exporter.results.folder import base_name, claim_anywhere
from exporter.results.run_files import write_results
from exporter.results.run_result import JudgeInputs, OwnInput, RunResult
from exporter.run.fired import fired
from exporter.run.killed_run import under_way
from exporter.run.matchers import Matcher
from exporter.run.objectives_file import with_length
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.scraped import STALL_AFTER_SECONDS, ScrapedLoad, WindowEvidence
from exporter.run.spool import SpooledStore, spool_places
from exporter.run.window import WindowSeries, exporters_in, read_window
from exporter.run.window_times import Window
from exporter.verdict.evidence import Evidence
from exporter.verdict.hosts import Target
from exporter.verdict.judgement import judge
from exporter.verdict.own_objective import OwnObjective

WATCHDOG = 'ALERTS{alertname="Watchdog",severity="info"}'
"""the alert that always fires where the project's rules are evaluated"""
_ID = re.compile(r"[0-9a-z]{16}")
_NAME = re.compile(r"[a-z0-9_-]{1,32}")
_NO_LABEL = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST_LABEL = 56


@dataclass(frozen=True, kw_only=True)
class WindowPlan:
    """What is to be judged, and by what."""

    prometheus: PrometheusClient = field(repr=False)
    window: Window
    run: str | None
    """label or id"""
    job: str | None
    match: tuple[str, ...]
    matchers: tuple[Matcher, ...]
    label: str | None
    """of the results; None: that of the run, with `-judged`"""
    results: Path
    bounds: dict[str, float]
    warn: frozenset[str]
    require: frozenset[str]
    own: tuple[OwnObjective, ...]
    allowed_statuses: frozenset[str]
    soak_command: str


def judge_window(
    plan: WindowPlan, progress: Callable[[float], None], say: Callable[[str], None]
) -> tuple[RunResult, dict[str, Path]]:
    """Read, judge and write a window; the result and the files it was written to.

    `progress` is told which share has been read, `say` what the user should know. Raises QueryError where the
    Prometheus does not answer or has nothing of that window.
    """
    targets = exporters_in(plan.prometheus, plan.window, plan.matchers)
    claimed = claim_anywhere(plan.results, base_name(plan.window.since, _label(plan)))
    with under_way(claimed.partial), closing(SpooledStore(spool_places(claimed))) as store:
        try:
            read = read_window(plan.prometheus, plan.window, targets, plan.matchers, store, progress)
            result = _judged(plan, read, targets)
        except BaseException:
            claimed.release()
            raise
        written = write_results(result, claimed, plan.results)
    for text in (written.problem, *written.notes):
        if text:
            say(text)
    return result, written.files


def _label(plan: WindowPlan) -> str:
    if plan.label is not None:
        return plan.label
    name = _NO_LABEL.sub("-", plan.run or "").strip("-._")[:LONGEST_LABEL]
    return f"{name}-judged" if name else "judged"


def _judged(plan: WindowPlan, read: WindowSeries, targets: Sequence[Target]) -> RunResult:
    found = WindowEvidence(read, plan.run)
    prometheus = plan.prometheus
    since, until = plan.window.since, plan.window.until
    seconds = max((run.load_seconds for run in found.runs), default=0.0) or plan.window.seconds
    asked = _asked(plan, seconds)
    has_rules = _has_rules(plan)
    alerts = fired(prometheus, since, until) if has_rules else None
    if found.has_load:
        load = found.load(prometheus.url, alerts, has_rules, asked, plan.allowed_statuses)
    else:
        load = ScrapedLoad(found.watched(prometheus.url, alerts, has_rules, asked), {}, {}, found.runs)
    evidence = load.evidence
    return RunResult(
        info=_info(plan, load),
        soak_command=plan.soak_command,
        command=(),
        instance=", ".join(each.instance for each in targets[:5]),
        evidence=evidence,
        quantiles=load.quantiles,
        whole_quantiles=load.whole_quantiles,
        judgement=judge(evidence, plan.bounds, plan.warn, plan.own, plan.require),
        versions={"llm-router-soak": __version__, "python": platform.python_version()},
        inputs=_inputs(plan, evidence, load),
        engine_totals=None,
        output=EngineOutput(),
        recorded=read.store,
        loads=found.loads,
    )


def _asked(plan: WindowPlan, load_seconds: float) -> dict[str, tuple[float, ...] | None]:
    """What the Prometheus says to the user's expressions at the window's end."""
    answers: dict[str, tuple[float, ...] | None] = {}
    for expression in (each.statement.promql for each in plan.own):
        if expression is None:
            continue
        try:
            found = plan.prometheus.query(with_length(expression, load_seconds), plan.window.until)
            answers[expression] = tuple(series.values[0] for series in found)
        except QueryError:
            answers[expression] = None
    return answers


def _has_rules(plan: WindowPlan) -> bool:
    """Whether the project's alerts were evaluated; one that gives no answer is told by its alerts."""
    length = max(1, round(plan.window.seconds))
    try:
        return bool(plan.prometheus.query(f"last_over_time({WATCHDOG}[{length}s])", plan.window.until))
    except QueryError:
        return True


def _info(plan: WindowPlan, load: ScrapedLoad) -> RunInfo:
    """The run of the window; of several what they share."""
    evidence, runs = load.evidence, load.runs
    ids = {run.run for run in runs if _ID.fullmatch(run.run)}
    scenarios = {each for run in runs if _NAME.fullmatch(each := run.labels.get("scenario", ""))}
    targets = sorted({one_line(run.labels.get("target", "")) for run in runs} - {""})
    router = evidence.watching.router or "no router"
    return RunInfo(
        run=ids.pop() if len(ids) == 1 else secrets.token_hex(8),
        scenario=scenarios.pop() if len(scenarios) == 1 else "judge",
        engine=evidence.engine if _NAME.fullmatch(evidence.engine) else "",
        pairs=evidence.pairs,
        target=(", ".join(targets) or router)[:128],
        connections=evidence.connections if evidence.pairs else 0,
        label=_label(plan),
        start_timestamp_seconds=plan.window.since,
        planned_duration_seconds=evidence.planned_seconds,
        stall_after_seconds=STALL_AFTER_SECONDS,
    )


def _inputs(plan: WindowPlan, evidence: Evidence, load: ScrapedLoad) -> JudgeInputs:
    return JudgeInputs(
        target=evidence.watching.router or "",
        bounds=plan.bounds,
        warn=tuple(sorted(plan.warn)),
        require=tuple(sorted(plan.require)),
        objectives=tuple(OwnInput(each.name, each.statement.text, each.severity) for each in plan.own),
        prometheus=plan.prometheus.url,
        since=plan.window.since,
        until=plan.window.until,
        run=plan.run,
        job=plan.job,
        match=plan.match,
        allowed_statuses=tuple(sorted(plan.allowed_statuses)),
        runs=tuple(sorted({run.run for run in load.runs})),
    )
