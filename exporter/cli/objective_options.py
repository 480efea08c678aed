"""The options of a run's checks, made from OBJECTIVES."""

from dataclasses import dataclass

import click

from exporter.cli.command import opt, option_group
from exporter.verdict.objectives import BOUNDED, CHECKS, lowered_checks


@dataclass(frozen=True)
class Limits:
    """By what a run is judged."""

    bounds: dict[str, float]
    """by check"""
    warn: frozenset[str]
    """checks that do not fail the run"""


def _limits(warn: tuple[str, ...], **bounds: float) -> Limits:
    """Raises ConfigurationError for a name that is no check."""
    names = [name.strip() for text in warn for name in text.split(",")]
    return Limits({check: bounds[bound.parameter] for check, bound in BOUNDED.items()}, lowered_checks(names))


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
    opt(
        "--warn CHECK,…",
        "Checks that do not fail the run: a failure is shown as a warning. May be repeated. Where evidence "
        f"is missing the run stays inconclusive. Checks: {', '.join(CHECKS)}.",
        multiple=True,
    ),
)
