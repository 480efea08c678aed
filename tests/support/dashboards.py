"""The committed dashboards and their source, for the tests that hold them against each other."""

import importlib
import json
import re
from typing import Any

import dashboard_json
import pytest
import substitution

from tests.support.checkout import CHECKOUT
from tests.support.prometheus_files import rules_in

ROOT = CHECKOUT
GRAFANA = ROOT / "grafana"

Json = dict[str, Any]
FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
PAGES: dict[str, Json] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
every_dashboard = pytest.mark.parametrize("page", [pytest.param(page, id=uid) for uid, page in PAGES.items()])


def panels(page: Json) -> list[Json]:
    """Its panels, without the headings."""
    return list(dashboard_json.panels_of(page))


def queries_of(page: Json) -> list[tuple[str, str]]:
    """(panel title, expression) of every target, in the order of the panels, variables not yet replaced."""
    return [(panel["title"], target["expr"]) for panel in panels(page) for target in panel["targets"]]


def variable_queries_of(page: Json) -> list[tuple[str, str]]:
    """(name, query) of every variable that is filled by a query."""
    return [
        (variable["name"], variable["query"]["query"])
        for variable in page["templating"]["list"]
        if variable["type"] == "query"
    ]


def queries_and_notes(page: Json) -> list[tuple[str, str]]:
    """Of panels and annotations; variables are no PromQL but Grafana's `label_values`."""
    return queries_of(page) + list(dashboard_json.annotation_queries_of(page))


def variables(page: Json) -> dict[str, Json]:
    """By name, in the order in which they stand."""
    return {variable["name"]: variable for variable in page["templating"]["list"]}


def with_everything(page: Json, expr: str) -> str:
    """The query as Grafana asks it with "All" in every variable."""
    asked: str = substitution.substitute(expr, substitution.everything(page["templating"]["list"]))
    return asked


def query_constants(prefix: str = "") -> dict[str, str]:
    """MODULE.NAME to text of grafana/source/queries: those of panels, or those that begin with the prefix."""
    shared = vars(importlib.import_module("queries.selectors"))
    found = {}
    for file in sorted((GRAFANA / "source" / "queries").glob("*.py")):
        if file.stem in ("__init__", "selectors"):
            continue
        for name, value in vars(importlib.import_module(f"queries.{file.stem}")).items():
            if re.fullmatch(r"[A-Z][A-Z0-9_]+", name) and isinstance(value, str) and name not in shared:
                of_a_panel = not name.startswith(("VARIABLE_", "ANNOTATION_"))
                if name.startswith(prefix) if prefix else of_a_panel:
                    found[f"{file.stem}.{name}"] = value
    return found


def rules(kind: str) -> list[Json]:
    """Every rule of the project that has this key: record or alert."""
    return [rule for rule in rules_in("*.yml") if kind in rule]
