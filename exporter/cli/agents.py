"""`soak agents check`: are the agents well that a Prometheus is to scrape?"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from exporter.cli.command import BAD_USAGE, FILE, GroupedCommand, exit_codes, opt, options
from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.plain_text import one_line, plain_json
from exporter.run.agent_check import AgentFound, check_agents
from exporter.run.agent_trouble import Trouble
from exporter.settings.login import NO_LOGIN, load_http_client
from exporter.settings.scrape_targets import JOB, Asking, ScrapeTarget, configured_targets, listed_targets
from exporter.settings.shipped import shipped
from exporter.settings.state_folder import state_folder
from exporter.settings.strict_yaml import parse_duration
from exporter.stack.up_state import running_stacks

CONFIGURATION = Path("prometheus/prometheus.yml")
LONGEST = 400
_CODES = exit_codes({0: "all agents are well", 1: "one is not", 2: BAD_USAGE})


@click.group()
def agents() -> None:
    """The agents on the nodes."""


@agents.command("check", cls=GroupedCommand, epilog=_CODES)
@options(
    "Which agents",
    opt(
        "--config PATH",
        "Prometheus' configuration, whose targets files and secrets are read; or the folder that "
        "`soak files` has laid out.  [default: ./prometheus/prometheus.yml, else those of every `soak up` "
        "that runs, else the shipped one]",
        "config",
        type=FILE,
        show_default=False,
    ),
    opt("--job NAME", "The job of the agents in it.", default=JOB),
    opt(
        "--targets FILE",
        "Only what this targets file lists; may be repeated. Asked over plain HTTP, or as --exporter.config "
        "says.",
        multiple=True,
        type=FILE,
    ),
    opt(
        "--exporter.config FILE",
        "How the agents of --targets are asked, over TLS then: basic_auth and tls_config, as for `soak run`.",
        "login",
        type=FILE,
    ),
)
@options(
    "Asking and showing",
    opt("--timeout TIME", "How long one agent has for its whole answer.", default="5s"),
    opt("--json", "One JSON document on standard output.", "as_json", is_flag=True),
)
def check(
    config: Path | None, job: str, targets: tuple[Path, ...], login: Path | None, timeout: str, as_json: bool
) -> None:
    """Ask every agent of the targets files, and say what is wrong: TLS, password, version, clock, collectors.

    \b
    soak agents check
    soak agents check --config /etc/prometheus/prometheus.yml --json
    soak agents check --targets gpus.yml --exporter.config login.yml
    """
    seconds = parse_duration(timeout, "--timeout")
    if targets:
        if config is not None:
            raise ConfigurationError("--targets, --config: name the agents once; give one of the two")
        listed = listed_targets(targets, "--targets", _asking(login))
        sources = [str(file) for file in targets]
    else:
        if login is not None:
            raise ConfigurationError("--exporter.config: is about --targets; give --targets too")
        files = _configurations(config)
        listed = [each for file in files for each in configured_targets(file, "--config", job)]
        sources = [str(file) for file in files]
    if not listed:
        raise ConfigurationError(
            f"{', '.join(sources)}: no agent is listed; docs/agents.md says how to add one"
        )
    found = check_agents(listed, seconds, SystemClock())
    if as_json:
        click.echo(plain_json(json.dumps(_document(sources, found), ensure_ascii=False, indent=2)))
    else:
        for line in _lines(sources, found):
            click.echo(line)
    sys.exit(0 if all(each.is_well for each in found) else 1)


def _asking(login: Path | None) -> Asking:
    if login is None:
        return Asking(NO_LOGIN)
    return Asking(load_http_client(login), scheme="https")


def _configurations(given: Path | None) -> list[Path]:
    """The Prometheus configurations whose agents are asked."""
    if given is not None:
        inside = [given / CONFIGURATION, given / CONFIGURATION.name] if given.is_dir() else [given]
        return [next((file for file in inside if file.is_file()), inside[-1])]
    if CONFIGURATION.is_file():
        return [CONFIGURATION]
    stacks = [state_folder() / stack.name / CONFIGURATION for stack in running_stacks()]
    return [file for file in stacks if file.is_file()] or [shipped(str(CONFIGURATION))]


def _lines(sources: Sequence[str], found: Sequence[AgentFound]) -> Iterator[str]:
    """A line an agent, and one on all of them."""
    yield f"agents of {', '.join(sources)}"
    names = [_name(each.target) for each in found]
    width = max(map(len, names))
    for name, each in zip(names, found, strict=True):
        said = "; ".join(problem.text for problem in each.problems) or _well(each)
        yield f"{'✓' if each.is_well else '✕'} {name:<{width}}  {one_line(said)[:LONGEST]}"
    ill = sum(not each.is_well for each in found)
    yield f"{len(found) - ill} of {len(found)} agents well"
    if len({each.version for each in found if each.version}) > 1:
        yield "the agents are of different versions"
    if _is_our_clock(found):
        yield "every clock that was read is off the same way: look at this machine's own first"


def _name(target: ScrapeTarget) -> str:
    node = target.labels.get("node", "")
    return one_line(f"{node}  {target.url}" if node else target.url)[:LONGEST]


def _well(agent: AgentFound) -> str:
    clock = agent.clock_offset_seconds
    said = [f"version {agent.version}", "clock not known" if clock is None else f"clock {clock:+.1f} s"]
    if agent.processes:
        said.append(f"{agent.processes_found} of {agent.processes} processes found")
    if agent.gpus:
        said.append(f"{agent.gpus} GPU{'s' * (agent.gpus > 1)}")
    return ", ".join(said)


def _is_our_clock(found: Sequence[AgentFound]) -> bool:
    """Whether several clocks were read, and all are off on one side."""
    known = [each for each in found if each.clock_offset_seconds is not None]
    off = [each for each in known if any(problem.trouble is Trouble.CLOCK for problem in each.problems)]
    return len(off) == len(known) > 1 and len({(each.clock_offset_seconds or 0) > 0 for each in off}) == 1


def _document(sources: Sequence[str], found: Sequence[AgentFound]) -> dict[str, Any]:
    return {
        "sources": list(sources),
        "well": sum(each.is_well for each in found),
        "agents": [
            {
                "url": each.target.url,
                "labels": dict(each.target.labels),
                "source": each.target.source,
                "well": each.is_well,
                "problems": [
                    {"trouble": problem.trouble.value, "text": problem.text} for problem in each.problems
                ],
                "version": each.version,
                "clock_offset_seconds": _finite(each.clock_offset_seconds),
                "failing_collectors": list(each.failing),
                "processes": each.processes,
                "processes_found": each.processes_found,
                "gpus": each.gpus,
            }
            for each in found
        ],
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not abs(value) < 1e12 else round(value, 3)
