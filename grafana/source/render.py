"""Render every dashboard to grafana/dashboards, or hold what is committed against its source.

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
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from outline import outline

DASHBOARDS_FOLDER = Path(__file__).resolve().parent.parent / "dashboards"
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


def drifted(folder: Path) -> list[str]:
    """What in the folder is not what the source says, a line each."""
    complaints = []
    for name, build in DASHBOARDS.items():
        path = folder / name
        if not path.exists():
            complaints.append(f"{path}: missing")
        elif path.read_text(encoding="utf-8") != to_text(build()):
            complaints.append(f"{path}: not what its source renders")
    strangers = [path for path in sorted(folder.glob("*.json")) if path.name not in DASHBOARDS]
    return complaints + [f"{path}: no source renders it" for path in strangers]


def main(arguments: Sequence[str] | None = None) -> int:
    """Render, check or outline; the exit code."""
    parser = argparse.ArgumentParser(description="Render the Grafana dashboards from grafana/source.")
    parser.add_argument("verb", choices=("render", "check", "outline"))
    parser.add_argument("--folder", type=Path, default=DASHBOARDS_FOLDER, help="where the JSON files are")
    options = parser.parse_args(arguments)
    if options.verb == "check":
        complaints = drifted(options.folder)
        for complaint in complaints:
            print(f"{complaint}; run: soak dashboards render", file=sys.stderr)
        return 1 if complaints else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, build in DASHBOARDS.items():
        text = to_text(build())
        if options.verb == "outline":
            print("\n".join([*outline(json.loads(text)), ""]))
        else:
            (options.folder / name).write_text(text, encoding="utf-8")
            print(options.folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
