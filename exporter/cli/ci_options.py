"""What a command leaves for a CI system: `--junit`, `--markdown`, GitHub's step summary."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import click

from exporter.cli.command import FILE, opt, option_group
from exporter.errors import ConfigurationError, SoakError
from exporter.plain_text import one_line
from exporter.results.junit import junit_text
from exporter.results.outcome_report import Suite, suite_of_error
from exporter.results.step_summary import summary_text
from exporter.settings.placeholders import redacted

STEP_SUMMARY = "GITHUB_STEP_SUMMARY"
"""in the environment of a step of GitHub Actions: the file that its page shows; every step adds to it"""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def _step_summary() -> Path | None:
    name = os.environ.get(STEP_SUMMARY)
    return Path(name) if name else None


@dataclass(frozen=True)
class CiReports:
    """Where the reports of a command go; None: none is wanted."""

    junit: Path | None
    markdown: Path | None
    step_summary: Path | None = field(default_factory=_step_summary)

    def check(self) -> None:
        """Open each file once, before an hour of load; raises ConfigurationError naming the option."""
        for option, path in (("--junit", self.junit), ("--markdown", self.markdown)):
            if path is not None:
                _check(path, option)

    def write(self, command: str, suites: Sequence[Suite]) -> None:
        """Write them all; what cannot be written is said, and the verdict stands."""
        summary = summary_text(command, suites)
        if self.junit is not None:
            _write(self.junit, junit_text(command, suites), "w")
        if self.markdown is not None:
            _write(self.markdown, summary, "w")
        if self.step_summary is not None:
            _write(self.step_summary, f"{summary}\n", "a")

    @contextmanager
    def even_of_an_error(self, command: str, name: str) -> Iterator[None]:
        """A command that ends before there is a result leaves its error in them."""
        try:
            yield
        except SoakError as error:
            self.write(command, [suite_of_error(name, redacted(str(error)))])
            raise


ci_options = option_group(
    "Results",
    "ci",
    CiReports,
    opt("--junit FILE", "Write JUnit's XML: a case a check; what was not judged is skipped.", type=FILE),
    opt(
        "--markdown FILE",
        f"Write a short table of verdict, findings and figures. It is added to ${STEP_SUMMARY} too, where "
        "that is set.",
        type=FILE,
    ),
)


def _check(path: Path, option: str) -> None:
    was_there = os.path.lexists(path)
    try:
        os.close(os.open(path, _FLAGS | os.O_CREAT, 0o666))
    except OSError as error:
        raise ConfigurationError(
            f"{option}: cannot write to {path} ({error.strerror}); name another file"
        ) from error
    if not was_there:
        with suppress(OSError):
            path.unlink()


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError as error:
        click.echo(f"soak: {one_line(str(path))}: cannot be written ({error.strerror})", err=True)
