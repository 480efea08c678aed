"""The options of a run's checks, made from OBJECTIVES."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from exporter.cli.command import FILE, opt, option_group
from exporter.errors import ConfigurationError
from exporter.run.objectives_file import COMMON, all_objectives, option_objectives, read_objectives
from exporter.verdict.objectives import BOUNDED, CHECKS, WARNING, lowered_checks, required_checks
from exporter.verdict.own_objective import OwnObjective


@dataclass(frozen=True)
class Limits:
    """By what a run is judged."""

    bounds: dict[str, float]
    """by check"""
    warn: frozenset[str]
    """checks that do not fail the run"""
    require: frozenset[str]
    """checks without which it does not pass"""
    own: tuple[OwnObjective, ...]
    """the user's own objectives"""
    allowed_statuses: frozenset[str]
    """that are no errors"""


def _limits(
    warn: tuple[str, ...],
    require: tuple[str, ...],
    objectives: Path | None,
    allow_status: tuple[str, ...],
    **given: Any,
) -> Limits:
    """Raises ConfigurationError for a name that is no check, and for an objective that cannot be read."""
    common = {option: given[_parameter(option)] for option in COMMON}
    return Limits(
        {check: given[bound.parameter] for check, bound in BOUNDED.items()},
        lowered_checks(_split(warn)),
        required_checks(_split(require)),
        all_objectives(
            option_objectives(common), read_objectives(objectives) if objectives is not None else ()
        ),
        _statuses(allow_status),
    )


OF_WATCHED = ("--max-rss", "--max-growth")
"""the common objectives that need no load of ours"""


def _watch_limits(
    warn: tuple[str, ...], require: tuple[str, ...], objectives: Path | None, **given: Any
) -> Limits:
    """The same where somebody else sends the load."""
    own = read_objectives(objectives) if objectives is not None else ()
    common = option_objectives({option: given[_parameter(option)] for option in OF_WATCHED})
    lowered, required = lowered_checks(_split(warn)), required_checks(_split(require))
    return Limits({}, lowered, required, all_objectives(common, own), frozenset())


def _split(texts: tuple[str, ...]) -> list[str]:
    return [name.strip() for text in texts for name in text.split(",")]


def _statuses(texts: tuple[str, ...]) -> frozenset[str]:
    statuses = frozenset(each.strip() for text in texts for each in text.split(","))
    for status in statuses:
        if not re.fullmatch("[1345][0-9][0-9]", status):
            raise ConfigurationError(
                f"--allow-status: {status!r}: give HTTP statuses that are not 2xx, like 429"
            )
    return statuses


def _parameter(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


_COMMON_HELP = {
    "--p95": ("TIME", "95 % of the 2xx have to be faster, like 300ms."),
    "--p99": ("TIME", "The same of 99 %."),
    "--max": ("TIME", "No request may take longer."),
    "--min-rps": ("NUMBER", "2xx a second at least, over the whole load."),
    "--max-rss": ("SIZE", "The most that the router's process may take, like 2GiB."),
    "--max-growth": ("SIZE/h", "The most that the router's memory may grow, like 20MiB/h."),
}

_OF_EVERY_RUN = (
    opt(
        "--objectives FILE",
        "Your own objectives, a YAML list: 'each 5m: p99 < 500ms', 'every 1m sliding: errors < 1 %', "
        "'growth(router, memory) < 20MiB/h', 'promql: EXPR < 5'. docs/objectives.md has the language.",
        type=FILE,
    ),
    opt(
        "--warn CHECK,…",
        "Checks that do not fail the run: a failure is shown as a warning. May be repeated. Where evidence "
        f"is missing the run stays inconclusive. Checks: {', '.join(CHECKS)}.",
        multiple=True,
    ),
    opt(
        "--require CHECK,…",
        "Checks that have to be judged: where one is not, the run is inconclusive. Those that only warn, "
        f"{' and '.join(sorted(WARNING))}, then fail it. `leaks` are the five of memory, files, threads, "
        "connections and GPU memory. May be repeated.",
        multiple=True,
    ),
)

objective_options = option_group(
    "Verdict",
    "limits",
    _limits,
    *(
        opt(
            f"{each.option} NUMBER",
            each.help,
            type=click.FloatRange(each.min, each.max),
            default=each.default,
        )
        for each in BOUNDED.values()
    ),
    *(opt(f"{option} {metavar}", help) for option, (metavar, help) in _COMMON_HELP.items()),
    opt(
        "--allow-status STATUS,…",
        "Statuses that are no errors, though no successes either, like 429. May be repeated.",
        multiple=True,
    ),
    *_OF_EVERY_RUN,
)

watch_limit_options = option_group(
    "Verdict",
    "limits",
    _watch_limits,
    *(opt(f"{option} {_COMMON_HELP[option][0]}", _COMMON_HELP[option][1]) for option in OF_WATCHED),
    *_OF_EVERY_RUN,
)
"""of a command that sends no load: what needs one is not offered"""
