"""Plans of runs as tests need them: a minute of wrk by default, a test names what differs."""

from pathlib import Path
from typing import Any

from exporter.load.workload import make_workload
from exporter.load.wrk import WrkEngine
from exporter.run.plan import RunPlan
from exporter.settings.router_api import RouterApi


def run_plan(model: str = "m", **changes: Any) -> RunPlan:
    """A plan against http://router:8080."""
    given: dict[str, Any] = {
        "command": "run",
        "soak_command": "soak run",
        "workload": make_workload("http://router:8080", "/v1/chat/completions", model),
        "router": RouterApi(url="http://router:8080"),
        "engine": WrkEngine(),
        "scenario": "local",
        "label": "nightly",
        "connections": 4,
        "duration_seconds": 60,
        "drain_seconds": 10.0,
        "stall_after_seconds": 30.0,
        "results": Path("results"),
    }
    return RunPlan(**{**given, **changes})
