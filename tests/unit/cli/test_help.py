"""What `--help` of every command teaches: what it does, an example, its options with defaults, exit codes."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from exporter.cli.main import soak


def leaves(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something."""
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield path


@pytest.mark.parametrize("path", [pytest.param(path, id=" ".join(path)) for path in leaves(soak)])
def test_every_command_shows_an_example_and_its_exit_codes(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(soak, [*path, "--help"], catch_exceptions=False)
    assert shown.exit_code == 0
    lines = [line.strip() for line in shown.output.splitlines()]
    assert any(f"soak {' '.join(path)}" in line for line in lines[1:]), "no example"
    assert "Exit codes:" in lines
    assert any(line.startswith("0 ") for line in lines[lines.index("Exit codes:") :])


def test_every_command_is_listed_once() -> None:
    shown = CliRunner().invoke(soak, []).output.splitlines()
    for name in soak.commands:
        assert sum(line.split()[:1] == [name] for line in shown) == 1


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_has_a_short_flag(flag: str) -> None:
    shown = CliRunner().invoke(soak, [flag])
    assert (shown.exit_code, shown.output.split()[0]) == (0, "soak,")


@pytest.mark.parametrize("command", ["run", "scale", "demo", "exporter", "simulate"])
def test_options_stand_in_groups(command: str) -> None:
    shown = CliRunner().invoke(soak, [command, "--help"]).output.splitlines()
    headings = [line for line in shown if line.endswith(":") and not line.startswith(" ")]
    assert len(headings) >= 3
    assert "Options:" not in headings
