"""The rules of Prometheus as a replay needs them: their order, and what an alert comes to."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from exporter.errors import ConfigurationError
from exporter.timeseries import Series

EVALUATION_SECONDS = 5.0
"""evaluation_interval of prometheus.yml"""
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_OWN_PAST = "[1d]"
_IF_LABEL = re.compile(r'\{\{ if match "([^"]*)" \$labels\.(\w+) \}\}([^{}]*)\{\{ end \}\}')
_IF_NO_SERIES = re.compile(
    r"\{\{ if not \(query \(printf `([^`]*)` ((?:\$labels\.\w+ ?)+)\)\) \}\}([^{}]*)\{\{ end \}\}"
)
"""the two forms of template that labels of alerts have"""


@dataclass(frozen=True)
class Rule:
    """A recording rule, or an alert with how long its condition has to hold."""

    name: str
    expression: str
    labels: Mapping[str, str]
    interval_seconds: float
    is_alert: bool = False
    for_seconds: float = 0.0
    keep_firing_seconds: float = 0.0

    def needs(self, other: "Rule") -> bool:
        """Whether the expression selects what the other rule records."""
        if other.is_alert:
            return False
        selectors = re.findall(
            rf"(?<![\w:]){re.escape(other.name)}(?![\w:])\s*(\{{[^}}]*\}})?", self.expression
        )
        return any(
            all(other.labels.get(name, value) == value for name, value in _equalities(matchers))
            for matchers in selectors
        )

    @property
    def from_its_past(self) -> "Rule":
        """A rule that reads its own last values, as one that finds them however old they are."""
        own = rf"((?<![\w:]){re.escape(self.name)}(?:\{{[^}}]*\}})?)\[\w+\]"
        return Rule(
            self.name, re.sub(own, rf"\1{_OWN_PAST}", self.expression), self.labels, self.interval_seconds
        )


def read_rules(folder: Path) -> list[Rule]:
    """Every rule of the files in a folder, in their order; raises ConfigurationError."""
    rules = []
    for file in sorted(folder.glob("*.yml")):
        try:
            groups = yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]
            rules += [_rule(each, group) for group in groups for each in group["rules"]]
        except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
            raise ConfigurationError(f"{file}: not a file of rules ({error})") from error
    return rules


def in_rounds(rules: Sequence[Rule]) -> list[list[Rule]]:
    """The rules so that what one needs is recorded in a round before it, the alerts in the last.

    Of the rules of one name a later one may need an earlier one; a rule that needs itself reads its own last
    values, which take a second round.
    """
    rounds: dict[int, list[Rule]] = {}
    number_of: list[int | None] = [None] * len(rules)

    def number(index: int) -> int:
        known = number_of[index]
        if known is None:
            rule = rules[index]
            needed = [
                number(each)
                for each, other in enumerate(rules)
                if rule.needs(other) and (other.name != rule.name or each < index)
            ]
            known = number_of[index] = max(needed, default=-1) + 1
            rounds.setdefault(known, []).append(rule)
            if rule.needs(rule):
                known = number_of[index] = known + 1
                rounds.setdefault(known, []).append(rule.from_its_past)
        return known

    recording = [index for index, rule in enumerate(rules) if not rule.is_alert]
    last = max((number(index) for index in recording), default=-1) + 1
    return [rounds[each] for each in range(last)] + [[rule for rule in rules if rule.is_alert]]


def alert_samples(
    rule: Rule, condition: Series, until: float, is_there: Callable[[str, float], bool]
) -> Iterator[tuple[str, dict[str, str], float, float]]:
    """What Prometheus writes of an alert (name, labels, Unix s, value), by the times at which it was true.

    `is_there` says whether a query gives anything at a time; a label may depend on it.
    """
    labels = dict(condition.labels)
    given = {
        name: _filled(text, labels, lambda query: is_there(query, condition.times[0]))
        for name, text in rule.labels.items()
    }
    own = {"alertname": rule.name, **labels, **{name: text for name, text in given.items() if text}}
    step, true_at = rule.interval_seconds, {round(time, 3) for time in condition.times}
    since: float | None = None
    gone_since: float | None = None
    is_firing = False
    time = condition.times[0]
    while time <= until:
        if round(time, 3) in true_at:
            since, gone_since = time if since is None else since, None
            is_firing = is_firing or time - since >= rule.for_seconds
        else:
            gone_since = time if gone_since is None else gone_since
            if not is_firing or time - gone_since >= rule.keep_firing_seconds:
                since, is_firing = None, False
        if since is not None:
            state = "firing" if is_firing else "pending"
            yield "ALERTS", {**own, "alertstate": state}, time, 1.0
            yield "ALERTS_FOR_STATE", own, time, since
        time += step


def _rule(given: Mapping[str, Any], group: Mapping[str, Any]) -> Rule:
    interval = _seconds(group["interval"]) if "interval" in group else EVALUATION_SECONDS
    labels = {name: str(value) for name, value in given.get("labels", {}).items()}
    for text in labels.values():
        if "{{" in _IF_NO_SERIES.sub("", _IF_LABEL.sub("", text)):
            raise ValueError(f"a template that a replay cannot fill in: {text}")
    if "record" in given:
        return Rule(given["record"], given["expr"], labels, interval)
    hold, keep = _seconds(given.get("for", "0s")), _seconds(given.get("keep_firing_for", "0s"))
    return Rule(given["alert"], given["expr"], labels, interval, True, hold, keep)


def _filled(text: str, labels: Mapping[str, str], is_there: Callable[[str], bool]) -> str:
    """A label's text with its templates filled in."""

    def if_no_series(found: re.Match[str]) -> str:
        values = (labels.get(name, "") for name in re.findall(r"\$labels\.(\w+)", found[2]))
        query = re.sub("%q", lambda _: json.dumps(next(values), ensure_ascii=False), found[1])
        return "" if is_there(query) else found[3]

    def if_label(found: re.Match[str]) -> str:
        return found[3] if re.search(found[1], labels.get(found[2], "")) else ""

    return _IF_LABEL.sub(if_label, _IF_NO_SERIES.sub(if_no_series, text))


def _seconds(text: str) -> float:
    """A duration of Prometheus, as 1m30s."""
    parts = re.findall(r"([0-9]+)(ms|[smhd])", text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ValueError(f"{text!r} is no duration")
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _equalities(matchers: str) -> list[tuple[str, str]]:
    """Of `{a="1",b=~"x"}` the pair a, 1."""
    return re.findall(r'(\w+)\s*=\s*"([^"]*)"', matchers)
