"""The options of a run, and the plan that they make."""

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from exporter.cli.command import FILE, RESULTS, opt, option_group
from exporter.cli.objective_options import Limits
from exporter.cli.typed import typed_again
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import MAX_CONNECTIONS, Route, route_of
from exporter.load import ENGINES
from exporter.load.model_label import ModelSource
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL, Workload, make_workload
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.preflight import preflight
from exporter.run.prometheus_client import EXAMPLE, PrometheusClient
from exporter.settings.router_api import RouterApi, api_prefix
from exporter.settings.server_trust import ServerTrust
from exporter.settings.strict_yaml import first_problem, parse_duration, read_secret

SCENARIO_MODELS = {
    Route.LOCAL: DEFAULT_MODEL,
    Route.OPENAI: "openai:gpt-4o",
    Route.GOOGLE: "google:gemini-1.5-pro",
    Route.ANTHROPIC: "anthropic:claude-3-opus",
}

MAX_DEFAULT_WARMUP_SECONDS = 120.0


@dataclass(frozen=True)
class TargetOptions:
    """Which router is under test."""

    target: str | None = None
    scenario: str | None = None
    api_key_env: str | None = None
    api_key_file: Path | None = None
    cacert: Path | None = None
    insecure: bool = False
    probe_timeout: float = RouterApi().timeout_seconds


@dataclass(frozen=True)
class LoadOptions:
    """What is sent, and by which engine."""

    engine: str
    model: str | None
    endpoint: str
    body_file: Path | None
    script: Path | None
    headers: tuple[str, ...]
    connections: int
    warmup: str | None
    rest: str | None
    drain: str
    stall_after: str
    max_requests: int | None
    abort_on_error_ratio: float | None
    no_preflight: bool


@dataclass(frozen=True)
class ResultOptions:
    """What the run and its files are called, and where they go."""

    label: str | None
    folder: Path


@dataclass(frozen=True)
class WatchOptions:
    """Who watches the run."""

    exporter_url: str | None
    exporter_config: Path | None
    watched_elsewhere: bool
    own_listen: str | None
    prometheus_url: str | None


target_options = option_group(
    "Target",
    "target",
    TargetOptions,
    opt(
        "--target URL",
        "The router [env WRK_TARGET; default: http://localhost: and env ROUTER_PORT or 8080].",
        envvar="WRK_TARGET",
    ),
    opt(
        "--scenario",
        "Route under test; chooses the model where none is given [default: the model's route].",
        type=click.Choice([route.value for route in Route]),
    ),
    opt("--api-key-env NAME", "Environment variable that holds the router's API key."),
    opt("--api-key-file FILE", "File that holds the router's API key.", type=FILE),
    opt("--cacert FILE", "PEM certificates of the authorities that the router's may be from.", type=FILE),
    opt("--insecure", "Take any certificate of the router's. The load takes any, always.", is_flag=True),
    opt(
        "--probe-timeout SECONDS",
        "How long the router may take to answer its probe, GET /v1/models.",
        type=click.FloatRange(0, 60, min_open=True),
        default=RouterApi().timeout_seconds,
        group="Watching",
    ),
)

load_options = option_group(
    "Load",
    "load",
    LoadOptions,
    opt("--engine", "Program that sends the load.", type=click.Choice(sorted(ENGINES)), default="wrk"),
    opt(
        "--model NAME",
        "Model to ask; a prefix openai:, google:, anthropic: sets the route [env WRK_MODEL; default: that of "
        f"--body or --script, else the scenario's, {DEFAULT_MODEL} for local].",
        envvar="WRK_MODEL",
    ),
    opt(
        "--endpoint PATH",
        "Path of the requests [env WRK_ENDPOINT]. A key in its query is hidden by wrk, refused with hey.",
        envvar="WRK_ENDPOINT",
        default=DEFAULT_ENDPOINT,
    ),
    opt("--body FILE", "Send this file as the body, byte for byte.", "body_file", type=FILE),
    opt("--script FILE", "A wrk Lua script of your own; its hooks all run.", type=FILE),
    opt(
        "--header 'NAME: VALUE'",
        "Another header; may be repeated; not with hey. Keep secrets out: use --api-key-*.",
        "headers",
        multiple=True,
    ),
    opt(
        "--connections N",
        f"Connections, 1 to {MAX_CONNECTIONS}, each with one request in flight.",
        type=click.IntRange(1, MAX_CONNECTIONS),
        default=20,
    ),
    opt(
        "--warmup TIME",
        "The beginning of the load, and in it, of which percentiles and drift are not judged; 0s: none "
        "[default: a tenth of it, two minutes at most].",
    ),
    opt(
        "--rest TIME",
        "A pause between two halves of the load: what settles adds next to nothing in the second, a leak as "
        "much again.",
    ),
    opt("--drain TIME", "How long the router is watched after the load.", default="10s"),
    opt("--stall-after TIME", "A request without an answer for so long counts as stalled.", default="30s"),
    opt(
        "--max-requests N",
        "End the load, as planned, with so many requests; `soak scale`: of all steps together.",
        type=click.IntRange(min=1),
    ),
    opt(
        "--abort-on-error-ratio RATIO",
        "End a load that is lost: this share of the attempts of 10 s failed, 0.5 is half. The run fails.",
        type=click.FloatRange(0, 1, min_open=True),
    ),
    opt(
        "--no-preflight",
        "Send the load without the one request before it that shows a wrong key, path or port.",
        is_flag=True,
    ),
)

result_options = option_group(
    "Results",
    "results",
    ResultOptions,
    opt("--label NAME", "Names the run and its files [default: the scenario]."),
    opt("--results FOLDER", "Folder for the result files.", "folder", type=FILE, default=RESULTS),
)

watch_options = option_group(
    "Watching",
    "watch",
    WatchOptions,
    opt(
        "--exporter URL",
        "The exporter to report to [default: the one on 127.0.0.1:9877 where it watches this target, else "
        "one of the run's own].",
        "exporter_url",
    ),
    opt(
        "--exporter.config FILE",
        "How to log in at --exporter: basic_auth and tls_config, in the format of promtool's "
        "--http.config.file.",
        "exporter_config",
        type=FILE,
    ),
    opt(
        "--watched-elsewhere",
        "Use --exporter also where it watches another router than the target; the router is then not judged.",
        is_flag=True,
    ),
    opt(
        "--own-exporter-listen HOST:PORT",
        "Start an exporter for this run alone, there [default: where one is needed, on the default ports if "
        "they are free].",
        "own_listen",
    ),
    opt(
        "--prometheus URL",
        "A Prometheus that scrapes the exporter: its totals must agree, its alerts are noted.",
        "prometheus_url",
    ),
)


def plan_of(
    target: TargetOptions,
    load: LoadOptions,
    results: ResultOptions,
    limits: Limits,
    duration: str,
) -> RunPlan:
    """The plan that the options of the command under way make.

    Raises ConfigurationError where they contradict each other.
    """
    if "?" in load.endpoint:
        # A query may hold a key, and no child needs the variable.
        os.environ.pop("WRK_ENDPOINT", None)
    asked = ModelSource.SCENARIO if target.scenario else ModelSource.DEFAULT
    workload = make_workload(
        target=target.target or f"http://localhost:{os.environ.get('ROUTER_PORT') or 8080}",
        endpoint=load.endpoint,
        model=load.model or SCENARIO_MODELS[Route(target.scenario or "local")],
        body_file=load.body_file,
        headers=load.headers,
        api_key=read_secret(target.api_key_env, target.api_key_file),
        script=load.script,
        model_source=ModelSource.OPTION if load.model else asked,
    )
    if target.scenario and route_of(workload.model) != target.scenario:
        raise ConfigurationError(
            f"--scenario: {target.scenario} does not fit the model {workload.model!r}, which goes to "
            f"{workload.route.value}; give one or the other"
        )
    context = click.get_current_context()
    # --target may hold a part of the path.
    shown: dict[str, Any] = {
        "target": workload.target,
        "endpoint": workload.endpoint,
        "duration": duration,
    }
    if "steps" in context.params:
        shown["steps"] = context.params["steps"]
    else:
        shown["connections"] = load.connections
    if workload.script is None:
        shown["model"] = workload.model
    seconds = parse_duration(duration, "--duration")
    return RunPlan(
        command=context.info_name or "",
        soak_command=typed_again(context, shown),
        workload=workload,
        router=router_api_of(workload, target),
        engine=ENGINES[load.engine](),
        scenario=workload.route.value,
        label=results.label or workload.route.value,
        connections=load.connections,
        duration_seconds=seconds,
        warmup_seconds=_warmup_seconds(load.warmup, seconds),
        rest_seconds=float(parse_duration(load.rest, "--rest")) if load.rest else 0.0,
        drain_seconds=float(parse_duration(load.drain, "--drain")),
        stall_after_seconds=float(parse_duration(load.stall_after, "--stall-after")),
        max_requests=load.max_requests,
        abort_on_error_ratio=load.abort_on_error_ratio,
        bounds=limits.bounds,
        warn=limits.warn,
        require=limits.require,
        own=limits.own,
        allowed_statuses=limits.allowed_statuses,
        results=results.folder,
        body_file=load.body_file,
    )


def _warmup_seconds(given: str | None, load_seconds: int) -> float:
    if given is None:
        return min(load_seconds / 10, MAX_DEFAULT_WARMUP_SECONDS)
    return 0.0 if given == "0s" else float(parse_duration(given, "--warmup"))


def router_api_of(workload: Workload, target: TargetOptions) -> RouterApi:
    """How the run asks the router itself; raises ConfigurationError where --cacert cannot be used."""
    trust = ServerTrust(ca_file=target.cacert, insecure_skip_verify=target.insecure)
    trust.context("--cacert")
    url = workload.target + api_prefix(workload.endpoint)
    try:
        return RouterApi(url=url, timeout_seconds=target.probe_timeout, tls_config=trust)
    except ValidationError as error:
        raise ConfigurationError(f"--target: {first_problem(error).removeprefix('url: ')}") from None


def asked_once(plan: RunPlan, load: LoadOptions, interrupt: Interrupt, console: Console) -> RunPlan:
    """The plan with what its target answers to one request; what is odd is shown.

    Raises PreflightError or TargetUnreachableError where the load would be lost.
    """
    if load.no_preflight:
        return plan

    def say(text: str) -> None:
        console.print(Text(text, style="bold yellow"), soft_wrap=True)

    with console.status("asking the target once before the load"):
        trust = plan.router.tls_config
        seen = preflight(plan.workload, plan.engine.name, trust, say, interrupt, SystemClock())
    return replace(plan, preflight=seen)


def prometheus_at(url: str | None) -> PrometheusClient | None:
    """The named Prometheus, once it has answered."""
    if url is None:
        return None
    prometheus = PrometheusClient(url)
    try:
        prometheus.value("vector(1)")
    except QueryError as error:
        raise ConfigurationError(f"--prometheus: {error}; give its URL, like {EXAMPLE}") from error
    return prometheus
