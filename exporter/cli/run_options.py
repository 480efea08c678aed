"""The options of a run, and the plan that they make."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from exporter.cli.command import FILE, RESULTS, opt, option_group
from exporter.errors import ConfigurationError
from exporter.live.message import MAX_CONNECTIONS, Route
from exporter.load import ENGINES
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL
from exporter.settings.router_api import RouterApi
from exporter.settings.server_trust import ServerTrust
from exporter.settings.strict_yaml import first_problem


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

    engine: str | None
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


_TARGET = opt(
    "--target URL",
    "The router [env WRK_TARGET; default: http://localhost: and env ROUTER_PORT or 8080].",
    envvar="WRK_TARGET",
)
_TRUST = "Take any certificate of the router's."
_API = (
    opt("--api-key-env NAME", "Environment variable that holds the router's API key."),
    opt("--api-key-file FILE", "File that holds the router's API key.", type=FILE),
    opt("--cacert FILE", "PEM certificates of the authorities that the router's may be from.", type=FILE),
)
_PROBE_TIMEOUT = opt(
    "--probe-timeout SECONDS",
    "How long the router may take to answer its probe, GET /v1/models.",
    type=click.FloatRange(0, 60, min_open=True),
    default=RouterApi().timeout_seconds,
    group="Watching",
)

target_options = option_group(
    "Target",
    "target",
    TargetOptions,
    _TARGET,
    opt(
        "--scenario",
        "Route under test; chooses the model where none is given [default: the model's route].",
        type=click.Choice([route.value for route in Route]),
    ),
    *_API,
    opt("--insecure", f"{_TRUST} The load takes any, always.", is_flag=True),
    _PROBE_TIMEOUT,
)

api_options = option_group(
    "Target",
    "target",
    TargetOptions,
    _TARGET,
    *_API,
    opt("--insecure", _TRUST, is_flag=True),
    _PROBE_TIMEOUT,
)
"""of a command that sends no load to the router"""

load_options = option_group(
    "Load",
    "load",
    LoadOptions,
    opt(
        "--engine",
        "What sends the load; `stream` reads LLM streams [default: wrk where it is installed, else hey, else "
        "stream; `soak demo`: stream].",
        type=click.Choice(sorted(ENGINES)),
    ),
    opt(
        "--model NAME",
        "Model to ask; a prefix openai:, google:, anthropic: sets the route [env WRK_MODEL; default: that of "
        f"--body or --script, else the scenario's, {DEFAULT_MODEL} for local].",
        envvar="WRK_MODEL",
    ),
    opt(
        "--endpoint PATH",
        "Path of the requests [env WRK_ENDPOINT]. A key in its query is hidden, with hey refused.",
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
        f"Connections, 1 to {MAX_CONNECTIONS}, each with one request in flight; not with --rate.",
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
    opt(
        "--stall-after TIME",
        "A request without an answer, or a stream without a byte, for so long counts as stalled.",
        default="30s",
    ),
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
        "The exporter to report to [default: that of a `soak up` for this target, else the one on "
        "127.0.0.1:9877 where it watches this target, else one of the run's own].",
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
        "A Prometheus that scrapes the exporter: its totals must agree, its alerts are noted [default: that "
        "of the same `soak up`].",
        "prometheus_url",
    ),
)


def router_api(url: str, target: TargetOptions, **key: Any) -> RouterApi:
    """How the router at `url` is asked, with an API key where one is named.

    Raises ConfigurationError where the URL is none of a server's, or --cacert cannot be used.
    """
    trust = ServerTrust(ca_file=target.cacert, insecure_skip_verify=target.insecure)
    trust.context("--cacert")
    try:
        return RouterApi(url=url, timeout_seconds=target.probe_timeout, tls_config=trust, **key)
    except ValidationError as error:
        # What follows is about the keys of a file; here they are options.
        why = first_problem(error).removeprefix("url: ").partition("; use ")[0]
        raise ConfigurationError(f"--target: {why}") from None
