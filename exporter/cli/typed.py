"""The command as it can be typed again, made from what click knows of every option."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from click.core import ParameterSource

from exporter.settings.placeholders import shown_header, shown_url


def typed_again(context: click.Context, resolved: Mapping[str, Any]) -> str:
    """One line for a shell: every option that was given, by command line or environment.

    `resolved` has, by parameter, what is shown in any case, since its default is not the same everywhere.
    """
    words = ["soak", context.info_name or ""]
    for parameter in context.command.params:
        name = parameter.name or ""
        given = context.get_parameter_source(name) != ParameterSource.DEFAULT
        if isinstance(parameter, click.Option) and (given or name in resolved):
            words += _words(parameter, resolved.get(name, context.params.get(name)))
    return " ".join(words)


def _words(option: click.Option, value: Any) -> Iterator[str]:
    flag = option.opts[0]
    if option.is_flag:
        if value:
            yield flag
        elif option.secondary_opts:
            yield option.secondary_opts[0]
        return
    for each in value if option.multiple else [value]:
        if each is not None:
            yield flag
            yield (shown_header if flag == "--header" else shown_url)(str(each)).word
