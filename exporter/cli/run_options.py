"""The options of a run, and the plan that they make."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import Route, route_of
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL, Workload, make_workload
from exporter.run.exporter_client import ExporterApi
from exporter.run.interrupt import Interrupt
from exporter.run.prometheus_client import PrometheusApi
from exporter.run.soak import ENGINES, RunPlan
from exporter.settings.durations import parse_duration
from exporter.settings.login import NO_LOGIN, load_http_client
from exporter.stack.native import NativeStack
from exporter.stack.ports import Ports, own_exporter_ports

SCENARIO_MODELS = {
    Route.LOCAL: DEFAULT_MODEL,
    Route.OPENAI: "openai:gpt-4o",
    Route.GOOGLE: "google:gemini-1.5-pro",
    Route.ANTHROPIC: "anthropic:claude-3-opus",
}
F = TypeVar("F", bound=Callable[..., Any])
Planner = Callable[[ExporterApi, PrometheusApi | None], RunPlan]


def target_options(command: F) -> F:
    """The options that say which router is asked, and who watches."""
    for option in reversed(
        (
            click.option(
                "--target",
                envvar="WRK_TARGET",
                metavar="URL",
                help="The router [env WRK_TARGET; default: http://localhost: and env ROUTER_PORT or 8080].",
            ),
            click.option(
                "--scenario",
                type=click.Choice([route.value for route in Route]),
                help="Route under test; chooses the model where none is given [default: the model's route].",
            ),
            click.option(
                "--api-key-env", metavar="NAME", help="Environment variable that holds the router's API key."
            ),
            click.option(
                "--api-key-file",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="File that holds the router's API key.",
            ),
            click.option(
                "--exporter",
                "exporter_url",
                metavar="URL",
                help="The exporter to report to [default: the one on 127.0.0.1:9877; one is started for the "
                "run where there is none].",
            ),
            click.option(
                "--exporter.config",
                "exporter_config",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="How to log in at --exporter: basic_auth and tls_config, in the format of promtool's "
                "--http.config.file.",
            ),
            click.option(
                "--prometheus",
                "prometheus_url",
                metavar="URL",
                help="A Prometheus that scrapes the exporter: its totals must agree, its alerts are noted.",
            ),
        )
    ):
        command = option(command)
    return command


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


def default_target() -> str:
    """The router on this machine, at env ROUTER_PORT."""
    return f"http://localhost:{os.environ.get('ROUTER_PORT') or 8080}"


def workload_of(target: str, scenario: str | None, options: dict[str, Any], key: str | None) -> Workload:
    """What is sent, from the options; raises ConfigurationError where they contradict each other."""
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


def planner_of(
    workload: Workload, scenario: str | None, duration: str, options: dict[str, Any], command: str
) -> Planner:
    """Makes the plan once it is known who watches."""
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


def prometheus_at(url: str | None) -> PrometheusApi | None:
    """The Prometheus that was named, once it has answered."""
    if url is None:
        return None
    prometheus = PrometheusApi(url)
    try:
        prometheus.value("vector(1)")
    except QueryError as error:
        raise ConfigurationError(f"--prometheus: {error}") from error
    return prometheus


def exporter_for(
    url: str | None,
    config: Path | None,
    workload: Workload,
    cleanup: ExitStack,
    interrupt: Interrupt,
    console: Console,
) -> ExporterApi:
    """The exporter that was named, else the local one, else one of this run's own."""
    if url is not None:
        api = ExporterApi(url, load_http_client(config) if config else NO_LOGIN)
        problem = api.problem()
        if problem is not None:
            raise ConfigurationError(f"--exporter: {problem}")
        return api
    if config is not None:
        raise ConfigurationError("--exporter.config: it says how to log in at --exporter; give that too")
    local = ExporterApi(Ports().url("exporter"))
    if local.problem() is None:
        return local
    stack = cleanup.enter_context(NativeStack(own_exporter_ports(Ports()), interrupt=interrupt))
    stack.start_exporter(router_url=workload.target)
    own = ExporterApi(stack.ports.url("exporter"))
    console.print(f"exporter for this run: {own.url}/metrics")
    return own
