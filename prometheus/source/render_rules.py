"""Render the Prometheus files that hold copies of one thing, or compare what is committed with its source.

`soak rules render|check` is this script.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import leak_rules
import remote_write
import xid_rules

from exporter.cli.rendering import check_or_render
from exporter.settings.shipped import CHECKOUT

PROMETHEUS = CHECKOUT / "prometheus"
RENDERED: dict[str, Callable[[], str]] = {
    "rules/leaks.recording.yml": leak_rules.rules,
    "rules/gpu_xid.alerts.yml": xid_rules.rules,
    "prometheus.remote-write.yml": remote_write.configuration,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Render or check; the exit code."""
    parser = argparse.ArgumentParser(description="Render Prometheus files from prometheus/source.")
    parser.add_argument("verb", choices=("render", "check"))
    parser.add_argument("--folder", type=Path, default=PROMETHEUS, help="where the rendered files are")
    options = parser.parse_args(arguments)
    texts = {options.folder / name: render() for name, render in RENDERED.items()}
    return check_or_render(options.verb, texts, "soak rules")


if __name__ == "__main__":
    sys.exit(main())
