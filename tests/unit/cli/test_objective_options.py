"""exporter.cli.objective_options: the options of the checks, and the limits made from them."""

import click
import pytest
from click.testing import CliRunner

from exporter.cli.objective_options import Limits, objective_options
from exporter.errors import ConfigurationError
from exporter.verdict.objectives import BOUNDED


def parsed(*arguments: str) -> Limits:
    """The options as a command gets them."""
    seen: list[Limits] = []

    @click.command()
    @objective_options
    def command(limits: Limits) -> None:
        seen.append(limits)

    ended = CliRunner().invoke(command, arguments)
    if isinstance(ended.exception, ConfigurationError):
        raise ended.exception
    if ended.exit_code:
        raise ValueError(ended.output)
    return seen[0]


def test_without_options_each_bound_is_the_default_of_its_row_and_nothing_is_lowered() -> None:
    limits = parsed()
    assert limits.bounds == {check: bound.default for check, bound in BOUNDED.items()}
    assert limits.warn == frozenset()


def test_a_bound_is_found_under_its_check() -> None:
    assert parsed("--max-error-ratio", "0.25").bounds["answers"] == 0.25


@pytest.mark.parametrize("ratio", ["-0.1", "1.1", "much"])
def test_a_bound_outside_its_limits_is_refused_by_its_option(ratio: str) -> None:
    with pytest.raises(ValueError, match="'--max-error-ratio'"):
        parsed("--max-error-ratio", ratio)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--warn", "router,threads"),
        ("--warn", "threads", "--warn", "router"),
        ("--warn", " router , threads"),
    ],
)
def test_checks_to_lower_are_repeated_or_separated_by_commas(arguments: tuple[str, ...]) -> None:
    assert parsed(*arguments).warn == {"router", "threads"}


@pytest.mark.parametrize("text", ["threads,leaks", ""])
def test_a_check_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--warn: "):
        parsed("--warn", text)
