"""exporter.cli.typed: the command can be typed again, with every option that was given and no secret."""

import shlex
from typing import Any

import click
import pytest

from exporter.cli.demo import demo
from exporter.cli.run import run, scale
from exporter.cli.typed import typed_again

COMMANDS = (run, scale, demo)
OPTIONS = [
    (command, option) for command in COMMANDS for option in command.params if isinstance(option, click.Option)
]


def name_of(part: click.Command | click.Option) -> str:
    return part.opts[0] if isinstance(part, click.Option) else str(part.name)


def sample(option: click.Option) -> str:
    """A value that the option takes and that is not its default."""
    kind = option.type
    if isinstance(kind, click.Choice):
        return next(str(each) for each in kind.choices if each != option.default)
    if isinstance(kind, click.IntRange | click.FloatRange):
        return str(7 if kind.max is None or kind.max > 7 else 0.25)
    if option.type is click.INT:
        return "7"
    if option.type is click.FLOAT:
        return "0.25"
    return "X-Tenant: ${SECRET_X_TENANT}" if option.opts[0] == "--header" else "it's a `b` $HOME"


def words(option: click.Option) -> list[str]:
    return [option.opts[0]] if option.is_flag else [option.opts[0], sample(option)]


def parsed(command: click.Command, arguments: list[str]) -> click.Context:
    return command.make_context(command.name, list(arguments), resilient_parsing=False)


def again(command: click.Command, line: str) -> dict[str, Any]:
    """What a shell and click make of the line."""
    soak, name, *arguments = shlex.split(line)
    assert (soak, name) == ("soak", command.name)
    return parsed(command, arguments).params


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in COMMANDS:
        for option in command.params:
            if isinstance(option.envvar, str):
                monkeypatch.delenv(option.envvar, raising=False)


@pytest.mark.parametrize(("command", "option"), OPTIONS, ids=name_of)
def test_every_option_that_is_given_is_typed_again(command: click.Command, option: click.Option) -> None:
    context = parsed(command, words(option))
    assert context.params[option.name or ""] != parsed(command, []).params[option.name or ""]
    line = typed_again(context, {})
    assert line.startswith(f"soak {command.name} {option.opts[0]}")
    assert again(command, line) == context.params


@pytest.mark.parametrize(("command", "option"), [each for each in OPTIONS if each[1].envvar], ids=name_of)
def test_what_the_environment_gives_is_typed_as_an_option(
    monkeypatch: pytest.MonkeyPatch, command: click.Command, option: click.Option
) -> None:
    value = "1" if option.is_flag else sample(option)
    monkeypatch.setenv(str(option.envvar), value)
    context = parsed(command, [])
    line = typed_again(context, {})
    monkeypatch.delenv(str(option.envvar))
    assert again(command, line) == context.params != parsed(command, []).params


@pytest.mark.parametrize("command", COMMANDS)
def test_all_of_them_together_are_typed_again_in_one_line(command: click.Command) -> None:
    arguments = [
        word for option in command.params if isinstance(option, click.Option) for word in words(option)
    ]
    context = parsed(command, [*arguments, "--header", "X: ${SECRET_X}"])
    assert again(command, typed_again(context, {})) == context.params


def test_without_any_option_what_differs_from_place_to_place_is_named() -> None:
    context = parsed(run, [])
    assert typed_again(context, {"target": "http://h:8080", "connections": 20, "model": "a b"}) == (
        "soak run --target http://h:8080 --model 'a b' --connections 20"
    )


def test_what_was_resolved_is_typed_in_place_of_what_was_given() -> None:
    context = parsed(run, ["--target", "http://user:hunter2@h:8080"])
    assert typed_again(context, {"target": "http://h:8080"}) == "soak run --target http://h:8080"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--header", "Authorization: Bearer hunter2"],
        ["--header", "X-Tenant: hunter2", "--header", "Cookie: hunter2"],
        ["--endpoint", "/v1/chat?api_key=hunter2"],
        ["--prometheus", "https://me:hunter2@prometheus:9090"],
    ],
)
def test_a_secret_is_a_variable(arguments: list[str]) -> None:
    line = typed_again(parsed(run, arguments), {})
    assert "hunter2" not in line
    assert "${SECRET_" in line


def test_where_a_key_comes_from_is_shown() -> None:
    context = parsed(run, ["--api-key-env", "ROUTER_KEY"])
    assert typed_again(context, {}) == "soak run --api-key-env ROUTER_KEY"
