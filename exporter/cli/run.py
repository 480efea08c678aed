"""The commands that put a load on a router and judge it: `soak run`, `soak scale`."""

import sys
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import FILE, VERDICT_CODES, GroupedCommand, opt, options
from exporter.cli.cost import YES, agree_to_cost
from exporter.cli.objective_options import Limits, objective_options
from exporter.cli.run_options import (
    LoadOptions,
    ResultOptions,
    TargetOptions,
    WatchOptions,
    load_options,
    result_options,
    target_options,
    watch_options,
)
from exporter.cli.run_plan import asked_once, plan_of, say_engine
from exporter.cli.run_view import TerminalView
from exporter.cli.stream_options import StreamOptions, stream_options
from exporter.cli.terminal import PlainConsole
from exporter.cli.verdict_text import show_result
from exporter.cli.watching import first_look
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.live.message import MAX_CONNECTIONS
from exporter.results.outcome_report import suite_of_error, suite_of_run
from exporter.results.scale_report import saturation, scale_table
from exporter.run.baseline import baseline_of_label, read_baseline
from exporter.run.interrupt import Interrupt
from exporter.run.objectives_file import check_expressions
from exporter.run.plan import RunPlan, check_plan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.scale import STEPS, run_scale
from exporter.run.soak import run_soak
from exporter.run.watcher import Watcher
from exporter.verdict.judgement import EXIT_CODES


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@target_options
@options("Load", opt("--duration TIME", "30s, 45m, 1h, …", default="30s"))
@load_options
@stream_options
@options("Load", YES)
@result_options
@ci_options
@objective_options
@watch_options
@options(
    "Results", opt("--json", "Print run.json on standard output, nothing else.", "as_json", is_flag=True)
)
@options(
    "Verdict",
    opt(
        "--baseline RUN",
        "An earlier run (results file or folder) that this one has to be as good as; with the runs beside it "
        "of its label, which say how much equal runs differ [default: the newest labelled LABEL-baseline].",
        type=FILE,
    ),
)
def run(
    target: TargetOptions,
    load: LoadOptions,
    stream: StreamOptions,
    results: ResultOptions,
    ci: CiReports,
    limits: Limits,
    watch: WatchOptions,
    duration: str,
    yes: bool,
    as_json: bool,
    baseline: Path | None,
) -> None:
    """Run one benchmark or soak against a router, live, and judge it.

    \b
    soak run --duration 45m --label nightly
    soak run --scenario openai --api-key-env ROUTER_KEY --connections 5
    WRK_TARGET=http://router:8080 soak run --body request.json --connections 100

    Leaves a CSV row, a Markdown record and run.json under --results. Ctrl-C ends it early and keeps what
    was measured.
    """
    console = PlainConsole(stderr=as_json)
    plan = plan_of(target, load, results, limits, stream, duration)
    if baseline is not None:
        plan = replace(plan, baseline=read_baseline(baseline))
    agree_to_cost(plan, yes)
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        # Everything that can be wrong is reported before anything is started.
        ci.check()
        cleanup.enter_context(ci.even_of_an_error("run", plan.label))
        plan = _with_own_baseline(check_plan(plan), console)
        look = first_look(plan.router.url, watch, console)
        check_expressions(plan.own, look.prometheus)
        plan = asked_once(plan, load, interrupt, console)
        watcher = look.watcher(plan.router, cleanup, interrupt, console)
        say_engine(plan, console)
        console.print(Text(f"live page: {watcher.live_url}"), soft_wrap=True)
        sys.exit(run_and_judge(plan, watcher, look.prometheus, console, interrupt, ci, as_json))


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@target_options
@options(
    "Load",
    opt("--duration TIME", "How long each step lasts.", default="30s"),
    opt("--steps N,N,…", "Connections of each.", default=",".join(map(str, STEPS))),
)
@load_options
@stream_options
@options("Load", YES)
@result_options
@ci_options
@objective_options
@watch_options
def scale(
    target: TargetOptions,
    load: LoadOptions,
    stream: StreamOptions,
    results: ResultOptions,
    ci: CiReports,
    limits: Limits,
    watch: WatchOptions,
    duration: str,
    steps: str,
    yes: bool,
) -> None:
    """Run the same load at 5, 20, 50 and 100 connections and compare.

    \b
    soak scale --duration 60s --label before-upgrade
    soak scale --steps 10,50,250

    Leaves each step's own files, and one table, one CSV and one plot of throughput, p95 and p99 against the
    connections; shows where it saturates. The worst step decides the exit code.
    """
    wanted = _steps(steps)
    console = PlainConsole()
    if stream.rate is not None:
        raise ConfigurationError(
            "--rate: soak scale compares numbers of connections, which an open load has none of; give it to "
            "soak run"
        )
    plan = plan_of(target, load, results, limits, stream, duration)
    agree_to_cost(plan, yes, len(wanted))
    if plan.max_requests is not None:
        # Of all steps together, since that is what is paid for.
        share = plan.max_requests // len(wanted)
        if share < wanted[-1]:
            raise ConfigurationError(
                f"--max-requests: {plan.max_requests} are {share} for each of {len(wanted)} steps, less than "
                f"one for each of {wanted[-1]} connections; give more, or lower --steps"
            )
        plan = replace(plan, max_requests=share)
    label = results.label or f"{plan.scenario}-scale"
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        ci.check()
        cleanup.enter_context(ci.even_of_an_error("scale", label))
        check_plan(replace(plan, label=f"{label}-c{wanted[0]}", connections=wanted[0]))
        plan = check_plan(replace(plan, label=f"{label}-c{wanted[-1]}", connections=wanted[-1]))
        look = first_look(plan.router.url, watch, console)
        check_expressions(plan.own, look.prometheus)
        plan = asked_once(plan, load, interrupt, console)
        watcher = look.watcher(plan.router, cleanup, interrupt, console)
        say_engine(plan, console)
        console.print(Text(f"live page: {watcher.live_url}"), soft_wrap=True)
        plans = [replace(plan, connections=n, label=f"{label}-c{n}") for n in wanted]

        def view_of(step: RunPlan) -> TerminalView:
            place = [each.connections for each in plans].index(step.connections) + 1
            return TerminalView(console, step.title, step=(place, len(plans)))

        result = run_scale(plans, watcher, look.prometheus, view_of, interrupt, SystemClock(), label)
        console.print(scale_table(result.points), markup=False)
        console.print(f"saturation: {saturation(result.points).english}", markup=False)
        if result.published.problem:
            console.print(result.published.problem, style="bold red", soft_wrap=True, markup=False)
        for path in result.published.files.values():
            console.print(str(path), soft_wrap=True, markup=False)
        console.print(f"\nverdict: {result.outcome.value}")
        suites = [suite_of_run(document) for document in result.documents]
        if len(suites) < len(plans):
            suites.append(suite_of_error(label, f"{len(suites)} of {len(plans)} steps were made"))
        ci.write("scale", suites)
        sys.exit(EXIT_CODES[result.outcome])


def _with_own_baseline(plan: RunPlan, console: Console) -> RunPlan:
    """The plan with the baseline of its label, where none was given and one fits."""
    found = plan.baseline or baseline_of_label(plan.results, plan.label)
    if found is None:
        return plan
    try:
        held = check_plan(replace(plan, baseline=found))
    except ConfigurationError as error:
        console.print(Text(f"not compared: {error}", style="yellow"), soft_wrap=True)
        return plan
    console.print(Text(f"baseline: {found.names}"), soft_wrap=True)
    return held


def _steps(text: str) -> list[int]:
    try:
        steps = [int(step) for step in text.split(",")]
    except ValueError:
        steps = []
    if not steps or sorted(set(steps)) != steps or not 1 <= steps[0] <= steps[-1] <= MAX_CONNECTIONS:
        raise ConfigurationError(
            f"--steps: {text!r}: give rising numbers from 1 to {MAX_CONNECTIONS}, like 5,20,50,100"
        )
    return steps


def run_and_judge(
    plan: RunPlan,
    watcher: Watcher,
    prometheus: PrometheusClient | None,
    console: Console,
    interrupt: Interrupt,
    ci: CiReports,
    as_json: bool,
) -> int:
    """One run of a checked plan, shown and written: its exit code."""
    console.print(Text(watcher.watching.said.english), soft_wrap=True)
    with TerminalView(console, plan.title) as view:
        result, files = run_soak(plan, watcher, prometheus, view, interrupt, SystemClock())
    return show_result(result, files, plan.command, console, ci, as_json)
