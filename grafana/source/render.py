"""Render every dashboard to grafana/dashboards, or compare what is committed with its source.

`soak dashboards render|check|outline` is this script; it needs the optional group `dashboards`.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import gpu
import leaks
import results
import router_and_nodes
import soak
import stack_health
from dashboard_json import outline
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from exporter.cli.rendering import check_or_render

DASHBOARDS_FOLDER = Path(__file__).parents[1] / "dashboards"
"""of this very tree: a checkout, an installed wheel, or what `soak files` has laid out"""
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {
    "soak.json": soak.dashboard,
    "leaks.json": leaks.dashboard,
    "router-and-nodes.json": router_and_nodes.dashboard,
    "gpu.json": gpu.dashboard,
    "results.json": results.dashboard,
    "stack-health.json": stack_health.dashboard,
}


def to_text(dashboard: Dashboard) -> str:
    """The dashboard as it is committed: keys sorted, so that a small change stays a small difference."""
    return json.dumps(dashboard, cls=JSONEncoder, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Render, check or outline; the exit code."""
    parser = argparse.ArgumentParser(description="Render the Grafana dashboards from grafana/source.")
    parser.add_argument("verb", choices=("render", "check", "outline"))
    parser.add_argument("--folder", type=Path, default=DASHBOARDS_FOLDER, help="where the JSON files are")
    parser.add_argument(
        "--remedy", default="run: soak dashboards render", help="what to do about one that drifted"
    )
    options = parser.parse_args(arguments)
    texts = {options.folder / name: to_text(build()) for name, build in DASHBOARDS.items()}
    if options.verb == "outline":
        for text in texts.values():
            print("\n".join([*outline(json.loads(text)), ""]))
        return 0
    strangers = sorted(set(options.folder.glob("*.json")) - texts.keys())
    return check_or_render(options.verb, texts, options.remedy, strangers)


if __name__ == "__main__":
    sys.exit(main())
