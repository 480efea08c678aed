"""Render every dashboard to grafana/dashboards, or hold what is committed against its source.

python grafana/source/render.py           write the files
python grafana/source/render.py --check   change nothing; exit 1 and name what has drifted
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import soak
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

DASHBOARDS_FOLDER = Path(__file__).resolve().parent.parent / "dashboards"
DASHBOARDS: dict[str, Callable[[], Dashboard]] = {"soak.json": soak.dashboard}


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
    """Write or check; the exit code."""
    parser = argparse.ArgumentParser(description="Render the Grafana dashboards from grafana/source.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 naming what has drifted")
    parser.add_argument("--folder", type=Path, default=DASHBOARDS_FOLDER, help="where the JSON files are")
    options = parser.parse_args(arguments)
    if options.check:
        complaints = drifted(options.folder)
        for complaint in complaints:
            print(f"{complaint}; run: python grafana/source/render.py", file=sys.stderr)
        return 1 if complaints else 0
    options.folder.mkdir(parents=True, exist_ok=True)
    for name, build in DASHBOARDS.items():
        (options.folder / name).write_text(to_text(build()), encoding="utf-8")
        print(options.folder / name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
