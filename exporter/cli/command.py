"""How the commands of `soak` present themselves: options in groups, an example, exit codes."""

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
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
    }
)
"""of the commands that judge a run"""

Function = Callable[..., Any]
Option = tuple[tuple[str, ...], dict[str, Any]]
Decorator = Callable[[Function], Function]


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
        for command in (command for group in commands.values() for command in group):
            self.add_command(command)

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.commands)
        for heading, commands in self._headings.items():
            with formatter.section(heading):
                formatter.write_dl(
                    [
                        (f"{command.name or '':<{width}}", command.get_short_help_str(90))
                        for command in commands
                    ]
                )


def grouped(heading: str, *flags: str, **settings: Any) -> Decorator:
    """`click.option`, shown under a heading."""
    return click.option(*flags, cls=GroupedOption, group=heading, **settings)


def option_group(heading: str, parameter: str, make: Callable[..., object], *options: Option) -> Decorator:
    """A decorator that adds `options` and passes on what `make` makes of their values.

    `make` takes the value of each option by its name; the command takes the result as `parameter`.
    """
    names = [GroupedOption(flags, group=heading, **settings).name for flags, settings in options]

    def decorate(command: Function) -> Function:
        @wraps(command)
        def with_group(**values: Any) -> Any:
            taken = {name: values.pop(name) for name in names if name}
            return command(**{parameter: make(**taken)}, **values)

        result: Function = with_group
        for flags, settings in reversed(options):
            result = grouped(heading, *flags, **settings)(result)
        return result

    return decorate


def opt(*flags: str, **settings: Any) -> Option:
    """An option of an `option_group`, as `click.option` takes it."""
    return flags, settings
