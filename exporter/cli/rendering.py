"""The commands over rendered files, `soak dashboards` and `soak rules`, and what their renderers share.

What renders them is shipped beside the package: grafana/source and prometheus/source. Rules with links of
one's own are made of the shipped files alone.
"""

import importlib.util
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path

import click

from exporter.cli.command import BAD_USAGE, FILE, GroupedCommand, exit_codes, opt, options
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.settings.prometheus_rules import OPTION, with_runbook_base
from exporter.settings.shipped import INSTALLED, ROOT, shipped

_CODES = exit_codes({0: "done", 2: BAD_USAGE})
_CHECK_CODES = exit_codes({0: "every file is what its source renders", 1: "one has drifted", 2: BAD_USAGE})
DASHBOARDS = "grafana/source/render.py"
RULES = "prometheus/source/render_rules.py"
LIBRARIES = {DASHBOARDS: "grafana_foundation_sdk", RULES: "jinja2"}
"""which a renderer needs; that of the dashboards is optional, the extra `dashboards`"""
_FOLDER = options(
    "Options",
    opt(
        "--folder DIR",
        "A folder that `soak files` has laid out, or a checkout: its files, by its own source.",
        type=FILE,
        default=None,
        show_default="what is installed",
    ),
)


@click.group()
def dashboards() -> None:
    """Grafana's dashboards, written in Python under grafana/source."""


@dashboards.command("render", cls=GroupedCommand, epilog=_CODES)
@_FOLDER
def render_dashboards(folder: Path | None) -> None:
    """Write grafana/dashboards/*.json from their source.

    \b
    soak dashboards render; git diff grafana/dashboards
    soak dashboards render --folder soak-files
    """
    _run(DASHBOARDS, "render", folder)


@dashboards.command("check", cls=GroupedCommand, epilog=_CHECK_CODES)
@_FOLDER
def check_dashboards(folder: Path | None) -> None:
    """Compare the files in grafana/dashboards with their source.

    \b
    soak dashboards check
    """
    _run(DASHBOARDS, "check", folder)


@dashboards.command(cls=GroupedCommand, epilog=_CODES)
@_FOLDER
def outline(folder: Path | None) -> None:
    """Print each dashboard as text: what stands where, in which unit, and under which names.

    \b
    soak dashboards outline | less
    """
    _run(DASHBOARDS, "outline", folder)


@click.group(invoke_without_command=True, epilog=_CODES)
@options(
    "Options",
    opt(
        f"{OPTION} URL",
        "Write the rules with links that work from Slack and mail: below https://HOST:9877/runbook, which "
        "every exporter serves, or to a page like https://…/prometheus/runbook.md. As shipped the links are "
        "that page's path inside the project.",
        "base",
    ),
    opt(
        "--output FOLDER",
        f"Where the rules with {OPTION} are written.  [default: rules]",
        "output",
        type=FILE,
        show_default=False,
    ),
)
@click.pass_context
def rules(context: click.Context, base: str | None, output: Path | None) -> None:
    """The rules and alerts of Prometheus: with links of one's own, or rendered from prometheus/source.

    \b
    soak rules --runbook-base https://watch.example:9877/runbook --output /etc/prometheus/rules
    soak rules check
    """
    if context.invoked_subcommand is not None:
        if base is not None or output is not None:
            raise ConfigurationError(
                f"{OPTION}, --output: `soak rules {context.invoked_subcommand}` is about the project's own "
                "files; leave one of the two out"
            )
        return
    if base is None:
        if output is not None:
            raise ConfigurationError(f"--output: is about {OPTION}; give {OPTION} too")
        click.echo(context.get_help())
        return
    for path in with_runbook_base(output or Path("rules"), base):
        click.echo(path)


@rules.command("render", cls=GroupedCommand, epilog=_CODES)
@_FOLDER
def render_rules(folder: Path | None) -> None:
    """Write the rendered rule and configuration files under prometheus/ from their source.

    \b
    soak rules render; git diff prometheus
    soak rules render --folder soak-files
    """
    _run(RULES, "render", folder)


@rules.command("check", cls=GroupedCommand, epilog=_CHECK_CODES)
@_FOLDER
def check_rules(folder: Path | None) -> None:
    """Compare the rendered files under prometheus/ with their source.

    \b
    soak rules check
    """
    _run(RULES, "check", folder)


def check_or_render(verb: str, texts: Mapping[Path, str], remedy: str, strangers: Iterable[Path] = ()) -> int:
    """What a renderer does with its texts when asked to `check` or `render`; the exit code.

    `remedy` says what to do about a file that has drifted; `strangers` are files that no source renders.
    """
    if verb == "check":
        complaints = [f"{path}: missing" for path in texts if not path.exists()]
        complaints += [
            f"{path}: not what its source renders"
            for path, text in texts.items()
            if path.exists() and path.read_text(encoding="utf-8") != text
        ]
        complaints += [f"{path}: no source renders it" for path in strangers]
        for complaint in complaints:
            print(f"{complaint}; {remedy}", file=sys.stderr)
        return 1 if complaints else 0
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path)
    return 0


def _run(renderer: str, verb: str, folder: Path | None) -> None:
    """Run a renderer in a process of its own: its files import each other as scripts do."""
    script = shipped(renderer) if folder is None else folder / renderer
    if not script.is_file():
        raise ConfigurationError(f"--folder: {script}: not there; lay it out: soak files {folder}")
    command = f"soak {'dashboards' if renderer == DASHBOARDS else 'rules'} render"
    if folder is not None:
        remedy = f"run: {command} --folder {shlex.quote(str(folder))}"
    elif ROOT != INSTALLED:
        remedy = f"run: {command}"
    elif verb == "render":
        raise ConfigurationError(
            f"{ROOT}: what is installed is not written to; lay it out and render there: "
            f"soak files DIR && {command} --folder DIR"
        )
    else:
        remedy = "install the project anew"
    library = LIBRARIES[renderer]
    if importlib.util.find_spec(library) is None:
        raise ToolMissingError(f"{library}: not installed; install it: pip install {_requirement(library)}")
    done = subprocess.run([sys.executable, str(script), verb, "--remedy", remedy], check=False)
    sys.exit(done.returncode)


def _requirement(library: str) -> str:
    """What pip is told of a library that this distribution names, its version included."""
    try:
        named = metadata.requires("llm-router-soak") or []
    except metadata.PackageNotFoundError:
        named = []
    wanted = (each.partition(";")[0].strip() for each in named)
    project = library.replace("_", "-")
    return next((shlex.quote(each) for each in wanted if each.replace("_", "-").startswith(project)), project)
