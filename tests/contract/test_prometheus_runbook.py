"""The runbook: a section for every alert, and queries that read what exists."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.contract_metrics import METRICS
from tests.support.prometheus_files import ALERTING, RECORDING, RUNBOOK, metrics_of, severities_of

PROMQL_IN_THE_RUNBOOK = re.findall(r"```promql\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)


def anchor_of(heading: str) -> str:
    """The link of a Markdown heading, as repository hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_has_the_heading_that_the_alert_links_to(alert: str) -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert alert in headings
    links = {rule["annotations"]["runbook_url"] for rule in ALERTING[alert]}
    assert links == {f"prometheus/runbook.md#{anchor_of(alert)}"}


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_says_of_the_alert_what_it_means_how_to_confirm_it_and_what_to_do(alert: str) -> None:
    section = re.split(r"^## ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(alert + "\n")]
    assert f"**Severity** {' or '.join(severities_of(alert))}." in text
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == [
        "What it means",
        "How to confirm it",
        "What to do",
    ]
    assert "```promql" in text
    assert "```sh" in text


def test_the_runbook_has_no_heading_without_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTING)


@pytest.mark.parametrize("promql", PROMQL_IN_THE_RUNBOOK, ids=str.strip)
def test_a_query_in_the_runbook_reads_only_what_exists(promql: str) -> None:
    assert metrics_of(promql) - METRICS - set(RECORDING) == set()


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)
def test_the_queries_in_the_runbook_parse(tmp_path: Path) -> None:
    rules = [
        {"record": f"runbook:query:{n}", "expr": promql} for n, promql in enumerate(PROMQL_IN_THE_RUNBOOK)
    ]
    assert rules
    path = tmp_path / "runbook.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
