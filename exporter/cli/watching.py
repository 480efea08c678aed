"""Who watches a run: the exporter that is named, the one of this machine, or one of the run's own."""

from contextlib import ExitStack

from rich.console import Console
from rich.text import Text

from exporter.cli.listen_address import listen_address
from exporter.cli.run_options import WatchOptions
from exporter.errors import ConfigurationError, QueryError
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.plan import RunPlan
from exporter.run.watcher import Watcher, watcher_at
from exporter.settings.login import NO_LOGIN, load_http_client
from exporter.stack.own_exporter import OPTION, own_exporter
from exporter.stack.ports import Ports


def named_watcher(plan: RunPlan, options: WatchOptions) -> Watcher | None:
    """The exporter that is named, None where none is.

    Raises ConfigurationError where it cannot be used or watches another router, and where options contradict
    each other.
    """
    if options.exporter_url is None:
        for given, option in (
            (options.exporter_config is not None, "--exporter.config"),
            (options.watched_elsewhere, "--watched-elsewhere"),
        ):
            if given:
                raise ConfigurationError(f"{option}: is about --exporter; give --exporter too")
        if options.own_listen is not None:
            listen_address(options.own_listen, OPTION)
        return None
    if options.own_listen is not None:
        raise ConfigurationError(f"{OPTION}: with --exporter a run has none of its own; give one of the two")
    login = load_http_client(options.exporter_config) if options.exporter_config else NO_LOGIN
    target = plan.workload.target
    try:
        watcher = watcher_at(ExporterClient(options.exporter_url, login), target)
    except QueryError as error:
        raise ConfigurationError(f"--exporter: {error}") from error
    watching = watcher.watching
    if watching.router is not None and not watching.is_target and not options.watched_elsewhere:
        raise ConfigurationError(
            f"--exporter: {watching.said.english} ({target}); leave --exporter out, and the run starts its "
            "own; or name the target in router.also_known_as, if it is the same; or give "
            "--watched-elsewhere, and the router is not judged"
        )
    return watcher


def watcher_here(
    plan: RunPlan, options: WatchOptions, cleanup: ExitStack, interrupt: Interrupt, console: Console
) -> Watcher:
    """This machine's exporter where it is of use, else one of the run's own, which ends with `cleanup`."""
    listen = listen_address(options.own_listen, OPTION) if options.own_listen is not None else None
    local = None if listen else _local(plan.workload.target, console)
    if local is not None:
        return local
    own = cleanup.enter_context(own_exporter(plan.router, plan.workload.target, listen, interrupt))
    console.print(Text(f"exporter for this run: {own.metrics_url}"), soft_wrap=True)
    return own


def _local(target: str, console: Console) -> Watcher | None:
    """The exporter of this machine where it is of use; else it is said why it is not."""
    exporter = ExporterClient(Ports().url("exporter"))
    if not exporter.is_there():
        return None
    try:
        watcher = watcher_at(exporter, target)
    except QueryError as error:
        console.print(Text(f"not used: {error}"), soft_wrap=True)
        return None
    if watcher.watching.router is not None and not watcher.watching.is_target:
        console.print(Text(f"not used: {watcher.watching.said.english}"), soft_wrap=True)
        return None
    return watcher
