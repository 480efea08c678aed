"""`soak demo`: a simulated router, a `soak up` for it and a `soak run` against it, in one command."""

import sys
from dataclasses import replace

import click
from rich.console import Console
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import VERDICT_CODES, GroupedCommand, opt, options
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
from exporter.cli.stack_text import stack_lines
from exporter.cli.stream_options import StreamOptions, stream_options
from exporter.cli.terminal import PlainConsole
from exporter.cli.up import PORTS, given_ports, port_options
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.objectives_file import check_expressions
from exporter.run.plan import RunPlan, check_plan
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.watcher import watcher_at
from exporter.settings.up_config import UpConfig, for_router
from exporter.stack.ports import HOST, Ports, free_or
from exporter.stack.servers import installed_servers
from exporter.stack.stack_health import health_of
from exporter.stack.up import Up
from exporter.stack.up_plan import UpPlan

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
@options("Stack", *port_options("router", *PORTS))
def demo(
    load: LoadOptions,
    stream: StreamOptions,
    results: ResultOptions,
    ci: CiReports,
    limits: Limits,
    duration: str,
    keep: bool,
    **ports: int | None,
) -> None:
    """Start everything on this machine, soak the simulated router, and show the verdict.

    \b
    soak demo --duration 10m --keep

    Simulated router and exporter; Prometheus, Alertmanager and Grafana where they are installed; a soak of
    streams with live progress; result files; then everything is stopped, or left up with --keep. Its clouds
    answer too: soak run --scenario openai from another terminal.
    """
    console = PlainConsole()
    results = replace(results, label=results.label or "demo")
    given = given_ports(ports)
    router = given.get("router") or free_or(Ports.router)
    target = TargetOptions(target=f"http://{HOST}:{router}")
    ci.check()
    plan = check_plan(plan_of(target, load, results, limits, stream, duration))
    wanted = _stack_plan(plan, {**given, "router": router})
    # One Interrupt for all of it: a Ctrl-C while the result is written is not lost.
    with (
        ci.even_of_an_error("demo", plan.label),
        Interrupt() as interrupt,
        Up(wanted, lambda text: _say(text, console), interrupt) as stack,
    ):
        if "prometheus" not in installed_servers():
            check_expressions(plan.own, None)
        with console.status("starting the simulated router, the exporter, and what else is installed"):
            stack.start()
        url = stack.record.url("prometheus")
        prometheus = None if url is None else PrometheusClient(url)
        plan = asked_once(plan, load, interrupt, console)
        say_engine(plan, console)
        links = "\n".join(stack_lines(health_of(stack.record, stack.folder), stack.folder))
        _say(links, console)
        watcher = watcher_at(ExporterClient(stack.ports.url("exporter")), plan.workload.target)
        check_expressions(plan.own, prometheus)
        code = run_and_judge(plan, watcher, prometheus, console, interrupt, ci, as_json=False)
        _say(links, console)
        if keep and not interrupt.requested:
            console.print("\nthe stack stays up; Ctrl-C stops it")
            stack.hold()
        sys.exit(code)


def _stack_plan(plan: RunPlan, ports: dict[str, int]) -> UpPlan:
    """The stack of the demo, with its router; its data end with it."""
    return UpPlan(
        name=f"demo-{ports['router']}",
        config=for_router(UpConfig(), plan.workload.target, plan.workload.target),
        ports=ports,
        results=plan.results.absolute(),
        simulator=("--cloud-keys", *(STREAM_PACE if plan.shape else ())),
    )


def _say(text: str, console: Console) -> None:
    console.print(Text(text), soft_wrap=True)
