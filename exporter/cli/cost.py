"""Money and quota: a long load on a cloud route has a bound, or the user's word."""

import math
import sys

import click

from exporter.cli.command import opt
from exporter.errors import ConfigurationError
from exporter.live.message import Route
from exporter.run.plan import RunPlan

FREE_SECONDS = 60
"""of load that are sent without a question"""
YES = opt("--yes", "Send more than a minute to a cloud without --max-requests, and do not ask.", is_flag=True)


def agree_to_cost(plan: RunPlan, yes: bool, steps: int = 1) -> None:
    """Ask on a terminal; raises ConfigurationError where there is none, or where the answer is no."""
    seconds = steps * plan.duration_seconds
    if yes or plan.max_requests is not None or seconds <= FREE_SECONDS:
        return
    route = next((pair.route for pair in plan.pairs if pair.route != Route.LOCAL), None)
    if route is None:
        return
    if plan.shape is not None and plan.shape.rate is not None:
        bound = f"are {math.ceil(plan.shape.rate * seconds):,} requests"
    else:
        bound = "have no bound on their requests"
    what = f"{seconds:,} s of load on the route {route.value} {bound}, which cost money"
    if sys.stdin.isatty() and sys.stderr.isatty():
        if click.confirm(f"{what}. Send them?", err=True):
            return
        raise ConfigurationError("nothing was sent; --max-requests N ends a load with so many requests")
    raise ConfigurationError(f"{what}: give --max-requests N, or --yes")
