"""`soak demo`: everything on this machine, a soak of the simulated router, its verdict."""

import sys
from collections.abc import Sequence
from dataclasses import fields, replace

import click
from rich.console import Console
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import VERDICT_CODES, GroupedCommand, opt, option_group, options
from exporter.cli.objective_options import Limits, objective_options
from exporter.cli.run import run_and_judge
from exporter.cli.run_options import (
    LoadOptions,
    ResultOptions,
    TargetOptions,
    load_options,
    result_options,
)
from exporter.cli.run_plan import asked_once, plan_of, say_engine
from exporter.cli.stream_options import StreamOptions, stream_options
from exporter.cli.terminal import PlainConsole
from exporter.errors import ConfigurationError
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.objectives_file import check_expressions
from exporter.run.plan import check_plan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.watcher import watcher_at
from exporter.stack.native import PACKAGES, SERVERS, NativeStack, installed_servers
from exporter.stack.ports import Ports

STREAM_PACE = (
    *("--latency-median", "0.15", "--latency-p99", "0.4"),
    *("--token-gap", "0.01", "--output-tokens", "64"),
)
"""as a model on a GPU answers; at the simulator's own pace a small machine is late at reading"""


@click.command(cls=GroupedCommand, epilog=VERDICT_CODES)
@options(
    "Load",
    opt("--duration TIME", "How long the load lasts [env DURATION].", default="120s", envvar="DURATION"),
)
@options("Stack", opt("--keep", "Leave the stack up until Ctrl-C [env KEEP].", is_flag=True, envvar="KEEP"))
@load_options
@stream_options
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
    stream: StreamOptions,
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

    Simulated router and exporter; Prometheus, Alertmanager and Grafana where they are installed; a soak of
    streams with live progress; result files; then everything is stopped, or left up with --keep.
    """
    console = PlainConsole()
    results = replace(results, label=results.label or "demo")
    router = TargetOptions(target=ports.url("router"))
    ci.check()
    plan = check_plan(plan_of(router, load, results, limits, stream, duration))
    # One Interrupt for all of it: a Ctrl-C while the result is written is not lost.
    with (
        ci.even_of_an_error("demo", plan.label),
        Interrupt() as interrupt,
        NativeStack(ports, interrupt=interrupt) as stack,
    ):
        servers = installed_servers()
        stack.check_ports(("router", "exporter", "ingest", *servers))
        prometheus = PrometheusClient(ports.url("prometheus")) if "prometheus" in servers else None
        if prometheus is None:
            check_expressions(plan.own, None)
        if missing := [name for name in SERVERS if name not in servers]:
            console.print(Text(_without(missing), style="bold yellow"), soft_wrap=True)
        with console.status("starting the simulated router"):
            stack.start_simulator(*(STREAM_PACE if plan.shape else ()))
        plan = asked_once(plan, load, interrupt, console)
        with console.status("starting the exporter, and what else is installed"):
            stack.start_exporter("--results.folder", str(plan.results.resolve()))
            if "alertmanager" in servers:
                stack.start_alertmanager()
            if prometheus is not None:
                stack.start_prometheus()
        say_engine(plan, console)
        urls = _urls(stack, console, servers)
        console.print(urls)
        watcher = watcher_at(ExporterClient(ports.url("exporter")), plan.workload.target)
        check_expressions(plan.own, prometheus)
        code = run_and_judge(plan, watcher, prometheus, console, interrupt, ci, as_json=False)
        console.print(urls)
        if keep and not interrupt.requested:
            console.print("\nthe stack stays up; Ctrl-C stops it")
            while not interrupt.wait(3600):
                pass
        sys.exit(code)


def _without(missing: Sequence[str]) -> str:
    """What a demo goes without where programs are not installed."""
    names = " and ".join(SERVERS[name] for name in missing)
    are = "are" if len(missing) > 1 else "is"
    what = "no dashboards, no alerts" if "prometheus" in missing else "alerts reach nobody"
    packages = " ".join(PACKAGES[name] for name in missing)
    return f"{names} {are} missing: {what}; load, exporter and /live do without (apt install {packages})"


def _urls(stack: NativeStack, console: Console, servers: Sequence[str]) -> str:
    ports = stack.ports
    lines = [
        f"live page     {ports.url('exporter')}/live",
        f"router        {ports.url('router')}",
        f"exporter      {ports.url('exporter')}/metrics",
        *(f"{SERVERS[name]:<14}{ports.url(name)}" for name in servers),
    ]
    if "prometheus" not in servers:  # Grafana would have nothing to show
        return "\n".join(lines)
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
