"""The user's own objectives: a YAML file, and the options for the common ones."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from exporter.errors import ConfigurationError, QueryError
from exporter.run.prometheus_client import PrometheusClient
from exporter.settings.strict_yaml import read_text
from exporter.verdict.finding import Outcome
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.statement import STATEMENT_BEGINS, read_statement

MAX_OBJECTIVES = 50
SEVERITIES = (Outcome.FAIL, Outcome.WARNING)
KEYS = ("check", "severity", "name")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}", re.ASCII)
_NO_LIST = (
    "not a list of objectives; write one a line, like\n- 'each 5m: p99 < 500ms'\n"
    "- {check: 'errors < 1 %', severity: warning, name: few-errors}"
)


def read_objectives(path: Path) -> tuple[OwnObjective, ...]:
    """The objectives of a file; raises ConfigurationError naming file and line."""
    text = read_text(path, "--objectives")
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f":{mark.line + 1}" if mark else ""
        advice = "put quotes around an objective that has a colon"
        raise ConfigurationError(f"{path}{line}: not valid YAML; {advice}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise ConfigurationError(f"{path}: not valid YAML") from None
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise ConfigurationError(f"{path}: {_NO_LIST}")
    if len(node.value) > MAX_OBJECTIVES:
        raise ConfigurationError(f"{path}: {len(node.value)} objectives; {MAX_OBJECTIVES} at most")
    found: list[OwnObjective] = []
    for each in node.value:
        where = f"{path}:{each.start_mark.line + 1}"
        try:
            objective = _objective(_entry(each))
            if objective.name in {other.name for other in found}:
                raise ConfigurationError(f"name: {objective.name!r} is used twice; give each its own")
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error}") from None
        found.append(objective)
    return tuple(found)


def option_objectives(given: Mapping[str, str | None]) -> tuple[OwnObjective, ...]:
    """The objectives of options: by option, the value it was given; None: it was not."""
    found = []
    for option, value in given.items():
        if value is None:
            continue
        name = option.removeprefix("--")
        try:
            found.append(OwnObjective(name, read_statement(COMMON[option].format(value))))
        except ConfigurationError as error:
            raise ConfigurationError(f"{option}: {error}") from None
    return tuple(found)


COMMON = {
    "--p95": "p95 < {}",
    "--p99": "p99 < {}",
    "--max": "max < {}",
    "--min-rps": "rps >= {}",
    "--max-rss": "rss(router) < {}",
    "--max-growth": "growth(router, memory) < {}",
}
"""options for common objectives over the whole load"""


def all_objectives(*parts: Iterable[OwnObjective]) -> tuple[OwnObjective, ...]:
    """Those of the file and of options together; raises ConfigurationError where two share a name."""
    found: list[OwnObjective] = []
    for objective in (each for part in parts for each in part):
        if objective.name in {other.name for other in found}:
            raise ConfigurationError(
                f"--{objective.name}: an objective of --objectives has this name too; rename it there"
            )
        found.append(objective)
    return tuple(found)


def with_length(expression: str, load_seconds: float) -> str:
    """An expression with the length of the load in place of `$run`: `max_over_time(x[$run])`."""
    return expression.replace("$run", f"{max(1, round(load_seconds))}s")


def check_expressions(own: Iterable[OwnObjective], prometheus: PrometheusClient | None) -> None:
    """Raises ConfigurationError where an objective asks a Prometheus that is not there or refuses it."""
    for objective in own:
        expression = objective.statement.promql
        if expression is None:
            continue
        if prometheus is None:
            raise ConfigurationError(
                f"objective {objective.name}: asks a Prometheus; name it by --prometheus, or leave it out"
            )
        try:
            prometheus.query(with_length(expression, 60))
        except QueryError as error:
            raise ConfigurationError(f"objective {objective.name}: {error}") from None


def _entry(node: yaml.Node) -> dict[str, str]:
    """An entry's keys and values, as text."""
    if isinstance(node, yaml.ScalarNode):
        return {"check": node.value}
    if not isinstance(node, yaml.MappingNode):
        raise ConfigurationError("no objective; write 'p99 < 500ms' or {check: 'p99 < 500ms', name: fast}")
    if (text := _unquoted(node)) is not None:
        return {"check": text}
    entry: dict[str, str] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.value not in KEYS:
            name = key.value if isinstance(key, yaml.ScalarNode) else "?"
            raise ConfigurationError(f"{str(name)[:60]!r}: unknown key; one of {', '.join(KEYS)}")
        if key.value in entry:
            raise ConfigurationError(f"{key.value}: given twice")
        if not isinstance(value, yaml.ScalarNode):
            raise ConfigurationError(f"{key.value}: not a text")
        entry[key.value] = value.value
    if "check" not in entry:
        raise ConfigurationError("check: missing; what has to hold, like 'p99 < 500ms'")
    return entry


def _unquoted(node: yaml.MappingNode) -> str | None:
    """`each 5m: p99 < 500ms` without quotes is a mapping to YAML, and means the same to people."""
    if len(node.value) != 1:
        return None
    ((key, value),) = node.value
    if not isinstance(key, yaml.ScalarNode) or not isinstance(value, yaml.ScalarNode):
        return None
    begins = key.value.split(maxsplit=1)[:1]
    return f"{key.value}: {value.value}" if begins and begins[0] in STATEMENT_BEGINS else None


def _objective(entry: Mapping[str, str]) -> OwnObjective:
    statement = read_statement(entry["check"])
    severity = entry.get("severity", Outcome.FAIL.value)
    if severity not in SEVERITIES:
        raise ConfigurationError(f"severity: {severity[:60]!r}; one of {', '.join(SEVERITIES)}")
    name = entry.get("name") or _named(statement.text)
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"name: {name[:60]!r}: give 1 to 40 of a-z, 0-9, - and _, a letter or digit first"
        )
    return OwnObjective(name, statement, Outcome(severity))


def _named(text: str) -> str:
    """A name made of the text: `each 5m: p99 < 500ms` is `each-5m-p99-500ms`."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].rstrip("-") or "objective"
