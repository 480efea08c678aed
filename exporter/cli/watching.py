"""Who watches a run: the exporter that is named, a `soak up`'s, this machine's, or one of the run's own."""

from contextlib import ExitStack
from dataclasses import dataclass

from rich.console import Console
from rich.text import Text

from exporter.cli.listen_address import listen_address
from exporter.cli.run_options import WatchOptions
from exporter.cli.run_plan import prometheus_at
from exporter.errors import ConfigurationError, QueryError
from exporter.run.exporter_client import ExporterClient
from exporter.run.interrupt import Interrupt
from exporter.run.prometheus_client import PrometheusClient
from exporter.run.watcher import Watcher, watcher_at
from exporter.settings.login import NO_LOGIN, load_http_client
from exporter.settings.router_api import RouterApi
from exporter.stack.own_exporter import OPTION, own_exporter
from exporter.stack.ports import Ports
from exporter.stack.up_state import StackState, found_stack, stack_for


@dataclass(frozen=True)
class Look:
    """What is known of a run's watchers before anything is started."""

    target: str
    options: WatchOptions
    found: Watcher | None
    """the exporter that is named, or that of a `soak up`"""
    prometheus: PrometheusClient | None
    """the one that is named, or that of the same `soak up`"""

    def watcher(
        self, router: RouterApi, cleanup: ExitStack, interrupt: Interrupt, console: Console
    ) -> Watcher:
        """The exporter of the run.

        Where none was found that is this machine's, where it is of use, else one of the run's own, which asks
        `router` and ends with `cleanup`.
        """
        if self.found is not None:
            return self.found
        own = self.options.own_listen
        listen = listen_address(own, OPTION) if own is not None else None
        local = None if listen else _local(self.target, console)
        if local is not None:
            return local
        started = cleanup.enter_context(own_exporter(router, self.target, listen, interrupt))
        console.print(Text(f"exporter for this run: {started.metrics_url}"), soft_wrap=True)
        return started


def first_look(target: str, options: WatchOptions, console: Console) -> Look:
    """Find out who watches the router at `target`; it is said where that is a `soak up`.

    Raises ConfigurationError where what is named cannot be used or watches another router, and where options
    contradict each other.
    """
    given = options.prometheus_url
    prometheus = None if given is None else prometheus_at(given)
    named = _named(target, options)
    if named is not None or options.own_listen is not None:
        return Look(target, options, named, prometheus)
    stack = found_stack(target)
    watcher = None if stack is None else _of_stack(stack, target, console)
    if stack is None and (silent := stack_for(target)) is not None:
        why = "its exporter does not say that it watches this router (soak status)"
        console.print(Text(f"not used: soak up {silent.name}: {why}"), soft_wrap=True)
    if stack is None or watcher is None:
        return Look(target, options, None, prometheus)
    used = f"watched by soak up {stack.name}: exporter {stack.exporter_url}"
    if prometheus is None and stack.prometheus_url is not None:
        try:
            prometheus = prometheus_at(stack.prometheus_url)
            used += f", Prometheus {stack.prometheus_url}"
        except ConfigurationError:
            used += "; its Prometheus does not answer, and is not asked"
    console.print(Text(used), soft_wrap=True)
    return Look(target, options, watcher, prometheus)


def _of_stack(stack: StackState, target: str, console: Console) -> Watcher | None:
    try:
        return watcher_at(ExporterClient(stack.exporter_url), target)
    except QueryError as error:
        console.print(Text(f"not used: {error}"), soft_wrap=True)
        return None


def _named(target: str, options: WatchOptions) -> Watcher | None:
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
