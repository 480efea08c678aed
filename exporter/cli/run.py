"""The commands that put a load on a router and judge it: `soak run`, `soak scale`, `soak demo`."""

import sys
from contextlib import ExitStack
from dataclasses import fields, replace
from pathlib import Path

import click
from rich.console import Console
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import FILE, VERDICT_CODES, GroupedCommand, opt, option_group, options
from exporter.cli.cost import YES, agree_to_cost
from exporter.cli.objective_options import Limits, objective_options
from exporter.cli.run_options import (
    LoadOptions,
    ResultOptions,
    TargetOptions,
    WatchOptions,
    asked_once,
    load_options,
    plan_of,
    prometheus_at,
    result_options,
    target_options,
    watch_options,
)
from exporter.cli.run_view import TerminalView
from exporter.cli.terminal import PlainConsole, print_json
from exporter.cli.verdict_text import print_verdict
from exporter.cli.watching import named_watcher, watcher_here
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.live.message import MAX_CONNECTIONS
from exporter.results.outcome_report import suite_of_error, suite_of_run
from exporter.results.run_document import document_of
from exporter.results.run_json import run_json
from exporter.results.scale_report import saturation, scale_table
from exporter.run.baseline import baseline_of_label, read_baseline
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.objectives_file import check_expressions
from exporter.run.plan import RunPlan, check_plan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.scale import STEPS, run_scale
from exporter.run.soak import run_soak
from exporter.run.watcher import Watcher, watcher_at
from exporter.stack.native import NativeStack
from exporter.stack.ports import Ports
from exporter.verdict.judgement import EXIT_CODES


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@target_options
@options("Load", opt("--duration TIME", "30s, 45m, 1h, …", default="30s"))
@load_options
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
    plan = plan_of(target, load, results, limits, duration)
    if baseline is not None:
        plan = replace(plan, baseline=read_baseline(baseline))
    agree_to_cost(plan, yes)
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        # Everything that can be wrong is reported before anything is started.
        ci.check()
        cleanup.enter_context(ci.even_of_an_error("run", plan.label))
        plan = _with_own_baseline(check_plan(plan), console)
        prometheus = prometheus_at(watch.prometheus_url)
        check_expressions(plan.own, prometheus)
        named = named_watcher(plan, watch)
        plan = asked_once(plan, load, interrupt, console)
        watcher = named or watcher_here(plan, watch, cleanup, interrupt, console)
        console.print(Text(f"live page: {watcher.live_url}"), soft_wrap=True)
        sys.exit(_run(plan, watcher, prometheus, console, interrupt, ci, as_json))


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@target_options
@options(
    "Load",
    opt("--duration TIME", "How long each step lasts.", default="30s"),
    opt("--steps N,N,…", "Connections of each.", default=",".join(map(str, STEPS))),
)
@load_options
@options("Load", YES)
@result_options
@ci_options
@objective_options
@watch_options
def scale(
    target: TargetOptions,
    load: LoadOptions,
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
    plan = plan_of(target, load, results, limits, duration)
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
        plan = check_plan(replace(plan, label=f"{label}-c{wanted[-1]}", connections=wanted[-1]))
        prometheus = prometheus_at(watch.prometheus_url)
        check_expressions(plan.own, prometheus)
        named = named_watcher(plan, watch)
        plan = asked_once(plan, load, interrupt, console)
        watcher = named or watcher_here(plan, watch, cleanup, interrupt, console)
        console.print(Text(f"live page: {watcher.live_url}"), soft_wrap=True)
        plans = [replace(plan, connections=n, label=f"{label}-c{n}") for n in wanted]

        def view_of(step: RunPlan) -> TerminalView:
            place = [each.connections for each in plans].index(step.connections) + 1
            return TerminalView(console, step.title, step=(place, len(plans)))

        result = run_scale(plans, watcher, prometheus, view_of, interrupt, SystemClock(), label)
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


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@options(
    "Load",
    opt("--duration TIME", "How long the load lasts [env DURATION].", default="120s", envvar="DURATION"),
)
@options("Stack", opt("--keep", "Leave the stack up until Ctrl-C [env KEEP].", is_flag=True, envvar="KEEP"))
@load_options
@result_options
@ci_options
@objective_options
@option_group(
    "Stack",
    "ports",
    Ports,
    *(opt(f"--{each.name}-port PORT", None, each.name, default=each.default) for each in fields(Ports)),
)
def demo(
    load: LoadOptions,
    results: ResultOptions,
    ci: CiReports,
    limits: Limits,
    ports: Ports,
    duration: str,
    keep: bool,
) -> None:
    """Start everything on this machine, soak the simulated router, and show the verdict.

    \b
    soak demo --duration 10m --keep

    Simulated router, exporter, Prometheus, Alertmanager, and Grafana where it is installed; a wrk soak with
    live progress; result files; then everything is stopped, or left up with --keep.
    """
    console = PlainConsole()
    results = replace(results, label=results.label or "demo")
    router = TargetOptions(target=ports.url("router"))
    ci.check()
    plan = check_plan(plan_of(router, load, results, limits, duration))
    # One Interrupt for all of it: a Ctrl-C while the result is written is not lost.
    with (
        ci.even_of_an_error("demo", plan.label),
        Interrupt() as interrupt,
        NativeStack(ports, interrupt=interrupt) as stack,
    ):
        stack.check_ports(("router", "exporter", "ingest", "prometheus", "alertmanager"))
        with console.status("starting the simulated router"):
            stack.start_simulator()
        plan = asked_once(plan, load, interrupt, console)
        with console.status("starting exporter, Alertmanager and Prometheus"):
            stack.start_exporter("--results.folder", str(plan.results.resolve()))
            stack.start_alertmanager()
            stack.start_prometheus()
        urls = _urls(stack, console)
        console.print(urls)
        watcher = watcher_at(ExporterClient(ports.url("exporter")), plan.workload.target)
        prometheus = PrometheusClient(ports.url("prometheus"))
        check_expressions(plan.own, prometheus)
        code = _run(plan, watcher, prometheus, console, interrupt, ci, as_json=False)
        console.print(urls)
        if keep and not interrupt.requested:
            console.print("\nthe stack stays up; Ctrl-C stops it")
            while not interrupt.wait(3600):
                pass
        sys.exit(code)


def _urls(stack: NativeStack, console: Console) -> str:
    ports = stack.ports
    lines = [
        f"live page     {ports.url('exporter')}/live",
        f"router        {ports.url('router')}",
        f"exporter      {ports.url('exporter')}/metrics",
        f"Prometheus    {ports.url('prometheus')}",
        f"Alertmanager  {ports.url('alertmanager')}",
    ]
    try:
        stack.check_ports(("grafana",))
        with console.status("starting Grafana"):
            password = stack.start_grafana()
        lines.append(
            f"Grafana       {ports.url('grafana')}  (admin's password: {password})"
            if password
            else "Grafana       not installed; `docker compose up` brings it"
        )
    except ConfigurationError as error:
        lines.append(f"Grafana       not started: {error}")
    return "\n".join(lines)


def _run(
    plan: RunPlan,
    watcher: Watcher,
    prometheus: PrometheusClient | None,
    console: Console,
    interrupt: Interrupt,
    ci: CiReports,
    as_json: bool,
) -> int:
    console.print(Text(watcher.watching.said.english), soft_wrap=True)
    with TerminalView(console, plan.title) as view:
        result, files = run_soak(plan, watcher, prometheus, view, interrupt, SystemClock())
    if as_json:
        print_json(run_json(result))
    else:
        print_verdict(console, result, files)
    ci.write(plan.command, [suite_of_run(document_of(result))])
    return result.judgement.exit_code
