"""The commands over Grafana's dashboards: `soak dashboards render`, `check`, `outline`.

What renders them is no part of the package: grafana/source in a checkout, with the group `dashboards`.
"""

import importlib.util
import subprocess
import sys

import click

from exporter.errors import ToolMissingError
from exporter.settings.shipped import shipped

SDK = "grafana_foundation_sdk"


@click.group()
def dashboards() -> None:
    """Grafana's dashboards, written in Python under grafana/source."""


@dashboards.command()
def render() -> None:
    """Write grafana/dashboards/*.json from their source."""
    _run("render")


@dashboards.command()
def check() -> None:
    """Hold the files in grafana/dashboards against their source.

    Exit code: 0, 1 where one has drifted, 2 where that cannot be told.
    """
    _run("check")


@dashboards.command()
def outline() -> None:
    """Print each dashboard as text: what stands where, in which unit, and under which names."""
    _run("outline")


def _run(verb: str) -> None:
    """Run the renderer in a process of its own: its files import each other as scripts do."""
    renderer = shipped("grafana/source/render.py")
    if importlib.util.find_spec(SDK) is None:
        raise ToolMissingError(
            "grafana-foundation-sdk: not installed; install it: pip install -e '.[dashboards]'"
        )
    sys.exit(subprocess.run([sys.executable, str(renderer), verb], check=False).returncode)
