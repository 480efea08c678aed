"""The shipped Prometheus rules with the links of their alerts (`runbook_url`) made for one place."""

import os
import re
from pathlib import Path
from typing import Any

import yaml

from exporter.errors import ConfigurationError
from exporter.settings.shipped import shipped
from exporter.settings.url import server_url

OPTION = "--runbook-base"
EXAMPLE = "https://watch.example:9877/runbook"
_IN_A_RULE = re.compile(r"[A-Za-z0-9._~:/%\[\],;=!&()*+$-]+")
"""no quote, brace or blank: the link stands in YAML, in a template of Prometheus and in a message of Slack"""
_ALERT = re.compile(r"\s*- alert: (?P<name>[A-Za-z_:][A-Za-z0-9_:]*)\s*")
_MAX_LINE = 1000
_LINK = re.compile(r"(?P<key>\s*runbook_url: ).*?(?P<end>\s*)")


def runbook_base(text: str) -> str:
    """`text` as the base of links; raises ConfigurationError where it is no URL that rules can hold."""
    base = server_url(text, OPTION, EXAMPLE)
    if not _IN_A_RULE.fullmatch(base):
        raise ConfigurationError(f"{OPTION}: {text[:140]!r} is not a URL like {EXAMPLE}")
    return base


def runbook_link(base: str, alert: str) -> str:
    """Where the section of an alert is, below `base`.

    One that ends in `.md` or `.html` is a single page with headings, as repository hosts show it; any other
    has a page an alert, as the exporter serves them.
    """
    separate = not base.endswith((".md", ".html"))
    return f"{base}/{alert}" if separate else f"{base}#{alert.lower()}"


def with_runbook_base(folder: Path, url: str) -> list[Path]:
    """Write the shipped rule files into `folder`, made where it is missing, with links below `url`.

    Returns what was written: each file whole, the comments included. A file of such a name is replaced where
    it begins as the shipped one does. Raises ConfigurationError where it does not, where the folder cannot be
    written to, and where the URL is none that rules can hold.
    """
    base = runbook_base(url)
    texts = {path.name: _linked(path, base) for path in sorted(shipped("prometheus/rules").glob("*.yml"))}
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _check_ours(folder / name, text)
        for name, text in texts.items():
            whole = folder / name
            new = folder / f".{name}.{os.getpid()}.new"
            try:
                new.write_text(text, encoding="utf-8")
                new.replace(whole)
            finally:
                new.unlink(missing_ok=True)
            written.append(whole)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename or folder}: cannot be written ({error.strerror}); name another folder"
        ) from error
    return written


def _check_ours(path: Path, text: str) -> None:
    """Raise ConfigurationError where a file is there whose first line is not that of `text`."""
    if not path.exists():
        return
    with path.open("rb") as file:
        first = file.readline(_MAX_LINE)
    if first != text.partition("\n")[0].encode() + b"\n":
        raise ConfigurationError(
            f"{path}: is there, and is no rule file of this project; move it away, or name another folder"
        )


def _linked(path: Path, base: str) -> str:
    text = path.read_text(encoding="utf-8")
    lines, alert = [], ""
    for line in text.splitlines(keepends=True):
        if found := _ALERT.fullmatch(line):
            alert = found["name"]
        link = _LINK.fullmatch(line)
        lines.append(f"{link['key']}{runbook_link(base, alert)}{link['end']}" if link else line)
    linked = "".join(lines)
    # What is written by lines is read as what it is: no alert may keep another's link, or its old one.
    if _links(linked) != {name: {runbook_link(base, name)} for name in _links(text)}:
        raise ConfigurationError(f"{path}: an alert's runbook_url does not stand on a line of its own")
    return linked


def _links(text: str) -> dict[str, set[Any]]:
    """Every alert of a rule file, and the links that its rules have."""
    found: dict[str, set[Any]] = {}
    for group in yaml.safe_load(text)["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], set()).add(rule["annotations"].get("runbook_url"))
    return found
