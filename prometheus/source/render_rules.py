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
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from exporter.cli.rendering import check_or_render

SOURCE = Path(__file__).parent
PROMETHEUS = SOURCE.parent
"""of this very tree: a checkout, an installed wheel, or what `soak files` has laid out"""
RENDERED: dict[str, Callable[[], dict[str, object]]] = {
    "rules/leaks.recording.yml": leak_rules.values,
    "rules/gpu_xid.alerts.yml": xid_rules.values,
    "prometheus.remote-write.yml": remote_write.values,
}
"""file to what fills its template, which has the file's name and `.j2` beside this script"""
TEMPLATES = Environment(
    loader=FileSystemLoader(SOURCE),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    autoescape=False,
    # Double braces are Prometheus's own.
    block_start_string="[%",
    block_end_string="%]",
    variable_start_string="[[",
    variable_end_string="]]",
    comment_start_string="[#",
    comment_end_string="#]",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Render or check; the exit code."""
    parser = argparse.ArgumentParser(description="Render Prometheus files from prometheus/source.")
    parser.add_argument("verb", choices=("render", "check"))
    parser.add_argument("--folder", type=Path, default=PROMETHEUS, help="where the rendered files are")
    parser.add_argument(
        "--remedy", default="run: soak rules render", help="what to do about one that drifted"
    )
    options = parser.parse_args(arguments)
    texts = {
        options.folder / name: TEMPLATES.get_template(f"{Path(name).name}.j2").render(values())
        for name, values in RENDERED.items()
    }
    return check_or_render(options.verb, texts, options.remedy)


if __name__ == "__main__":
    sys.exit(main())
