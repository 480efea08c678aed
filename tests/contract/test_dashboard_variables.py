"""The variables of the dashboards: what they offer, who uses them, and how their values come into a query."""

import re

import pytest
import substitution

from tests.support.dashboards import (
    Json,
    every_dashboard,
    queries_and_notes,
    variable_queries_of,
    variables,
    with_everything,
)


@every_dashboard
def test_the_variables_offer_everything_and_follow_the_time_range(page: Json) -> None:
    found = variables(page)
    assert list(found)[:3] == ["datasource", "job", "instance"]
    source = found.pop("datasource")
    assert (source["type"], source["query"], source["label"]) == ("datasource", "prometheus", "Data source")
    for name, variable in found.items():
        assert variable["type"] == "query" and variable["datasource"]["uid"] == "${datasource}"
        assert variable["label"].lower() == name and variable["description"]
        assert variable["multi"] and variable["includeAll"], name
        assert variable["refresh"] == (1 if variable.get("hide") else 2), name
        # What is not seen does not narrow a page, whatever was chosen on another.
        assert variable.get("skipUrlSync", False) == bool(variable.get("hide")), name
        assert variable["allValue"] == (".+" if name in ("job", "instance") else ".*")
        assert variable["current"]["value"] == ["$__all"], name


@every_dashboard
def test_a_dashboard_has_the_variables_that_its_queries_use_and_no_others(page: Json) -> None:
    lists = dict(variable_queries_of(page))
    texts = [expr for _, expr in queries_and_notes(page)] + list(lists.values())
    used = {name for text in texts for name in re.findall(r"\$([a-z]\w*)", text)}
    assert used == set(variables(page)) - {"datasource"}


@every_dashboard
def test_several_chosen_values_are_matched_as_a_regular_expression(page: Json) -> None:
    for where, expr in queries_and_notes(page):
        for found in re.finditer(r'(\S{1,2})"\(?\$[a-z]', expr):
            assert found[1] == "=~", where
        assert not re.search(r"\$[A-Za-z_{]", with_everything(page, expr)), where


def test_variables_are_put_in_as_grafana_does_it() -> None:
    substitute = substitution.substitute
    assert substitute('rate(m{a=~"$route"}[${__rate_interval}])', {"route": ".*"}) == 'rate(m{a=~".*"}[20s])'
    assert substitute('m{a=~"$x"}', {"x": ["127.0.0.1:9877"]}) == r'm{a=~"127\\.0\\.0\\.1:9877"}'
    assert substitute('m{a=~"$x"}', {"x": ["a", "b+"]}) == r'm{a=~"(a|b\\+)"}'
    assert (
        substitute('label_replace(m, "a", "$1", "b", "(.+)")', {})
        == 'label_replace(m, "a", "$1", "b", "(.+)")'
    )
    with pytest.raises(KeyError, match="unknown"):
        substitute("m{$unknown}", {})
