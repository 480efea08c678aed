"""exporter.results.rules: the order in which rules are replayed, and what an alert comes to."""

from array import array
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.results.rules import Rule, alert_samples, in_rounds, read_rules
from exporter.timeseries import Series
from tests.support.checkout import CHECKOUT

RULES = read_rules(CHECKOUT / "prometheus" / "rules")


def rule(name: str, expression: str, **labels: str) -> Rule:
    return Rule(name, expression, labels, 5.0)


def names(rounds: list[list[Rule]]) -> list[list[str]]:
    return [[each.name for each in one] for one in rounds]


def test_a_rule_comes_after_what_it_reads_and_alerts_come_last() -> None:
    alert = Rule("Down", "a:b:c > 1", {}, 5.0, is_alert=True)
    rules = [alert, rule("a:b:c", "sum(a:b:d) + a:b:e"), rule("a:b:d", "a:b:e"), rule("a:b:e", "x")]
    assert names(in_rounds(rules)) == [["a:b:e"], ["a:b:d"], ["a:b:c"], ["Down"]]


def test_a_name_within_another_is_not_read() -> None:
    assert not rule("x", "my_a:b:c + a:b:cd + a:b:c:d").needs(rule("a:b:c", "y"))


def test_of_rules_of_one_name_the_labels_tell_which_is_read() -> None:
    first, second = rule("a:b:c", "x", step="0"), rule("a:b:c", 'a:b:c{step="0"} offset 6m', step="1")
    third = rule("a:b:c", 'a:b:c{step="0"} offset 12m', step="2")
    assert in_rounds([first, second, third]) == [[first], [second, third], []]


def test_a_rule_that_reads_its_own_last_value_is_evaluated_again_with_all_of_its_past() -> None:
    own = rule("a:b:c", 'x and y or last_over_time(a:b:c{r="s"}[5m]) and a:b:d[5m]', r="s")
    again = rule("a:b:c", 'x and y or last_over_time(a:b:c{r="s"}[1d]) and a:b:d[5m]', r="s")
    assert in_rounds([own]) == [[own], [again], []]


def test_every_rule_of_the_project_is_replayed_after_what_it_reads() -> None:
    rounds = in_rounds(RULES)
    when = {id(each): number for number, one in enumerate(rounds) for each in one}
    recording = [each for each in RULES if not each.is_alert]
    assert {id(each) for each in RULES} <= when.keys()
    for each in RULES:
        needed = [when[id(other)] for other in recording if each.needs(other) and other.name != each.name]
        assert all(number < when[id(each)] for number in needed), each.name


def test_the_projects_alerts_have_their_durations() -> None:
    [down] = [each for each in RULES if each.name == "RouterDown"]
    assert (down.is_alert, down.keep_firing_seconds) == (True, 0.0)
    assert 5.0 <= down.for_seconds <= 10.0
    assert {each.interval_seconds for each in RULES} == {5.0, 15.0, 60.0}


def nothing_is_there(_query: str, _time: float) -> bool:
    return False


def states(true_at: list[int], until: int = 60, **changes: Any) -> dict[int, str]:
    """The state of an alert by the second, of one whose condition was true at these."""
    alert = Rule("Down", "x", {"severity": "warning"}, 5.0, is_alert=True, **changes)
    condition = Series("", (("job", "j"),), array("d", true_at), array("d", [1.0] * len(true_at)))
    found = list(alert_samples(alert, condition, until, nothing_is_there))
    return {int(time): labels["alertstate"] for name, labels, time, _ in found if name == "ALERTS"}


def test_an_alert_is_pending_until_its_condition_has_held() -> None:
    assert states([0, 5, 10, 15], for_seconds=10.0) == {
        0: "pending",
        5: "pending",
        10: "firing",
        15: "firing",
    }
    assert states([0, 5, 20, 25], for_seconds=10.0) == dict.fromkeys((0, 5, 20, 25), "pending")
    assert states([0]) == {0: "firing"}


def test_an_alert_keeps_firing_as_long_as_it_says() -> None:
    found = states([0, 30], keep_firing_seconds=15.0)
    assert found == dict.fromkeys((0, 5, 10, 15, 30, 35, 40, 45), "firing")


def test_an_alerts_series_have_its_labels_and_the_time_since_which_it_is_true() -> None:
    alert = Rule(
        "Leak",
        "x",
        {"severity": "warning", "fails_run": '{{ if match "^(router|node)$" $labels.role }}true{{ end }}'},
        5.0,
        is_alert=True,
    )
    for role, fails in (("router", {"fails_run": "true"}), ("load", {})):
        condition = Series("", (("role", role),), array("d", [100.0, 105.0]), array("d", [1.0, 1.0]))
        own = {"alertname": "Leak", "role": role, "severity": "warning", **fails}
        assert list(alert_samples(alert, condition, 105.0, nothing_is_there)) == [
            ("ALERTS", {**own, "alertstate": "firing"}, 100.0, 1.0),
            ("ALERTS_FOR_STATE", own, 100.0, 100.0),
            ("ALERTS", {**own, "alertstate": "firing"}, 105.0, 1.0),
            ("ALERTS_FOR_STATE", own, 105.0, 100.0),
        ]


def test_a_label_may_depend_on_what_a_query_gives() -> None:
    leak = next(each for each in RULES if each.name == "GpuMemoryLeak")
    condition = Series("", (("job", "j"), ("process", 'a"b')), array("d", [100.0]), array("d", [1.0]))
    asked: list[tuple[str, float]] = []

    def is_there(query: str, time: float) -> bool:
        asked.append((query, time))
        return len(asked) == 1

    of_load, of_router = (next(alert_samples(leak, condition, 100.0, is_there))[1] for _ in range(2))
    assert "fails_run" not in of_load
    assert of_router["fails_run"] == "true"
    selector = 'observed_process_up{role="load",job="j",instance="",process="a\\"b"}'
    assert asked[0] == (f"last_over_time({selector}[5m])", 100.0)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "groups: [{rules: [{}]}]",
        "groups: [{rules: [{alert: A, expr: x, for: soon}]}]",
        "groups: [{rules: [{alert: A, expr: x, labels: {a: '{{ $value }}'}}]}]",
        ": [",
    ],
)
def test_a_file_that_is_none_of_rules_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.yml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        read_rules(tmp_path)
    assert str(error.value).startswith(f"{tmp_path}/a.yml: not a file of rules (")
