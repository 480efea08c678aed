"""Completion of commands and options by the shell's Tab: `soak --install-completion`.

The script is click's own. It lies where the shell looks for it by itself, where there is such a place; no
file of the user's is changed.
"""

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from exporter.errors import ConfigurationError
from exporter.results.replacing import replace_file

COMMAND = "soak"
VARIABLE = "_SOAK_COMPLETE"
"""by which the script asks for what may follow, and by which it is known"""
INSTALL, SHOW = "--install-completion", "--show-completion"
OF_THE_ENVIRONMENT = "$SHELL"
MAX_SCRIPT_BYTES = 1 << 20


@dataclass(frozen=True)
class Shell:
    """Where its scripts of completion lie below a base folder, and what has to be done beside.

    `base` is the variable of that folder and what it is below the home folder where the variable is not set;
    `hint` is shown with `folder` and `file` filled in.
    """

    base: tuple[str, str]
    place: str
    hint: str


SHELLS = {
    "bash": Shell(
        ("XDG_DATA_HOME", ".local/share"),
        "bash-completion/completions/soak",
        "New shells have it where the package bash-completion is installed; without that, add to ~/.bashrc:\n"
        "  source {file}",
    ),
    "zsh": Shell(
        ("XDG_DATA_HOME", ".local/share"),
        "zsh/site-functions/_soak",
        "New shells have it once ~/.zshrc has, before any other compinit:\n"
        "  fpath=({folder} $fpath); autoload -Uz compinit; compinit",
    ),
    "fish": Shell(("XDG_CONFIG_HOME", ".config"), "fish/completions/soak.fish", "New shells have it."),
}


def completion_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """A decorator that adds the two options to the command above all others."""
    kind: dict[str, Any] = {
        "metavar": "[SHELL]",
        "is_flag": False,
        "flag_value": OF_THE_ENVIRONMENT,
        "expose_value": False,
    }
    install = click.option(
        INSTALL,
        is_eager=True,
        callback=_install,
        help="Let Tab complete commands and options, in bash, zsh or fish (default: the one of $SHELL).",
        **kind,
    )
    show = click.option(
        SHOW,
        is_eager=True,
        callback=_show,
        help="Print the script that does so, to be put elsewhere.",
        **kind,
    )
    return install(show(command))


def _install(context: click.Context, option: click.Parameter, name: str | None) -> None:
    """Write the script where the shell looks for it, and end."""
    if name is None or context.resilient_parsing:
        return
    name = _known(name, INSTALL)
    file = _base(SHELLS[name]) / SHELLS[name].place
    script = _script(context, name).encode()
    there = _read(file)
    if there is not None and VARIABLE.encode() not in there:
        raise ConfigurationError(
            f"{file}: is there, and completes another {COMMAND}; move it away, or see {SHOW}"
        )
    if there == script:
        click.echo(f"{file}: there already")
    else:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{file}: cannot be written ({error.strerror}); see {SHOW}") from error
        replace_file(file, script, "the completion")
        click.echo(f"{file}: written")
    quoted = {"file": shlex.quote(str(file)), "folder": shlex.quote(str(file.parent))}
    click.echo(SHELLS[name].hint.format(**quoted))
    context.exit()


def _show(context: click.Context, option: click.Parameter, name: str | None) -> None:
    """Print the script, and end."""
    if name is None or context.resilient_parsing:
        return
    click.echo(_script(context, _known(name, SHOW)), nl=False)
    context.exit()


def _known(name: str, option: str) -> str:
    """The shell that is meant; raises ConfigurationError where it is none of SHELLS."""
    told = name if name != OF_THE_ENVIRONMENT else Path(os.environ.get("SHELL", "")).name
    if told in SHELLS:
        return told
    what = f"{told!r} is" if told else "$SHELL is not set, and it names"
    raise ConfigurationError(f"{option}: {what} none of {', '.join(SHELLS)}; name one: {option} bash")


def _base(shell: Shell) -> Path:
    variable, below_home = shell.base
    try:
        return Path(os.environ.get(variable) or Path.home() / below_home)
    except RuntimeError as error:
        raise ConfigurationError(f"{INSTALL}: this user has no home folder; see {SHOW}") from error


def _script(context: click.Context, name: str) -> str:
    from click.shell_completion import get_completion_class  # noqa: PLC0415  (asked for by nobody else)

    made = get_completion_class(name)
    if made is None:
        raise ConfigurationError(
            f"{name}: this version of click completes nothing in it; install a newer one"
        )
    return made(context.command, {}, COMMAND, VARIABLE).source()


def _read(file: Path) -> bytes | None:
    """What is there; None where nothing is."""
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_SCRIPT_BYTES)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror}); see {SHOW}") from error
