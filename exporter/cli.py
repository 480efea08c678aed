"""The `soak` command: flags in, an exit code out.

Exit codes: 0 pass, 1 fail, 2 bad usage or configuration, 3 inconclusive.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from exporter import __version__
from exporter.clock import SystemClock
from exporter.config import default_config, load_config, read_secret
from exporter.durations import parse_duration
from exporter.errors import ConfigurationError, QueryError, SoakError
from exporter.events import Route, route_of
from exporter.exporter_api import ExporterApi
from exporter.interrupt import Interrupt
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL, Workload, make_workload
from exporter.log import LOG_FORMATS, LOG_LEVELS, set_up_logging
from exporter.prometheus_api import PrometheusApi
from exporter.report.terminal import TerminalView, print_verdict
from exporter.serve import listen_address, serve_exporter
from exporter.simulator.options import SimulatorOptions
from exporter.simulator.supervisor import serve as serve_simulator
from exporter.soak import ENGINES, RunPlan, check_plan, run_soak
from exporter.stack import NativeStack, Ports, own_exporter_ports

CHECKOUT = Path(__file__).resolve().parent.parent
SCENARIO_MODELS = {
    Route.LOCAL: DEFAULT_MODEL,
    Route.OPENAI: "openai:gpt-4o",
    Route.GOOGLE: "google:gemini-1.5-pro",
    Route.ANTHROPIC: "anthropic:claude-3-opus",
}
F = TypeVar("F", bound=Callable[..., Any])


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
    "--ingest.listen-address",
    "ingest",
    default="127.0.0.1:9878",
    show_default=True,
    metavar="HOST:PORT",
    help="UDP address that load engines report to.",
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
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML of what to watch [default: the router at ROUTER_URL or http://127.0.0.1:8080, and this host].",
)
@click.option("--log.level", "level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
@click.option(
    "--log.format", "log_format", type=click.Choice(LOG_FORMATS), default="logfmt", show_default=True
)
def exporter(
    web: str,
    telemetry_path: str,
    ingest: str,
    state_file: str | None,
    config_file: Path | None,
    level: str,
    log_format: str,
) -> None:
    """Serve /metrics: the running benchmark, the router's process and API, and this host."""
    set_up_logging(level, log_format)
    if not telemetry_path.startswith("/") or telemetry_path == "/":
        raise ConfigurationError(f"--web.telemetry-path: {telemetry_path!r} must be a path like /metrics")
    serve_exporter(
        config=load_config(config_file) if config_file else default_config(),
        web=listen_address(web, "--web.listen-address"),
        ingest_address=listen_address(ingest, "--ingest.listen-address"),
        state_file=state_file,
        telemetry_path=telemetry_path,
    )


@soak.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@click.option("--nodes", type=click.IntRange(1, 1000), default=2, show_default=True, help="Simulated nodes.")
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
        latency_median_seconds=latency_median,
        latency_p99_seconds=latency_p99,
        seed=seed,
        api_key=read_secret(api_key_env, None),
        cloud_keys=cloud_keys,
    )
    sys.exit(serve_simulator(options))


def load_options(command: F) -> F:
    """The options that every command with a load has."""
    for option in reversed(
        (
            click.option("--engine", type=click.Choice(sorted(ENGINES)), default="wrk", show_default=True),
            click.option(
                "--model",
                envvar="WRK_MODEL",
                metavar="NAME",
                help="Model to ask; a prefix openai:, google:, anthropic: sets the route "
                f"[env WRK_MODEL; default: the scenario's, {DEFAULT_MODEL} for local].",
            ),
            click.option(
                "--endpoint",
                envvar="WRK_ENDPOINT",
                default=DEFAULT_ENDPOINT,
                show_default=True,
                help="Path of the requests [env WRK_ENDPOINT].",
            ),
            click.option(
                "--body",
                "body_file",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="Send this file as the body, byte for byte.",
            ),
            click.option(
                "--script",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="A wrk Lua script of your own; its hooks all run.",
            ),
            click.option(
                "--header",
                "headers",
                multiple=True,
                metavar="'NAME: VALUE'",
                help="Another header; may be repeated. Keep secrets out: use --api-key-*.",
            ),
            click.option(
                "--connections",
                type=click.IntRange(1, 1000),
                default=20,
                show_default=True,
                help="Connections, each with one request out at a time.",
            ),
            click.option("--label", help="Names the run and its files [default: the scenario]."),
            click.option(
                "--results",
                type=click.Path(path_type=Path),
                default=Path("benchmarks/results"),
                show_default=True,
                help="Folder for the result files.",
            ),
            click.option(
                "--drain",
                default="10s",
                show_default=True,
                metavar="TIME",
                help="How long the router is watched after the load.",
            ),
            click.option(
                "--stall-after",
                default="30s",
                show_default=True,
                metavar="TIME",
                help="A request without an answer for so long counts as stalled.",
            ),
            click.option(
                "--max-error-ratio",
                type=click.FloatRange(0, 1),
                default=0.01,
                show_default=True,
                help="Share of non-2xx responses that still passes.",
            ),
        )
    ):
        command = option(command)
    return command


@soak.command()
@click.option(
    "--target",
    envvar="WRK_TARGET",
    metavar="URL",
    help="The router [env WRK_TARGET; default: http://localhost: and env ROUTER_PORT or 8080].",
)
@click.option(
    "--scenario",
    type=click.Choice([route.value for route in Route]),
    help="Route under test; chooses the model where none is given [default: the model's route].",
)
@click.option("--api-key-env", metavar="NAME", help="Environment variable that holds the router's API key.")
@click.option(
    "--api-key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File that holds the router's API key.",
)
@click.option("--duration", default="30s", show_default=True, metavar="TIME", help="30s, 45m, 1h, …")
@click.option(
    "--exporter",
    "exporter_url",
    metavar="URL",
    help="The exporter to report to [default: the one on 127.0.0.1:9877; one is started for the "
    "run where there is none].",
)
@click.option(
    "--prometheus",
    "prometheus_url",
    metavar="URL",
    help="A Prometheus that scrapes the exporter: its totals must agree, its alerts are recorded.",
)
@click.option("--json", "as_json", is_flag=True, help="Print run.json on standard output, nothing else.")
@load_options
def run(
    target: str | None,
    scenario: str | None,
    api_key_env: str | None,
    api_key_file: Path | None,
    duration: str,
    exporter_url: str | None,
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
    target = target or f"http://localhost:{os.environ.get('ROUTER_PORT') or 8080}"
    workload = _workload(target, scenario, options, read_secret(api_key_env, api_key_file))
    console = Console(stderr=as_json, highlight=False)
    with ExitStack() as cleanup:
        # Everything that can be wrong is said before anything is started.
        make_plan = _planner(workload, scenario, duration, options, "run")
        version = check_plan(make_plan(ExporterApi("http://127.0.0.1"), None))
        prometheus = PrometheusApi(prometheus_url) if prometheus_url else None
        if prometheus is not None:
            _check_prometheus(prometheus)
        api = _exporter_for(exporter_url, workload, cleanup, console)
        plan = make_plan(api, prometheus)
        sys.exit(_run(plan, version, console, as_json))


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
    workload = _workload(ports.url("router"), None, options, None)
    make_plan = _planner(workload, None, duration, options, "demo")
    with NativeStack(ports, CHECKOUT) as stack:
        stack.check_ports(("router", "exporter", "ingest", "prometheus", "alertmanager"))
        with console.status("starting the simulated router"):
            stack.start_simulator()
        plan = make_plan(ExporterApi(ports.url("exporter")), PrometheusApi(ports.url("prometheus")))
        version = check_plan(plan)
        with console.status("starting exporter, Alertmanager and Prometheus"):
            stack.start_exporter()
            stack.start_alertmanager()
            stack.start_prometheus()
        urls = _urls(stack, console)
        console.print(urls)
        code = _run(plan, version, console, as_json=False)
        console.print(urls)
        if keep:
            _keep(console)
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


def _keep(console: Console) -> None:
    console.print("\nthe stack stays up; Ctrl-C stops it")
    with Interrupt() as interrupt:
        while not interrupt.wait(3600):
            pass


def _workload(target: str, scenario: str | None, options: dict[str, Any], key: str | None) -> Workload:
    model = options["model"] or SCENARIO_MODELS[Route(scenario or "local")]
    workload = make_workload(
        target=target,
        endpoint=options["endpoint"],
        model=model,
        body_file=options["body_file"],
        headers=options["headers"],
        api_key=key,
        script=options["script"],
    )
    if scenario and route_of(workload.model) != scenario:
        raise ConfigurationError(
            f"--scenario: {scenario} does not fit the model {workload.model!r}, which goes to "
            f"{workload.route.value}; give one or the other"
        )
    return workload


def _planner(
    workload: Workload, scenario: str | None, duration: str, options: dict[str, Any], command: str
) -> Callable[[ExporterApi, PrometheusApi | None], RunPlan]:
    scenario = scenario or workload.route.value
    seconds = parse_duration(duration, "--duration")
    inputs = {
        "command": command,
        "scenario": scenario,
        "target": workload.target,
        "endpoint": workload.endpoint,
        "model": workload.model,
        "body_bytes": len(workload.body),
        "body_file": str(options["body_file"]) if options["body_file"] else None,
        "script": str(workload.script) if workload.script else None,
        # Names alone: a value may be a secret.
        "headers": [name for name, _ in workload.headers],
        "connections": options["connections"],
        "duration_seconds": seconds,
        "max_error_ratio": options["max_error_ratio"],
    }

    def plan(exporter_api: ExporterApi, prometheus: PrometheusApi | None) -> RunPlan:
        return RunPlan(
            workload=workload,
            engine=ENGINES[options["engine"]](),
            scenario=scenario,
            label=options["label"] or scenario,
            connections=options["connections"],
            duration_seconds=seconds,
            drain_seconds=float(parse_duration(options["drain"], "--drain")),
            stall_after_seconds=float(parse_duration(options["stall_after"], "--stall-after")),
            most_error_ratio=options["max_error_ratio"],
            results=options["results"],
            exporter=exporter_api,
            prometheus=prometheus,
            inputs=inputs,
        )

    return plan


def _check_prometheus(prometheus: PrometheusApi) -> None:
    try:
        prometheus.value("vector(1)")
    except QueryError as error:
        raise ConfigurationError(f"--prometheus: {error}") from error


def _exporter_for(url: str | None, workload: Workload, cleanup: ExitStack, console: Console) -> ExporterApi:
    """The exporter that was named, else the local one, else one of this run's own."""
    if url is not None:
        api = ExporterApi(url)
        if not api.healthy():
            raise ConfigurationError(f"--exporter: no exporter answers at {url}; start one: soak exporter")
        return api
    local = ExporterApi(Ports().url("exporter"))
    if local.healthy():
        return local
    stack = cleanup.enter_context(NativeStack(own_exporter_ports(Ports()), CHECKOUT))
    stack.start_exporter(router_url=workload.target)
    own = ExporterApi(stack.ports.url("exporter"))
    console.print(f"exporter for this run: {own.url}/metrics")
    return own


def _run(plan: RunPlan, version: str, console: Console, as_json: bool) -> int:
    title = (
        f"{plan.workload.model} at {plan.workload.url}, {plan.connections} connections, "
        f"{plan.engine.name} {version}"
    )
    with Interrupt() as interrupt:
        with TerminalView(console, title) as view:
            result, files = run_soak(plan, version, view, interrupt, SystemClock())
        if as_json:
            click.echo(files["run"].read_text(encoding="utf-8"), nl=False)
        else:
            print_verdict(console, result, files)
    return result.judgement.exit_code


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
