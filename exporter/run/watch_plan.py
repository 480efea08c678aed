"""What a watch is asked to do: watch a router while somebody else sends the load."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import ConfigurationError
from exporter.live.message import RunInfo
from exporter.results.folder import check_label, check_writable
from exporter.results.run_result import OwnInput, WatchInputs
from exporter.run.load_command import check_command
from exporter.settings.hidden_words import hidden_words
from exporter.settings.router_api import RouterApi
from exporter.settings.url import public_url
from exporter.verdict.objectives import OBJECTIVES
from exporter.verdict.own_objective import OwnObjective

SCENARIO = "watch"


@dataclass(frozen=True)
class WatchPlan:
    """One watch, without the exporter that makes it."""

    soak_command: str
    """how it was asked, as it can be typed again; without secrets"""
    router: RouterApi
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """the API key, with which the router's own metrics are asked"""
    command: tuple[str, ...] = field(repr=False)
    """the user's own load tool; empty: there is none"""
    label: str
    duration_seconds: int | None
    """None: until the command ends, or the user ends it"""
    drain_seconds: float
    results: Path
    bounds: Mapping[str, float] = field(default_factory=dict)
    own: tuple[OwnObjective, ...] = ()
    warn: frozenset[str] = frozenset()
    require: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """The router's URL, without the path of its API."""
        return public_url(self.router.url)

    @property
    def shown_command(self) -> tuple[str, ...]:
        """The load command without its secrets."""
        return hidden_words(self.command).words

    @property
    def title(self) -> str:
        """One line that names the watch."""
        beside = f" beside {' '.join(self.shown_command)}" if self.command else ""
        return f"{self.target}, watched{beside}"

    def info(self, start_timestamp_seconds: float) -> RunInfo:
        """The watch as it is announced, under a new id: a run that asks nothing itself."""
        return RunInfo(
            run=secrets.token_hex(8),
            scenario=SCENARIO,
            engine="",
            pairs=(),
            target=self.target,
            connections=0,
            label=self.label,
            start_timestamp_seconds=start_timestamp_seconds,
            planned_duration_seconds=float(self.duration_seconds or 0),
            stall_after_seconds=0.0,
        )

    @property
    def inputs(self) -> WatchInputs:
        """What run.json keeps of the plan: no secret."""
        trust = self.router.tls_config
        return WatchInputs(
            target=self.target,
            cacert=None if trust.ca_file is None else str(trust.ca_file),
            insecure=trust.insecure_skip_verify,
            probe_timeout_seconds=self.router.timeout_seconds,
            duration_seconds=self.duration_seconds,
            drain_seconds=self.drain_seconds,
            bounds=dict(self.bounds),
            objectives=tuple(OwnInput(each.name, each.statement.text, each.severity) for each in self.own),
            warn=tuple(sorted(self.warn)),
            require=tuple(sorted(self.require)),
            load_command=self.shown_command,
        )


def check_watch(plan: WatchPlan) -> None:
    """Raise ConfigurationError where label, folder or command is wrong, or a load of ours would be needed."""
    counted = [each.check for each in OBJECTIVES if each.of_counts and each.check in plan.require]
    if counted:
        raise ConfigurationError(
            f"--require: {', '.join(counted)}: needs what a load of soak's own counts, and a watch has none; "
            "leave it out, or use soak run"
        )
    for each in plan.own:
        if each.statement.measure.needs_counts:
            raise ConfigurationError(
                f"objective {each.name}: {each.statement.text!r} needs what a load of soak's own counts, and "
                "a watch has none; state it over a scraped series, like 'max(NAME) < 10', or leave it out"
            )
    check_label(plan.label)
    if plan.command:
        check_command(plan.command)
    check_writable(plan.results)
