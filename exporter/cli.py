"""The `soak` command: flags in, an exit code out.

Exit codes: 0 pass, 1 fail, 2 bad usage or configuration, 3 inconclusive.
"""

import logging
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from exporter import __version__
from exporter.clock import SystemClock
from exporter.config import default_config, load_config, read_secret
from exporter.dashboard_commands import dashboards
from exporter.errors import ConfigurationError, QueryError, SoakError
from exporter.exporter_api import ExporterApi
from exporter.interrupt import Interrupt
from exporter.log import LOG_FORMATS, LOG_LEVELS, set_up_logging
from exporter.prometheus_api import PrometheusApi
from exporter.report.scale_report import saturation, scale_table
from exporter.report.terminal import TerminalView, print_verdict
from exporter.results_commands import backfill_command, compare, report
from exporter.run_options import (
    CHECKOUT,
    default_target,
    exporter_for,
    load_options,
    planner_of,
    prometheus_at,
    target_options,
    workload_of,
)
from exporter.scale import run_scale
from exporter.serve import listen_address, serve_exporter
from exporter.simulator.options import Generation, SimulatorOptions
from exporter.simulator.supervisor import serve as serve_simulator
from exporter.soak import RunPlan, check_plan, run_soak
from exporter.stack import NativeStack, Ports
from exporter.verdict.judgement import EXIT_CODES

# Whether it can be read is seen on reading: access(2), which click would ask, does not know of capabilities.
_CONFIGURATION = click.Path(path_type=Path, readable=False)


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="soak")
@click.pass_context
def soak(context: click.Context) -> None:
    """Soak-test an LLM router and watch it live.

    \b
    soak demo        the whole stack against a simulated router, in two minutes
    soak run         a benchmark or soak against a real router
    soak scale       the same load at 5, 20, 50 and 100 connections
    soak report      redo the report of runs
    soak compare     hold a run against a baseline
    soak backfill    load past results into Prometheus
    soak dashboards  render, check or outline the Grafana dashboards
    soak exporter    the exporter by itself, for Prometheus to scrape
    soak simulate    the simulated router by itself, with faults on command
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


@soak.command()
@click.option(
    "--web.listen-address",
    "web",
    default="127.0.0.1:9877",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /metrics is served.",
)
@click.option(
    "--web.telemetry-path",
    "telemetry_path",
    default="/metrics",
    show_default=True,
    help="Path of the metrics.",
)
@click.option(
    "--web.config.file",
    "web_config",
    type=_CONFIGURATION,
    metavar="FILE",
    help="TLS, client certificates and passwords, in the Prometheus exporter-toolkit's format.",
)
@click.option(
    "--ingest.listen-address",
    "ingest",
    default="127.0.0.1:9878",
    show_default=True,
    metavar="HOST:PORT",
    help="UDP address that load engines report to; empty: none, no runs are taken (an agent).",
)
@click.option(
    "--ingest.state-file",
    "state_file",
    metavar="FILE",
    help="Where published counters are kept over a restart "
    "[default: ~/.local/state/llm-router-soak/ingest-PORT.json; empty: nowhere].",
)
@click.option(
    "--config",
    "config_file",
    type=_CONFIGURATION,
    metavar="FILE",
    help="YAML of what to watch [default: the router at ROUTER_URL or http://127.0.0.1:8080, and this host].",
)
@click.option(
    "--path.rootfs",
    "host_root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="The host's root directory as it is seen from here, in place of the configuration's host_root.",
)
@click.option(
    "--results.folder",
    "results",
    type=click.Path(path_type=Path),
    default=Path("benchmarks/results"),
    show_default=True,
    help="Folder whose results files become benchmark_result_*; it need not exist yet.",
)
@click.option("--log.level", "level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
@click.option(
    "--log.format", "log_format", type=click.Choice(LOG_FORMATS), default="logfmt", show_default=True
)
def exporter(
    web: str,
    telemetry_path: str,
    web_config: Path | None,
    ingest: str,
    state_file: str | None,
    config_file: Path | None,
    host_root: Path | None,
    results: Path,
    level: str,
    log_format: str,
) -> None:
    """Serve /metrics: the running benchmark, the router's process and API, and this host."""
    set_up_logging(level, log_format)
    if not telemetry_path.startswith("/") or telemetry_path == "/":
        raise ConfigurationError(f"--web.telemetry-path: {telemetry_path!r} must be a path like /metrics")
    config = load_config(config_file) if config_file else default_config()
    if host_root is not None:
        config = config.model_copy(update={"host_root": host_root})
    serve_exporter(
        config=config,
        web=listen_address(web, "--web.listen-address"),
        ingest_address=listen_address(ingest, "--ingest.listen-address") if ingest else None,
        state_file=state_file,
        results=results,
        telemetry_path=telemetry_path,
        web_config_file=web_config,
    )


@soak.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--nodes", type=click.IntRange(1, 1000), default=2, show_default=True, help="Simulated nodes.")
@click.option(
    "--generation",
    type=click.Choice([generation.value for generation in Generation]),
    default=Generation.FIRST.value,
    show_default=True,
    help="Of the router's API: the open dashboard, or endpoints for the API key.",
)
@click.option("--latency-median", type=float, default=0.020, show_default=True, metavar="SECONDS")
@click.option(
    "--latency-p99",
    type=float,
    default=0.060,
    show_default=True,
    metavar="SECONDS",
    help="Equal to the median: every request takes exactly that long.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="Decides every random draw.")
@click.option(
    "--api-key-env", metavar="NAME", help="Environment variable with the key that /v1/* then wants."
)
@click.option("--cloud-keys", is_flag=True, help="Treat the key of every cloud as present.")
def simulate(
    host: str,
    port: int,
    nodes: int,
    generation: str,
    latency_median: float,
    latency_p99: float,
    seed: int,
    api_key_env: str | None,
    cloud_keys: bool,
) -> None:
    """Serve a simulated router with simulated nodes, and faults on command.

    \b
    curl -X PUT localhost:8080/admin/faults/drop_connections -d '{"ratio": 0.01, "mode": "rst"}'
    curl localhost:8080/admin/faults
    curl -X DELETE localhost:8080/admin/faults
    """
    options = SimulatorOptions(
        host=host,
        port=port,
        nodes=nodes,
        generation=Generation(generation),
        latency_median_seconds=latency_median,
        latency_p99_seconds=latency_p99,
        seed=seed,
        api_key=read_secret(api_key_env, None),
        cloud_keys=cloud_keys,
    )
    sys.exit(serve_simulator(options))


@soak.command()
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


@soak.command()
@target_options
@click.option(
    "--duration", default="30s", show_default=True, metavar="TIME", help="How long each step lasts."
)
@click.option(
    "--steps", default="5,20,50,100", show_default=True, metavar="N,N,…", help="Connections of each."
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


@soak.command()
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
    with Interrupt() as interrupt, NativeStack(ports, CHECKOUT, interrupt) as stack:
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


for command in (report, compare, backfill_command, dashboards):
    soak.add_command(command)


def _title(plan: RunPlan, version: str) -> str:
    return (
        f"{plan.workload.model} at {plan.workload.url}, {plan.connections} connections, "
        f"{plan.engine.name} {version}"
    )


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point: every error the user can mend is one line and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        soak.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted; everything that was started has been stopped", 3)
    except click.ClickException as error:
        _fail(error.format_message().replace("\n", " "), 2)
    except QueryError as error:
        _fail(str(error), 3)
    except SoakError as error:
        _fail(str(error), 2)


def _fail(message: str, code: int) -> None:
    logging.shutdown()
    click.echo(f"soak: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
