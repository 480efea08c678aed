"""`soak up`: everything that watches a router of one's own, in one command."""

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.text import Text

from exporter.cli.command import BAD_USAGE, FILE, RESULTS, GroupedCommand, Option, exit_codes, opt, options
from exporter.cli.detached_up import start_detached, until_up
from exporter.cli.stack_text import next_commands, stack_lines
from exporter.cli.terminal import PlainConsole
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.plain_text import one_line
from exporter.run.interrupt import Interrupt
from exporter.settings.router_api import DEFAULT_ROUTER_URL
from exporter.settings.server_trust import ServerTrust
from exporter.settings.state_folder import state_folder
from exporter.settings.strict_yaml import first_problem, read_secret, read_text
from exporter.settings.up_config import UpConfig, for_router, load_up_config
from exporter.settings.url import local_router_url, server_url
from exporter.stack.ports import Ports
from exporter.stack.stack_health import health_of
from exporter.stack.up import Up
from exporter.stack.up_folder import LOG_FILE, StackThereError
from exporter.stack.up_plan import (
    DEFAULT_RETENTION,
    UpPlan,
    checked_name,
    retention_bytes,
)
from exporter.stack.up_state import StackRecord, name_of, stack_for

DETACHED = "SOAK_UP_DETACHED"
"""set for the process that a `soak up --detach` leaves behind"""
PORTS = ("exporter", "ingest", "prometheus", "alertmanager", "grafana")
UP_CODES = exit_codes(
    {
        0: "ended by Ctrl-C, SIGTERM or soak down; with --detach: it is up, as it may have been before",
        2: f"{BAD_USAGE}; or, without --detach, the router's stack is up already",
    }
)


def port_options(*names: str) -> list[Option]:
    """An option for the port of each service."""
    return [
        opt(
            f"--{name}-port PORT",
            None,
            f"{name}_port",
            type=click.IntRange(1, 65535),
            show_default=f"{getattr(Ports, name)} where it is free",
        )
        for name in names
    ]


def given_ports(options: Mapping[str, int | None]) -> dict[str, int]:
    """What was given with them, by service."""
    return {each.removesuffix("_port"): port for each, port in options.items() if port is not None}


@click.command(cls=GroupedCommand, epilog=UP_CODES)
@options(
    "Router",
    opt(
        "--target URL",
        "The router [env WRK_TARGET; default: that of --config, else http://localhost: and env ROUTER_PORT "
        "or 8080].",
        envvar="WRK_TARGET",
    ),
    opt("--api-key-env NAME", "Environment variable that holds the router's API key."),
    opt("--api-key-file FILE", "File that holds the router's API key.", type=FILE),
    opt("--cacert FILE", "PEM certificates of the authorities that the router's may be from.", type=FILE),
    opt("--insecure", "Take any certificate of the router's.", is_flag=True),
    opt(
        "--config FILE",
        "The exporter's configuration (processes, GPUs, keys), and `agents` to scrape beside it "
        "[default: the router's process and its nodes on this machine, by their ports].",
        "config_file",
        type=FILE,
    ),
)
@options(
    "Stack",
    opt("--name NAME", "Of the stack and its folder [default: the router's host, port and prefix]."),
    opt("--detach", "Return once everything answers, and leave it up: soak down ends it.", is_flag=True),
    opt(
        "--retention-size SIZE",
        "How much Prometheus keeps: 500MB, 4GB, …; the oldest goes first.",
        default=DEFAULT_RETENTION,
    ),
    opt(
        "--results FOLDER",
        "Folder of the runs whose results are shown beside their live series.",
        type=FILE,
        default=RESULTS,
    ),
    opt(
        "--alertmanager-config FILE",
        "Alertmanager's configuration [default: the shipped one, which notifies nobody].",
        "alertmanager",
        type=FILE,
    ),
    *port_options(*PORTS),
)
def up(
    target: str | None,
    api_key_env: str | None,
    api_key_file: Path | None,
    cacert: Path | None,
    insecure: bool,
    config_file: Path | None,
    name: str | None,
    detach: bool,
    retention_size: str,
    results: Path,
    alertmanager: Path | None,
    **ports: int | None,
) -> None:
    """Watch a router: exporter, live page, and Prometheus, alerts and Grafana as installed.

    \b
    soak up                                    the router on http://localhost:8080, until Ctrl-C
    soak up --target http://router:8080 --detach
    soak up --config watch.yml --retention-size 20GB

    Data stay for the next soak up of the router. soak run and soak watch use a stack that is up by
    themselves; soak status shows it, soak down ends it.
    """
    console = PlainConsole()
    # What reads a secret takes it out of the environment.
    environment = {**os.environ, DETACHED: "1"}
    is_detached = os.environ.pop(DETACHED, "") == "1"
    config = _config(
        config_file,
        target,
        api_key_env=api_key_env,
        api_key_file=api_key_file,
        tls_config=_trust(cacert, insecure),
    )
    assert config.router is not None
    plan = UpPlan(
        name=checked_name(name or name_of(config.router.url)),
        config=config,
        ports=given_ports(ports),
        retention_size=_checked_size(retention_size),
        results=results.absolute(),
        alertmanager=None if alertmanager is None else _readable(alertmanager),
        key=read_secret(config.router.api_key_env, config.router.api_key_file),
        detached=is_detached,
    )
    there = stack_for(config.router.url)
    if there is not None and is_detached:
        raise StackThereError(f"{there.name} is up already")  # who has started this one shows it
    if there is not None:
        _show_there(until_up(there, console) if detach else there, console)
        sys.exit(0 if detach else 2)
    if detach:
        record, is_own = start_detached(plan, environment, console)
        if not is_own:
            _show_there(record, console)
            return
        for note in record.notes:
            console.print(Text(note), soft_wrap=True)
        _show(record, console)
        return
    say = partial(_log, plan.name) if is_detached else lambda text: console.print(Text(text), soft_wrap=True)
    with Interrupt() as interrupt, Up(plan, say, interrupt) as stack:
        with console.status("starting what is installed"):
            stack.start()
        if not is_detached:
            _show(stack.record, console)
            console.print("\nCtrl-C stops everything; data stay")
        stack.hold()
    if not is_detached:
        console.print(Text(f"{plan.name} is down"), soft_wrap=True)


def _config(file: Path | None, target: str | None, **asked: Any) -> UpConfig:
    """With its router; raises ConfigurationError."""
    if target is not None:
        target = server_url(target, "--target", DEFAULT_ROUTER_URL)
    config = load_up_config(file) if file is not None else UpConfig()
    is_named = target is not None or (config.router is not None and "url" in config.router.model_fields_set)
    default = "" if is_named else local_router_url()
    try:
        return for_router(config, target, default, **asked)
    except ValidationError as error:
        problem = first_problem(error).removeprefix("router.").removeprefix("url: ")
        raise ConfigurationError(f"--target: {problem}") from None


def _trust(cacert: Path | None, insecure: bool) -> ServerTrust | None:
    """None: nothing is said of it."""
    if cacert is None and not insecure:
        return None
    trust = ServerTrust(ca_file=cacert, insecure_skip_verify=insecure)
    trust.context("--cacert")
    return trust


def _checked_size(text: str) -> str:
    retention_bytes(text)
    return text


def _readable(file: Path) -> Path:
    read_text(file, "--alertmanager-config")
    return file.absolute()


def _show_there(record: StackRecord, console: Console) -> None:
    """A stack that another `soak up` has started."""
    how = "is up already" if record.is_up else "is being brought up by another soak up"
    console.print(Text(f"{record.name} {how}"), soft_wrap=True)
    _show(record, console)


def _show(record: StackRecord, console: Console) -> None:
    """The links of a stack, and what to type next."""
    folder = state_folder() / record.name
    health = health_of(record, folder)
    for line in (*stack_lines(health, folder), "", *next_commands(health)):
        console.print(Text(line), soft_wrap=True)


def _log(name: str, text: str) -> None:
    """A line of the log; opened for each, since standard output is given up by the first that fails."""
    now = datetime.fromtimestamp(SystemClock().wall()).astimezone()
    with suppress(OSError), (state_folder() / name / LOG_FILE).open("a", encoding="utf-8") as log:
        log.write(f"{now:%Y-%m-%d %H:%M:%S} {one_line(text)}\n")
