"""The stacks of `soak up` on this machine: `soak status` shows them, `soak down` ends them."""

import json
import sys
from pathlib import Path

import click
from rich.text import Text

from exporter.cli.command import BAD_USAGE, GroupedCommand, exit_codes, opt, options
from exporter.cli.stack_text import head_line, shown_size, stack_document, stack_lines
from exporter.cli.terminal import PlainConsole, print_json
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.settings.router_api import DEFAULT_ROUTER_URL
from exporter.settings.state_folder import state_folder
from exporter.settings.url import server_url
from exporter.stack.stack_health import StackHealth, health_of
from exporter.stack.up_folder import delete_folder, end_orphans, end_process, size_of
from exporter.stack.up_plan import checked_name
from exporter.stack.up_state import StackRecord, known_stacks, read_record, running_stacks, stack_for

STOP_SECONDS = 120.0
"""how long a stack may take to close its data"""
WHICH = (
    opt("--name NAME", "The stack of this name."),
    opt("--target URL", "The stack that watches this router."),
)
STATUS_CODES = exit_codes(
    {
        0: "every stack that was asked for is up, and all its services are well",
        1: "a service is not well, or a stack is still being brought up",
        2: BAD_USAGE,
        3: "no such stack is up",
    }
)
DOWN_CODES = exit_codes({0: "it is down, as it may have been before", 2: BAD_USAGE})


@click.command(cls=GroupedCommand, epilog=STATUS_CODES)
@options(
    "Stack",
    *WHICH,
    opt("--json", "Print a list of stacks as JSON, nothing else.", "as_json", is_flag=True),
)
def status(name: str | None, target: str | None, as_json: bool) -> None:
    """Show which stacks of soak up run, where, for which router, and whether they are well.

    \b
    soak status
    soak status --name localhost-8080 --json
    """
    running = _running(name, target)
    healths = [(health_of(record, _folder(record)), _folder(record)) for record in running]
    others = [] if target else [each for each in _others(running) if name in (None, each.name)]
    if as_json:
        documents = [stack_document(health, folder) for health, folder in healths]
        documents += [{"name": each.name, "running": False, "folder": str(each)} for each in others]
        print_json(json.dumps(documents, indent=2) + "\n")
    else:
        lines = [line for each in healths for line in _shown(*each)]
        lines += [f"{each.name}: not up; {shown_size(size_of(each))} are kept in {each}" for each in others]
        for line in lines or ["no such stack" if name or target else "no stack is up; soak up starts one"]:
            PlainConsole().print(Text(line), soft_wrap=True)
    sys.exit(3 if not healths else 0 if all(health.is_well for health, _ in healths) else 1)


@click.command(cls=GroupedCommand, epilog=DOWN_CODES)
@options(
    "Stack",
    *WHICH,
    opt("--all", "Every stack.", "every", is_flag=True),
    opt("--delete-data", "Delete its folder too: Prometheus's data, counters, password.", is_flag=True),
)
def down(name: str | None, target: str | None, every: bool, delete_data: bool) -> None:
    """End a stack of soak up; its data stay for the next one.

    \b
    soak down
    soak down --target http://router:8080 --delete-data
    """
    console = PlainConsole()
    running = _running(name, target)
    if len(running) > 1 and not every:
        names = ", ".join(record.name for record in running)
        raise ConfigurationError(f"soak down: {len(running)} stacks are up ({names}); give --name or --all")
    others = _others(running) if every else [each for each in _others(running) if each.name == name]
    if not running:
        what = "no such stack is up" if name or target else "no stack is up"
        console.print(Text(what), soft_wrap=True)
    for record in running:
        with console.status(f"ending {record.name}"):
            ended = end_process(record.keeper, SystemClock(), STOP_SECONDS)
        console.print(
            Text(f"{record.name} is down{'' if ended else '; it had to be killed'}"), soft_wrap=True
        )
    folders = [*map(_folder, running), *others]
    for folder in folders:
        for service in end_orphans(read_record(folder)):
            console.print(Text(f"{folder.name}: {service} was left over, and is ended"), soft_wrap=True)
    if delete_data and not folders:
        raise ConfigurationError("--delete-data: of which stack? give --name, or --all")
    for folder in folders if delete_data else ():
        delete_folder(folder)
        console.print(Text(f"{folder}: deleted"), soft_wrap=True)


def _running(name: str | None, target: str | None) -> list[StackRecord]:
    """Those that are asked for."""
    if target is not None:
        found = stack_for(server_url(target, "--target", DEFAULT_ROUTER_URL))
        return [found] if found is not None and name in (None, found.name) else []
    wanted = None if name is None else checked_name(name)
    return [record for record in running_stacks() if wanted in (None, record.name)]


def _others(running: list[StackRecord]) -> list[Path]:
    """The folders of stacks that are not up."""
    up = {record.name for record in running_stacks()} | {record.name for record in running}
    return [folder for folder, _ in known_stacks() if folder.name not in up]


def _folder(record: StackRecord) -> Path:
    return state_folder() / record.name


def _shown(health: StackHealth, folder: Path) -> list[str]:
    lines = (*health.record.notes, *stack_lines(health, folder))
    return [head_line(health), *(f"  {line}" for line in lines)]
