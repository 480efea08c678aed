"""How the commands of `soak` show their options: in groups, with one place for the exit codes."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

EXIT_CODES = """\b
Exit codes:
  0   pass
  1   fail: a check of the run failed
  2   bad usage or configuration; one line on standard error says which
  3   inconclusive: evidence is missing, or the run ended early"""
"""the epilog of the commands that judge"""

Function = Callable[..., Any]
Option = tuple[tuple[str, ...], dict[str, Any]]
Decorator = Callable[[Function], Function]


class GroupedOption(click.Option):
    """An option that is shown under the heading `group`."""

    def __init__(self, *args: Any, group: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose `--help` has a heading for each group of options."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        for heading, records in groups.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def option_group(heading: str, parameter: str, make: Callable[..., object], *options: Option) -> Decorator:
    """A decorator that adds `options` and passes on what `make` makes of their values.

    `make` takes the value of each option by its name; the command takes the result as `parameter`.
    """
    added = [GroupedOption(flags, group=heading, **settings) for flags, settings in options]
    names = [option.name for option in added if option.name]

    def decorate(command: Function) -> Function:
        @wraps(command)
        def grouped(**values: Any) -> Any:
            taken = {name: values.pop(name) for name in names}
            return command(**{parameter: make(**taken)}, **values)

        result: Function = grouped
        for flags, settings in reversed(options):
            result = click.option(*flags, cls=GroupedOption, group=heading, **settings)(result)
        return result

    return decorate


def opt(*flags: str, **settings: Any) -> Option:
    """An option of an `option_group`, as `click.option` takes it."""
    return flags, settings
