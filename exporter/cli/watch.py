"""`soak watch`: everything of a run but the load, which the user's own tool sends, or real traffic is."""

import os
import sys
from contextlib import ExitStack

import click
from rich.text import Text

from exporter.cli.ci_options import CiReports, ci_options
from exporter.cli.command import VERDICT_CODES, GroupedCommand, opt, options
from exporter.cli.objective_options import Limits, watch_limit_options
from exporter.cli.run_options import (
    ResultOptions,
    TargetOptions,
    WatchOptions,
    api_options,
    result_options,
    router_api,
    watch_options,
)
from exporter.cli.run_view import TerminalView
from exporter.cli.terminal import PlainConsole
from exporter.cli.typed import typed_again
from exporter.cli.verdict_text import show_result
from exporter.cli.watching import first_look
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.run.interrupt import Interrupt
from exporter.run.objectives_file import check_expressions
from exporter.run.watch import run_watch
from exporter.run.watch_plan import SCENARIO, WatchPlan, check_watch
from exporter.settings.hidden_words import hidden_words
from exporter.settings.placeholders import shell_word
from exporter.settings.router_api import RouterApi
from exporter.settings.strict_yaml import parse_duration, read_secret
from exporter.settings.url import local_router_url

DEFAULT_DRAIN = "10s"


@click.command(
    cls=GroupedCommand,
    epilog=VERDICT_CODES,
    # What follows the command's name is the command's own, with -- before it or without.
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- COMMAND...]")
@api_options
@options(
    "Watch",
    opt("--duration TIME", "30s, 45m, …; COMMAND is ended then [default: until COMMAND ends, or Ctrl-C]."),
    opt("--drain TIME", f"How long the router is watched after COMMAND [default: {DEFAULT_DRAIN}]."),
)
@result_options
@ci_options
@watch_limit_options
@watch_options
@options(
    "Results", opt("--json", "Print run.json on standard output, nothing else.", "as_json", is_flag=True)
)
def watch(
    command: tuple[str, ...],
    target: TargetOptions,
    results: ResultOptions,
    ci: CiReports,
    limits: Limits,
    watch: WatchOptions,
    duration: str | None,
    drain: str | None,
    as_json: bool,
) -> None:
    """Watch a router while your own load tool, or real traffic, runs; then judge it.

    \b
    soak watch -- k6 run load.js
    soak watch --duration 45m -- locust -f locustfile.py --headless -u 20
    soak watch --duration 45m --target http://router:8080

    Judged are leaks, restarts, nodes, GPUs, what the router itself counts as failed, alerts and your own
    objectives over any scraped series; latency and throughput are your tool's. What COMMAND prints is shown,
    and kept in command-output.txt. Where it fails, a pass becomes inconclusive.
    """
    console = PlainConsole(stderr=as_json)
    with ExitStack() as cleanup:
        interrupt = cleanup.enter_context(Interrupt())
        # Everything that can be wrong is reported before anything is started.
        ci.check()
        plan = _plan(command, target, results, limits, duration, drain)
        cleanup.enter_context(ci.even_of_an_error("watch", plan.label))
        check_watch(plan)
        look = first_look(plan.target, watch, console)
        check_expressions(plan.own, look.prometheus)
        watcher = look.watcher(plan.router, cleanup, interrupt, console)
        console.print(Text(f"live page: {watcher.live_url}"), soft_wrap=True)
        console.print(Text(watcher.watching.said.english), soft_wrap=True)
        with TerminalView(console, plan.title) as view:
            result, files = run_watch(plan, watcher, look.prometheus, view, interrupt, SystemClock())
        sys.exit(show_result(result, files, "watch", console, ci, as_json))


def _plan(
    command: tuple[str, ...],
    target: TargetOptions,
    results: ResultOptions,
    limits: Limits,
    duration: str | None,
    drain: str | None,
) -> WatchPlan:
    """The plan that the options make; raises ConfigurationError where they contradict each other."""
    if drain is not None and not command:
        raise ConfigurationError("--drain: is about COMMAND, and there is none; leave it out")
    url = target.target or local_router_url()
    return WatchPlan(
        soak_command=_typed(command, url),
        router=_router(url, target),
        headers=_headers(target),
        command=command,
        label=results.label or SCENARIO,
        duration_seconds=None if duration is None else parse_duration(duration, "--duration"),
        drain_seconds=_drain_seconds(drain) if command else 0.0,
        results=results.folder,
        own=limits.own,
        warn=limits.warn,
        require=limits.require,
    )


def _typed(command: tuple[str, ...], url: str) -> str:
    typed = typed_again(click.get_current_context(), {"target": url})
    return " ".join([typed, *(["--", *map(shell_word, hidden_words(command).words)] if command else [])])


def _router(url: str, target: TargetOptions) -> RouterApi:
    file = target.api_key_file
    return router_api(url, target, api_key_env=target.api_key_env, api_key_file=file and file.absolute())


def _headers(target: TargetOptions) -> tuple[tuple[str, str], ...]:
    """The router's API key. Its variable stays: the load command and the exporter may need it."""
    before = dict(os.environ)
    key = read_secret(target.api_key_env, target.api_key_file)
    os.environ.update(before)
    return () if key is None else (("Authorization", f"Bearer {key}"),)


def _drain_seconds(given: str | None) -> float:
    return 0.0 if given == "0s" else float(parse_duration(given or DEFAULT_DRAIN, "--drain"))
