"""The commands that put a load on a router and judge it: `soak run`, `soak scale`, `soak demo`."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from exporter.cli.run_options import (
    default_target,
    exporter_for,
    load_options,
    planner_of,
    prometheus_at,
    target_options,
    workload_of,
)
from exporter.cli.terminal import TerminalView, print_verdict
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.results.scale_report import saturation, scale_table
from exporter.run.exporter_client import ExporterApi
from exporter.run.interrupt import Interrupt
from exporter.run.prometheus_client import PrometheusApi
from exporter.run.scale import STEPS, run_scale
from exporter.run.soak import RunPlan, check_plan, run_soak
from exporter.settings.exporter_config import read_secret
from exporter.stack.native import NativeStack
from exporter.stack.ports import Ports
from exporter.verdict.judgement import EXIT_CODES


@click.command()
@target_options
@click.option("--duration", default="30s", show_default=True, metavar="TIME", help="30s, 45m, 1h, …")
@click.option("--json", "as_json", is_flag=True, help="Print run.json on standard output, nothing else.")
@load_options
def run(
    target: str | None,
    scenario: str | None,
    api_key_env: str | None,
    api_key_file: Path | None,
    duration: str,
    exporter_url: str | None,
    exporter_config: Path | None,
    prometheus_url: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Run one benchmark or soak against a router, live, and judge it.

    \b
    soak run --duration 45m --label nightly
    soak run --scenario openai --api-key-env ROUTER_KEY --connections 5
    WRK_TARGET=http://router:8080 soak run --body request.json --connections 100

    Leaves a CSV row, a Markdown record and run.json under --results. Ctrl-C ends it early and keeps what
    was measured. Exit code: 0 pass, 1 fail, 2 bad usage, 3 inconclusive.
    """
    target = target or default_target()
    workload = workload_of(target, scenario, options, read_secret(api_key_env, api_key_file))
    console = Console(stderr=as_json, highlight=False)
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        # Everything that can be wrong is said before anything is started.
        make_plan = planner_of(workload, scenario, duration, options, "run")
        version = check_plan(make_plan(ExporterApi("http://127.0.0.1"), None))
        prometheus = prometheus_at(prometheus_url)
        api = exporter_for(exporter_url, exporter_config, workload, cleanup, interrupt, console)
        sys.exit(_run(make_plan(api, prometheus), version, console, interrupt, as_json))


@click.command()
@target_options
@click.option(
    "--duration", default="30s", show_default=True, metavar="TIME", help="How long each step lasts."
)
@click.option(
    "--steps",
    default=",".join(map(str, STEPS)),
    show_default=True,
    metavar="N,N,…",
    help="Connections of each.",
)
@load_options
def scale(
    target: str | None,
    scenario: str | None,
    api_key_env: str | None,
    api_key_file: Path | None,
    duration: str,
    exporter_url: str | None,
    exporter_config: Path | None,
    prometheus_url: str | None,
    steps: str,
    **options: Any,
) -> None:
    """Run the same load at 5, 20, 50 and 100 connections and compare.

    Leaves each step's own files, and one table, one CSV and one plot of throughput, p95 and p99 against the
    connections; says where it saturates. The exit code is that of the worst step.
    """
    wanted = _steps(steps)
    workload = workload_of(
        target or default_target(), scenario, options, read_secret(api_key_env, api_key_file)
    )
    console = Console(highlight=False)
    label = options["label"] or f"{scenario or workload.route.value}-scale"
    planners = [
        planner_of(
            workload, scenario, duration, {**options, "connections": n, "label": f"{label}-c{n}"}, "scale"
        )
        for n in wanted
    ]
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        version = check_plan(planners[-1](ExporterApi("http://127.0.0.1"), None))
        prometheus = prometheus_at(prometheus_url)
        api = exporter_for(exporter_url, exporter_config, workload, cleanup, interrupt, console)
        plans = [make(api, prometheus) for make in planners]

        def view_of(plan: RunPlan) -> TerminalView:
            console.print(f"{plan.connections} connections")
            return TerminalView(console, _title(plan, version))

        result = run_scale(plans, version, view_of, interrupt, SystemClock(), label)
        console.print(scale_table(result.points), markup=False)
        console.print(f"saturation: {saturation(result.points)}", markup=False)
        for path in result.files.values():
            console.print(str(path), soft_wrap=True, markup=False)
        console.print(f"\nverdict: {result.outcome.value}")
        sys.exit(EXIT_CODES[result.outcome])


def _steps(text: str) -> list[int]:
    try:
        steps = [int(step) for step in text.split(",")]
    except ValueError:
        steps = []
    if not steps or sorted(set(steps)) != steps or not 1 <= steps[0] <= steps[-1] <= 1000:
        raise ConfigurationError(f"--steps: {text!r}: give rising numbers from 1 to 1000, like 5,20,50,100")
    return steps


@click.command()
@click.option(
    "--duration",
    default="120s",
    envvar="DURATION",
    show_default=True,
    metavar="TIME",
    help="How long the load lasts [env DURATION].",
)
@click.option("--keep", is_flag=True, envvar="KEEP", help="Leave the stack up until Ctrl-C [env KEEP].")
@click.option("--router-port", type=int, default=8080, show_default=True)
@click.option("--exporter-port", type=int, default=9877, show_default=True)
@click.option("--ingest-port", type=int, default=9878, show_default=True)
@click.option("--prometheus-port", type=int, default=9090, show_default=True)
@click.option("--alertmanager-port", type=int, default=9093, show_default=True)
@click.option("--grafana-port", type=int, default=3000, show_default=True)
@load_options
def demo(duration: str, keep: bool, **options: Any) -> None:
    """Start everything on this machine, soak the simulated router, and show the verdict.

    Simulated router, exporter, Prometheus, Alertmanager, and Grafana where it is installed; a wrk soak with
    live progress; result files; then everything is stopped, or left up with --keep.
    """
    ports = Ports(
        **{
            name: options.pop(f"{name}_port")
            for name in ("router", "exporter", "ingest", "prometheus", "alertmanager", "grafana")
        }
    )
    console = Console(highlight=False)
    options["label"] = options["label"] or "demo"
    workload = workload_of(ports.url("router"), None, options, None)
    make_plan = planner_of(workload, None, duration, options, "demo")
    # One Interrupt for all of it: whoever asks to end while the result is written does not ask again.
    with Interrupt() as interrupt, NativeStack(ports, interrupt=interrupt) as stack:
        stack.check_ports(("router", "exporter", "ingest", "prometheus", "alertmanager"))
        with console.status("starting the simulated router"):
            stack.start_simulator()
        plan = make_plan(ExporterApi(ports.url("exporter")), PrometheusApi(ports.url("prometheus")))
        version = check_plan(plan)
        with console.status("starting exporter, Alertmanager and Prometheus"):
            stack.start_exporter("--results.folder", str(options["results"].resolve()))
            stack.start_alertmanager()
            stack.start_prometheus()
        urls = _urls(stack, console)
        console.print(urls)
        code = _run(plan, version, console, interrupt, as_json=False)
        console.print(urls)
        if keep and not interrupt.requested:
            console.print("\nthe stack stays up; Ctrl-C stops it")
            while not interrupt.wait(3600):
                pass
        sys.exit(code)


def _urls(stack: NativeStack, console: Console) -> str:
    ports = stack.ports
    lines = [
        f"router        {ports.url('router')}",
        f"exporter      {ports.url('exporter')}/metrics",
        f"Prometheus    {ports.url('prometheus')}",
        f"Alertmanager  {ports.url('alertmanager')}",
    ]
    try:
        stack.check_ports(("grafana",))
        with console.status("starting Grafana"):
            lines.append(
                f"Grafana       {ports.url('grafana')}"
                if stack.start_grafana()
                else "Grafana       not installed; `docker compose up` brings it"
            )
    except ConfigurationError as error:
        lines.append(f"Grafana       not started: {error}")
    return "\n".join(lines)


def _run(plan: RunPlan, version: str, console: Console, interrupt: Interrupt, as_json: bool) -> int:
    with TerminalView(console, _title(plan, version)) as view:
        result, files = run_soak(plan, version, view, interrupt, SystemClock())
    if as_json:
        click.echo(files["run"].read_text(encoding="utf-8"), nl=False)
    else:
        print_verdict(console, result, files)
    return result.judgement.exit_code


def _title(plan: RunPlan, version: str) -> str:
    return (
        f"{plan.workload.model} at {plan.workload.url}, {plan.connections} connections, "
        f"{plan.engine.name} {version}"
    )
