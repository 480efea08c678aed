"""The `soak` command: flags in, an exit code out.

Exit codes: 0 pass, 1 fail, 2 bad usage or configuration, 3 inconclusive, 70 an error of the program itself.
"""

import logging
import re
import signal
import sys
import tempfile
import traceback

import click

from exporter import __version__
from exporter.cli.command import CommandList
from exporter.cli.completion import completion_options
from exporter.cli.terminal import make_outputs_last
from exporter.errors import QueryError, SoakError
from exporter.plain_text import one_line
from exporter.settings.placeholders import redacted

LONGEST_LINE = 4000
_STRAY = re.compile(
    r"(?<=unexpected extra argument) \(.*\)|(?<=unexpected extra arguments) \(.*\)", re.DOTALL
)
"""words that belong to no option: half of `--header X-Key: SECRET`, it may be"""


@click.group(
    cls=CommandList,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "show_default": True},
)
@click.version_option(__version__, "-V", "--version", prog_name="soak")
@completion_options
@click.pass_context
def soak(context: click.Context) -> None:
    """Soak-test an LLM router and watch it live.

    \b
    soak demo                                   see it work, on a simulated router
    soak up                                     watch your own, on http://localhost:8080
    soak run --duration 45m --label nightly     soak your own, on http://localhost:8080
    soak COMMAND --help                         options, an example and exit codes
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


soak.add_all(
    {
        "Load and verdict": {
            "demo": "exporter.cli.demo:demo",
            "run": "exporter.cli.run:run",
            "scale": "exporter.cli.run:scale",
            "watch": "exporter.cli.watch:watch",
            "judge": "exporter.cli.judge:judge",
        },
        "Stack": {
            "up": "exporter.cli.up:up",
            "status": "exporter.cli.stacks:status",
            "down": "exporter.cli.stacks:down",
        },
        "Results": {
            "report": "exporter.cli.results:report",
            "compare": "exporter.cli.results:compare",
            "backfill": "exporter.cli.results:backfill_command",
        },
        "Services": {
            "exporter": "exporter.cli.exporter:exporter",
            "simulate": "exporter.cli.simulate:simulate",
            "agents": "exporter.cli.agents:agents",
        },
        "Shipped files": {
            "dashboards": "exporter.cli.rendering:dashboards",
            "rules": "exporter.cli.rendering:rules",
            "files": "exporter.cli.files:files",
        },
    }
)


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Entry point."""
    run_command(soak, "soak")


def run_command(command: click.Command, name: str) -> None:
    """Run a command: every error that the user can correct is one line and an exit code."""
    signal.signal(signal.SIGTERM, _terminated)
    make_outputs_last()
    try:
        command.main(standalone_mode=False)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail(name, "interrupted; everything that was started has been stopped", 3)
    except click.ClickException as error:
        _fail(name, _STRAY.sub("; a value with blanks stands in quotes", error.format_message()), 2)
    except QueryError as error:
        _fail(name, str(error), 3)
    except SoakError as error:
        _fail(name, str(error), 2)
    # Exit code 1 is a router that failed, so an error of the program itself must not end with Python's.
    except Exception as error:  # noqa: BLE001
        what = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(name, f"an error of the program itself ({what}); its traceback is {_traceback_place()}", 70)


def _traceback_place() -> str:
    """Where the traceback of the error under way is: a file, else standard error."""
    try:
        with tempfile.NamedTemporaryFile(prefix="soak-error-", suffix=".txt", delete=False) as file:
            file.write(redacted(traceback.format_exc()).encode(errors="backslashreplace"))
    except OSError:
        click.echo(redacted(traceback.format_exc()), err=True)
        return "above: no file can be written"
    return f"in {file.name}"


def _fail(name: str, message: str, code: int) -> None:
    logging.shutdown()
    click.echo(f"{name}: {redacted(one_line(message)[:LONGEST_LINE])}", err=True)
    sys.exit(code)
