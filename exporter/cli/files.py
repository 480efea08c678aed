"""The command that lays the shipped files out in a folder: `soak files`."""

from collections import Counter
from pathlib import Path

import click

from exporter.cli.command import BAD_USAGE, GroupedCommand, exit_codes
from exporter.errors import ConfigurationError
from exporter.settings.layout import LaidOut, lay_out

WHAT = {
    "prometheus": "for your own Prometheus and Alertmanager: configuration, rules, targets, runbook",
    "grafana": "for your own Grafana: provisioning, dashboards, and their source in Python",
    "compose.yaml": "the whole stack in containers, started in that folder: docker compose up --wait",
    ".env.example": "its settings",
    "compose": "its services, and what their image is built from",
    "deploy": "for Kubernetes",
    "scripts": "the hand tools of wrk and hey, the agent's systemd unit",
    "exporter": "the package itself, which that image is built from",
}
"""what stands at the top of the folder, for whom; what is missing here goes with it"""


@click.command(cls=GroupedCommand, epilog=exit_codes({0: "all of them are there", 2: BAD_USAGE}))
@click.argument("folder", metavar="DIR")
def files(folder: str) -> None:
    """Lay the shipped files out in a folder of your own.

    Rules, dashboards, provisioning, targets and runbook for those who run their own Prometheus and Grafana;
    compose files that work from there; hand tools. What is there already and is as shipped stays; what
    differs is never replaced: then nothing is written. After an update, lay them out in a new folder and
    compare the two.

    \b
    soak files soak-files
    prometheus --config.file soak-files/prometheus/prometheus.yml
    cd soak-files && docker compose up --wait
    diff -r soak-files soak-files-new
    """
    # pathlib takes an empty name, such as that of an unset variable, for the current folder.
    if not folder:
        raise ConfigurationError("DIR: is empty; name a folder, like soak-files")
    for line in _summary(Path(folder), lay_out(Path(folder))):
        click.echo(line)


def _summary(folder: Path, done: LaidOut) -> list[str]:
    kept = f", {len(done.kept):,} were there as shipped" if done.kept else ""
    counts = Counter(name.split("/")[0] for name in done.written)
    width = max(map(len, WHAT)) + 1
    lines = [f"{folder}: {len(done.written):,} files written{kept}"]
    for name, what in WHAT.items():
        if counts[name]:
            shown = f"{name}/" if any(each.startswith(f"{name}/") for each in done.written) else name
            lines.append(f"  {shown:<{width}} {counts[name]:>4}  {what}")
    rest = sum(count for name, count in counts.items() if name not in WHAT)
    if rest:
        lines.append(f"  {'else':<{width}} {rest:>4}  licence, and what the image's build asks for")
    return lines
