"""The committed files under prometheus/, for the tests that hold them against each other."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support.checkout import CHECKOUT

ROOT = CHECKOUT
PROMETHEUS = ROOT / "prometheus"
RUNBOOK = PROMETHEUS / "runbook.md"
SEVERITIES = ("critical", "warning", "info")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
KEYWORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "group_left", "group_right"}


@cache
def load(path: Path) -> Any:
    """A YAML file's content, not to be changed."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules_in(pattern: str) -> list[dict[str, Any]]:
    """All rules of the rule files whose name matches a glob."""
    return [
        rule
        for path in sorted((PROMETHEUS / "rules").glob(pattern))
        for group in load(path)["groups"]
        for rule in group["rules"]
    ]


ALERTING: dict[str, list[dict[str, Any]]] = defaultdict(list)
"""the rules of each alert: several where it has several severities"""
for alert_rule in rules_in("*.alerts.yml"):
    ALERTING[alert_rule["alert"]].append(alert_rule)
RECORDING = {rule["record"]: rule for rule in rules_in("*.recording.yml")}


def metrics_of(expression: str) -> set[str]:
    """The names of the series that a PromQL expression selects."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*\b(?!\s*\()", re.sub(r"\boffset\s+\w+", "", bare))
    return {name for name in names if name.lower() not in KEYWORDS}


def severities_of(alert: str) -> list[str]:
    """The severities that an alert has, the worst first."""
    return [each for each in SEVERITIES if each in {rule["labels"]["severity"] for rule in ALERTING[alert]}]
