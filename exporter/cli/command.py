"""How the commands of `soak` present themselves: options in groups, an example, exit codes."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from itertools import chain
from pathlib import Path
from typing import Any

import click

BAD_USAGE = "bad usage or configuration; one line on standard error names it"


def exit_codes(meanings: Mapping[int, str]) -> str:
    """The epilog of a command."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code}   {meaning}" for code, meaning in meanings.items())


VERDICT_CODES = exit_codes(
    {
        0: "pass",
        1: "fail: a check of the run failed",
        2: BAD_USAGE,
        3: "inconclusive: evidence is missing, or the run ended early",
        70: "an error of the program itself",
    }
)
"""of the commands that judge a run"""

Function = Callable[..., Any]
Option = tuple[str, str, dict[str, Any]]
"""flag, parameter, and what click takes beside them"""
Decorator = Callable[[Function], Function]
FILE = click.Path(path_type=Path)
RESULTS = Path("benchmarks/results")


class GroupedOption(click.Option):
    """An option that is shown under the heading `group`."""

    def __init__(self, *args: Any, group: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose `--help` has a heading for each group of options, the command's own last."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Other"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


class CommandList(click.Group):
    """The command above all others, which lists them once, under headings."""

    def add_all(self, commands: Mapping[str, Sequence[click.Command]]) -> None:
        """Add every command, by heading."""
        self._headings = commands
        for command in chain.from_iterable(commands.values()):
            self.add_command(command)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.commands)
        for heading, commands in self._headings.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{each.name or '':<{width}}", each.get_short_help_str(90)) for each in commands]
                )


def opt(flag: str, help: str | None = None, parameter: str | None = None, **settings: Any) -> Option:
    """An option as its `--help` shows it: `opt("--drain TIME", "How long …", default="10s")`.

    `settings` are those of `click.option`, and `group` where one is shown under another heading than the
    options that it is declared with.
    """
    name, _, metavar = flag.partition(" ")
    parameter = parameter or name.removeprefix("--").replace("-", "_")
    return name, parameter, {"metavar": metavar or None, "help": help, **settings}


def options(heading: str, *declared: Option) -> Decorator:
    """A decorator that adds options to a command, shown under a heading."""

    def decorate(command: Function) -> Function:
        for flag, parameter, settings in reversed(declared):
            shown = {"group": heading, **settings}
            command = click.option(flag, parameter, cls=GroupedOption, **shown)(command)
        return command

    return decorate


def option_group(heading: str, parameter: str, make: Callable[..., object], *declared: Option) -> Decorator:
    """A decorator like `options` that passes on what `make` makes of the options' values, as `parameter`."""

    def decorate(command: Function) -> Function:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            taken = {name: values.pop(name) for _, name, _ in declared}
            return command(**{parameter: make(**taken)}, **values)

        return options(heading, *declared)(with_group)

    return decorate
