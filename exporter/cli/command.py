"""How the commands of `soak` present themselves: options in groups, an example, exit codes."""

from collections import UserDict
from collections.abc import Callable, Mapping
from functools import wraps
from importlib import import_module
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
SERVICE_CODES = exit_codes({0: "ended by SIGTERM or Ctrl-C", 2: BAD_USAGE})
"""of the commands that serve until they are ended"""

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


class PlacedCommands(UserDict[str, Any]):
    """Commands by name, each imported from its place (`module:attribute`) when it is asked for.

    A service that runs for hours, and is started hundreds of times by tests, holds only what it needs.
    """

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if not isinstance(found, str):
            return found
        module, _, attribute = found.partition(":")
        return getattr(import_module(module), attribute)


class CommandList(click.Group):
    """The command above all others, which lists them once, under headings."""

    def add_all(self, places: Mapping[str, Mapping[str, str]]) -> None:
        """Add every command, by heading: its name and its place."""
        self._headings = places
        self.commands = PlacedCommands(
            {name: each for named in places.values() for name, each in named.items()}
        )

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.commands)
        for heading, named in self._headings.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [(f"{name:<{width}}", self.commands[name].get_short_help_str(90)) for name in named]
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
