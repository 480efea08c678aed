"""Render docs/metrics.md, docs/alerts.md, docs/schemas and docs/verdict.md's table of checks, or compare.

`python scripts/render_docs.py render|check`. The metrics are those of the golden exposition (tests/golden),
the alerts those of prometheus/rules, the checks those of exporter/verdict/objectives.py, the schemas those of
the classes that are written.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import TypeAdapter

from exporter.cli.rendering import check_or_render
from exporter.results.run_document import RunDocument
from exporter.results.run_result import Inputs, RunInputs, WatchInputs
from exporter.run.objectives_file import KEYS, MAX_OBJECTIVES, NAME, SEVERITIES
from exporter.settings.shipped import ROOT as CHECKOUT
from exporter.verdict.objectives import BOUNDED, OBJECTIVES
from exporter.verdict.statement import STATEMENT_BEGINS

COMMAND = "run: python scripts/render_docs.py render"
TEMPLATES = Environment(
    loader=FileSystemLoader(CHECKOUT / "docs" / "source"), undefined=StrictUndefined, autoescape=False
)

SECTIONS = {
    "Load": (
        'What the load generator counts and measures; `job="exporter"`, as everywhere here.',
        ("benchmark_",),
    ),
    "Watched processes": (
        "Of each process of the configuration and its children. Its `role` is `router`, `node` or `load`.",
        ("observed_process_",),
    ),
    "Router": ("From the router's API.", ("router_",)),
    "GPUs": ("From NVML.", ("gpu_",)),
    "Host": (
        "With the names of node_exporter, so that its dashboards work. What is from `/proc` depends on the "
        "kernel: these are of one machine.",
        ("node_", "exporter_host_"),
    ),
    "Exporter": ("Of the exporter and its collectors.", ("exporter_", "process_")),
    "Results of past runs": (
        "The newest rows of the results CSV.",
        ("benchmark_result_", "exporter_results_"),
    ),
}
"""section to its text, and to how the names of its metrics begin; the longest beginning that fits counts"""
CLOSED = {
    "clock", "kind", "mode", "outcome", "phase", "probe", "quantile", "reason", "state", "status",
    "status_class", "type", "xid", "end", "by", "of", "bound",
}  # fmt: skip
"""labels with a fixed set of values, which are listed; those of the others come from what is watched"""

EXPOSITIONS = ("exposition.txt", "router-current.txt", "router-endpoints.txt")
"""in tests/golden: no router gives every series"""

GROUPS = {
    "leak_alerts": "Leaks",
    "router": "Router and nodes",
    "benchmark": "Load",
    "streams": "Streams",
    "streams_slow": "Streams",
    "gpu_xid": "GPUs",
    "gpu": "GPUs",
    "host": "Hosts",
    "monitoring": "The watchers",
}
"""rule group to section"""


def metrics_page(*expositions: str) -> str:
    """docs/metrics.md of expositions in the text format; ValueError for a metric of no section."""
    sections: dict[str, dict[tuple[str, ...], list[str]]] = {title: {} for title in SECTIONS}
    families: dict[str, Metric] = {}
    for exposition in expositions:
        for family in text_string_to_metric_families(exposition):
            known = families.setdefault(family.name, family)
            known.samples = [*known.samples, *family.samples]
    for family in families.values():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        row = (family.type, _labels(family), family.documentation.rstrip("."))
        # Families that differ in their names alone share a row.
        sections[_section(name)].setdefault(row, []).append(name)
    texts = {title: text for title, (text, _) in SECTIONS.items()}
    return TEMPLATES.get_template("metrics.md.j2").render(sections=sections, texts=texts)


def _section(name: str) -> str:
    beginnings = {beginning: title for title, (_, group) in SECTIONS.items() for beginning in group}
    fitting = [beginning for beginning in beginnings if name.startswith(beginning)]
    if not fitting:
        raise ValueError(f"{name}: no section of docs/metrics.md begins so; add it to SECTIONS")
    return beginnings[max(fitting, key=len)]


def _labels(family: Metric) -> str:
    values: dict[str, dict[str, None]] = {}
    for sample in family.samples:
        for label, value in sample.labels.items():
            values.setdefault(label, {})[value] = None
    values.pop("le", None)
    return ", ".join(
        f"`{label}` = {' '.join(f'`{value}`' for value in known)}" if label in CLOSED else f"`{label}`"
        for label, known in values.items()
    )


def alerts_page(rule_files: Iterable[str]) -> str:
    """docs/alerts.md of the texts of rule files; ValueError for a group or a template it cannot show."""
    groups = {
        group["name"]: group["rules"] for text in rule_files for group in yaml.safe_load(text)["groups"]
    }
    unknown = groups.keys() - GROUPS.keys()
    if unknown:
        raise ValueError(f"{sorted(unknown)}: rule groups without a section of docs/alerts.md; add to GROUPS")
    sections: dict[str, list[tuple[str, ...]]] = {title: [] for title in GROUPS.values()}
    for group, title in GROUPS.items():
        sections[title] += map(_alert, groups[group])
    return TEMPLATES.get_template("alerts.md.j2").render(sections=sections)


def _alert(rule: dict[str, Any]) -> tuple[str, ...]:
    labels, annotations = rule["labels"], rule["annotations"]
    fails = labels.get("fails_run", "")
    return (
        f"[{rule['alert']}](../{annotations['runbook_url']})",
        labels["severity"],
        rule.get("for", "0s"),
        "yes" if fails == "true" else "router and nodes" if fails else "",
        plain(annotations["summary"]),
    )


def plain(template: str) -> str:
    """A template of an annotation as text: labels in italics, both branches of a condition with `/` between.

    ValueError where anything else is in it.
    """

    def branches(match: re.Match[str]) -> str:
        return f"{match['yes'].replace('{{ . }}', '{{ ' + match['subject'] + ' }}')} / {match['no']}"

    text = re.sub(
        r"\{\{ (?:if \w+|with) (?P<subject>\$labels\.\w+)[^}]* \}\}(?P<yes>.*?)"
        r"\{\{ else \}\}(?P<no>.*?)\{\{ end \}\}",
        branches,
        template,
    )
    text = re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", text)
    if "{{" in text:
        raise ValueError(f"{template!r}: docs/alerts.md cannot show this template")
    return " ".join(text.split())


def with_checks(page: str) -> str:
    """docs/verdict.md with its table of checks as OBJECTIVES has it now."""
    header = ("check", "passes where", "bound (default)", "alerts while it runs")
    rows = [
        (
            f"`{objective.check}`",
            objective.sentence,
            f"`{bound.option}` ({bound.default:g})" if (bound := objective.bound) else "",
            ", ".join(f"`{alert}`" for alert in objective.alerts),
        )
        for objective in OBJECTIVES
    ]
    lines = [f"| {' | '.join(row)} |\n" for row in (header, ("---",) * len(header), *rows)]
    table = re.compile(rf"\| {header[0]} \| {header[1]} \|(.*\n\|)*.*\n")
    found = table.search(page)
    if found is None:
        raise ValueError("docs/verdict.md: its table of checks is missing")
    return page[: found.start()] + "".join(lines) + page[found.end() :]


OTHER_INPUTS: dict[str, type[Inputs]] = {"watch": WatchInputs}
"""of commands without a load of their own, by the command"""


def run_schema() -> str:
    """docs/schemas/run.schema.json: what `run.json` holds, as JSON Schema."""
    schema = TypeAdapter(RunDocument).json_schema(mode="serialization")
    found = _inputs(schema, RunInputs)
    for command, inputs in OTHER_INPUTS.items():
        is_that = {"properties": {"command": {"const": command}}, "required": ["command"]}
        found = {"if": is_that, "then": _inputs(schema, inputs), "else": found}
    schema["properties"]["inputs"] = {"description": "the options of the run, without secrets", **found}
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "run.json of llm-router-soak",
    }
    return json.dumps(head | _without_titles(schema), indent=2, ensure_ascii=False) + "\n"


def _inputs(schema: dict[str, Any], inputs: type[Inputs]) -> dict[str, Any]:
    """The schema of one kind of inputs; what it refers to goes to the definitions of `schema`."""
    found = TypeAdapter(inputs).json_schema(mode="serialization")
    schema["$defs"] |= found.pop("$defs", {})
    # Bounds stand under their options' names.
    del found["properties"]["bounds"]
    found["required"].remove("bounds")
    found["properties"] |= {
        each.parameter: {"type": "number", "minimum": each.min, "maximum": each.max, "description": each.help}
        for each in BOUNDED.values()
    }
    return found


def objectives_schema() -> str:
    """docs/schemas/objectives.schema.json: the file of `--objectives`, as JSON Schema."""
    check, severity, name = KEYS
    text = {"type": "string", "description": "what has to hold, as `each 5m: p99 < 500ms`", "minLength": 1}
    entry = {
        "type": "object",
        "properties": {
            check: text,
            severity: {"enum": [each.value for each in SEVERITIES], "default": SEVERITIES[0].value},
            name: {"type": "string", "pattern": f"^{NAME.pattern}$"},
        },
        "required": [check],
        "additionalProperties": False,
    }
    unquoted = {
        "type": "object",
        "description": "`each 5m: p99 < 500ms` without quotes",
        "propertyNames": {"pattern": f"^({'|'.join(STATEMENT_BEGINS)})( |$)"},
        "additionalProperties": text,
        "minProperties": 1,
        "maxProperties": 1,
    }
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "objectives of llm-router-soak (--objectives)",
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_OBJECTIVES,
        "items": {"anyOf": [text, entry, unquoted]},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _without_titles(schema: Any) -> Any:
    """A title is the field's name once more; what Python calls None is null."""
    if isinstance(schema, list):
        return [_without_titles(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace("None", "null") if name == "description" else _without_titles(value)
        for name, value in schema.items()
        if name != "title" or not isinstance(value, str)
    }


def pages(checkout: Path) -> Iterator[tuple[Path, str]]:
    """The path and the text of each page."""
    golden = [(checkout / "tests" / "golden" / name).read_text(encoding="utf-8") for name in EXPOSITIONS]
    yield checkout / "docs" / "metrics.md", metrics_page(*golden)
    files = sorted((checkout / "prometheus" / "rules").glob("*.alerts.yml"))
    yield checkout / "docs" / "alerts.md", alerts_page(file.read_text(encoding="utf-8") for file in files)
    yield checkout / "docs" / "schemas" / "run.schema.json", run_schema()
    yield checkout / "docs" / "schemas" / "objectives.schema.json", objectives_schema()
    verdict = checkout / "docs" / "verdict.md"
    yield verdict, with_checks(verdict.read_text(encoding="utf-8"))


def main() -> int:
    """Render or check; the exit code."""
    parser = argparse.ArgumentParser(description="Render docs/metrics.md, docs/alerts.md and docs/schemas.")
    parser.add_argument("verb", choices=("render", "check"))
    return check_or_render(parser.parse_args().verb, dict(pages(CHECKOUT)), COMMAND)


if __name__ == "__main__":
    sys.exit(main())
