"""The plan that a command's options make, and what is asked before it is carried out."""

import os
from dataclasses import replace
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.text import Text

from exporter.cli.engine_choice import STREAM, choose_engine
from exporter.cli.objective_options import Limits
from exporter.cli.run_options import LoadOptions, ResultOptions, TargetOptions, router_api
from exporter.cli.stream_options import StreamOptions, stream_load
from exporter.cli.typed import typed_again
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError, QueryError
from exporter.live.message import MAX_CONNECTIONS, Route, route_of
from exporter.load import ENGINES
from exporter.load.model_label import ModelSource
from exporter.load.stream import StreamEngine
from exporter.load.workload import DEFAULT_MODEL, Workload, make_workload
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.preflight import preflight
from exporter.run.prometheus_client import EXAMPLE, PrometheusClient
from exporter.settings.login import NO_LOGIN, HttpClient
from exporter.settings.placeholders import shown_url
from exporter.settings.router_api import RouterApi, api_prefix
from exporter.settings.strict_yaml import parse_duration, read_secret
from exporter.settings.url import local_router_url

SCENARIO_MODELS = {
    Route.LOCAL: DEFAULT_MODEL,
    Route.OPENAI: "openai:gpt-4o",
    Route.GOOGLE: "google:gemini-1.5-pro",
    Route.ANTHROPIC: "anthropic:claude-3-opus",
}
MAX_DEFAULT_WARMUP_SECONDS = 120.0


def plan_of(
    target: TargetOptions,
    load: LoadOptions,
    results: ResultOptions,
    limits: Limits,
    stream: StreamOptions,
    duration: str,
) -> RunPlan:
    """The plan that the options of the command under way make.

    Raises ConfigurationError where they contradict each other.
    """
    if "?" in load.endpoint:
        # A query may hold a key, and no child needs the variable.
        os.environ.pop("WRK_ENDPOINT", None)
    context = click.get_current_context()
    asked = ModelSource.SCENARIO if target.scenario else ModelSource.DEFAULT
    url = target.target or local_router_url()
    workload = make_workload(
        target=url,
        endpoint=load.endpoint,
        model=load.model or SCENARIO_MODELS[Route(target.scenario or "local")],
        body_file=load.body_file,
        headers=load.headers,
        api_key=read_secret(target.api_key_env, target.api_key_file),
        script=load.script,
        model_source=ModelSource.OPTION if load.model else asked,
    )
    choice = choose_engine(
        load.engine,
        is_demo=context.info_name == "demo",
        stream_option=stream.given,
        has_script=load.script is not None,
        has_secrets=bool(workload.headers) or shown_url(workload.url).plain != workload.url,
    )
    shape = None
    if choice.name == STREAM:
        is_typed = context.get_parameter_source("connections") != ParameterSource.DEFAULT
        workload, shape = stream_load(
            *(stream, workload, url, load.endpoint, load.body_file is not None),
            connections=load.connections if is_typed else None,
        )
    elif stream.given is not None:
        raise ConfigurationError(f"{stream.given}: {choice.name} cannot do that; give --engine stream")
    if target.scenario and route_of(workload.model) != target.scenario:
        raise ConfigurationError(
            f"--scenario: {target.scenario} does not fit the model {workload.model!r}, which goes to "
            f"{workload.route.value}; give one or the other"
        )
    # --target may hold a part of the path.
    shown: dict[str, Any] = {
        "target": workload.target,
        "endpoint": workload.endpoint,
        "duration": duration,
        "engine": choice.name,
    }
    if "steps" in context.params:
        shown["steps"] = context.params["steps"]
    elif stream.rate is None:
        shown["connections"] = load.connections
    if workload.model_source == ModelSource.PROMPTS:
        shown["model"] = load.model
    elif workload.script is None:
        shown["model"] = workload.model
    seconds = parse_duration(duration, "--duration")
    return RunPlan(
        command=context.info_name or "",
        soak_command=typed_again(context, shown),
        workload=workload,
        router=router_api_of(workload, target),
        engine=StreamEngine(shape) if shape else ENGINES[choice.name](),
        engine_reason=choice.why,
        shape=shape,
        max_output_tokens=stream.max_output_tokens,
        prompts_file=stream.prompts,
        scenario=workload.route.value,
        label=results.label or workload.route.value,
        connections=load.connections if stream.rate is None else stream.max_in_flight or MAX_CONNECTIONS,
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
    return router_api(workload.target + api_prefix(workload.endpoint), target)


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
        seen = preflight(plan.workload, plan.engine.name, trust, say, interrupt, SystemClock(), plan.shape)
    return replace(plan, preflight=seen)


def say_engine(plan: RunPlan, console: Console) -> None:
    """Which engine sends the load, and why, where it was not named."""
    if plan.engine_reason is not None:
        text = f"load engine: {plan.engine.name} ({plan.engine_reason})"
        console.print(Text(text), soft_wrap=True)


def prometheus_at(url: str, login: HttpClient = NO_LOGIN) -> PrometheusClient:
    """The Prometheus of --prometheus, once it has answered; raises ConfigurationError where it does not."""
    prometheus = PrometheusClient(url, login)
    try:
        prometheus.value("vector(1)")
    except QueryError as error:
        raise ConfigurationError(f"--prometheus: {error}; give its URL, like {EXAMPLE}") from error
    return prometheus
