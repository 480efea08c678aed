"""The compose files and their services, for the tests of what they promise; nothing is started."""

import re
from typing import Any

import pytest
import yaml

from tests.support.compose_command import ROOT

COMPOSE = ROOT / "compose"
DOCUMENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
# A node's agent has a file of its own, and the same promises.
AGENT: dict[str, Any] = yaml.safe_load((COMPOSE / "compose.agent.yaml").read_text(encoding="utf-8"))
EVERY_SERVICE: dict[str, dict[str, Any]] = {**SERVICES, **AGENT["services"]}
PUBLISHED = {
    "exporter": {"9877", "9878/udp"},
    "agent": {"9877"},
    "prometheus": {"9090"},
    "alertmanager": {"9093"},
    "grafana": {"3000"},
}

every_service = pytest.mark.parametrize("service", EVERY_SERVICE.values(), ids=EVERY_SERVICE)


def runs_once(service: dict[str, Any]) -> bool:
    """Whether the service ends by itself, so that it has no health to check."""
    return bool(service["restart"] == "no")


def sources(service: dict[str, Any]) -> list[str]:
    """The left sides of its mounts: paths of the checkout, or names of volumes; of a setting its default."""
    return [default_of(volume).split(":")[0] for volume in service.get("volumes", [])]


def default_of(text: str) -> str:
    """What Compose makes of `${NAME:-default}` where nothing is set."""
    return re.sub(r"\$\{[A-Z_]+:-([^}]*)\}", r"\1", text)
