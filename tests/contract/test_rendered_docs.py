"""scripts/render_docs.py: the rendered pages are up to date and link to what is there."""

import re

import pytest
import render_docs

from tests.support.checkout import CHECKOUT, GOLDEN
from tests.support.prometheus_files import ALERTING, rules_in

METRICS = (CHECKOUT / "docs" / "metrics.md").read_text(encoding="utf-8")
ALERTS = (CHECKOUT / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_pages_are_what_the_golden_exposition_and_the_rules_render_to() -> None:
    pages = dict(render_docs.pages(CHECKOUT))
    assert {path.name for path in pages} == {
        "metrics.md", "alerts.md", "run.schema.json", "objectives.schema.json", "verdict.md",
    }  # fmt: skip
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path}: {render_docs.COMMAND}"


def test_every_metric_is_on_the_page_once() -> None:
    golden = [(GOLDEN / name).read_text(encoding="utf-8") for name in render_docs.EXPOSITIONS]
    rows = re.findall(r"^\| (`.+?`) \| \w+ \| ", METRICS, re.MULTILINE)
    shown = [name.strip("`") for row in rows for name in row.split()]
    assert sorted(shown) == sorted({name for text in golden for name in _families(text)})


def _families(exposition: str) -> list[str]:
    return re.findall(r"^# TYPE (\S+) ", exposition, re.MULTILINE)


def test_every_alert_is_on_the_page_once_for_each_severity_with_whether_it_fails_a_run() -> None:
    found = re.findall(r"^\| \[(\w+)\]\(\S+\) \| (\w+) \| \S+ \| ([\w ]*) \|", ALERTS, re.MULTILINE)
    assert sorted(found) == sorted(
        (rule["alert"], rule["labels"]["severity"], fails_run(rule["labels"].get("fails_run")))
        for rule in rules_in("*.alerts.yml")
    )
    assert {name for name, _, _ in found} == set(ALERTING)


def fails_run(label: str | None) -> str:
    return {None: "", "true": "yes"}.get(label, "router and nodes")


@pytest.mark.parametrize("page", [METRICS, ALERTS], ids=["metrics", "alerts"])
def test_the_contents_list_every_section(page: str) -> None:
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    listed = re.findall(r"\[([^\]]+)\]\(#([^)]+)\)", page)
    assert [title for title, _ in listed] == sections
    assert [anchor for _, anchor in listed] == [title.lower().replace(" ", "-") for title in sections]


def test_a_metric_shows_its_type_its_labels_and_the_values_of_those_that_are_fixed() -> None:
    text = """\
# HELP router_nodes Nodes registered, by status.
# TYPE router_nodes gauge
router_nodes{node="a",status="online"} 1
router_nodes{node="b",status="offline"} 1
"""
    row = "| `router_nodes` | gauge | `node`, `status` = `online` `offline` | Nodes registered, by status |"
    assert row in render_docs.metrics_page(text).splitlines()


def test_a_metric_of_no_known_source_is_refused() -> None:
    with pytest.raises(ValueError, match="other_total: no section"):
        render_docs.metrics_page("# TYPE other_total counter\nother_total 1\n")


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("The node {{ $labels.node }} is offline", "The node *node* is offline"),
        (
            '{{ $labels.model }} is slow {{ if eq $labels.reference "start" }}now{{ else }}ever{{ end }}',
            "*model* is slow now / ever",
        ),
        (
            "{{ with $labels.instance }}The exporter {{ . }} is down{{ else }}None is watched{{ end }}",
            "The exporter *instance* is down / None is watched",
        ),
    ],
)
def test_a_summary_is_shown_with_its_labels_in_italics_and_both_branches(template: str, text: str) -> None:
    assert render_docs.plain(template) == text


def test_a_template_that_cannot_be_shown_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot show"):
        render_docs.plain("{{ range $value }}x{{ end }}")


def test_a_rule_group_without_a_section_is_refused() -> None:
    with pytest.raises(ValueError, match="stranger"):
        render_docs.alerts_page(["groups: [{name: stranger, rules: []}]"])
