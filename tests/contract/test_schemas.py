"""docs/schemas: every record that is written is of its schema, and what is none is not."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import ValidationError

from exporter.results.run_json import run_json
from exporter.run.objectives_file import read_objectives
from tests.support.checkout import CHECKOUT, FIXTURES
from tests.support.eventful_hour import eventful_hour
from tests.support.findings import EVIDENCE
from tests.support.run_results import evidence, run_result
from tests.support.schemas import check_document


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    return found


@pytest.mark.parametrize("name", EVIDENCE)
def test_the_record_of_every_kind_of_run_is_of_its_schema(name: str) -> None:
    check_document(document(run_json(run_result(evidence(**EVIDENCE[name])))))


def test_the_record_of_an_hour_in_which_everything_happens_is_of_its_schema() -> None:
    check_document(document(run_json(eventful_hour())))


@pytest.mark.parametrize(
    ("way", "value"),
    [
        (("run", "connections"), "four"),
        (("run", "more"), 1),
        (("inputs", "max_error_ratio"), 2.0),
        (("verdict", "outcome"), "great"),
        (("evidence", "requests"), {"2xx": -1}),
        (("evidence", "phases"), [{"since": 1, "until": 2, "phase": "tea"}]),
    ],
)
def test_what_is_no_record_is_not_of_it(way: tuple[str, str], value: object) -> None:
    found = document(run_json(run_result()))
    found[way[0]][way[1]] = value
    with pytest.raises(ValidationError):
        check_document(found)


def test_the_record_of_an_earlier_release_lacks_fields_and_has_no_others() -> None:
    text = (FIXTURES / "earlier" / "20261129-earlier" / "run.json").read_text(encoding="utf-8")
    with pytest.raises(ValidationError, match="'cacert' is a required property"):
        check_document(document(text))


EXAMPLES = re.findall(
    r"```yaml\n(.*?)```", (CHECKOUT / "docs" / "objectives.md").read_text(encoding="utf-8"), re.DOTALL
)
TAKEN = [*EXAMPLES, "- p99 < 1s", "- {check: rps > 1, severity: warning, name: a-1}", "- whole: rps > 100"]


@pytest.mark.parametrize("text", TAKEN)
def test_a_file_of_objectives_that_is_taken_is_of_its_schema(text: str, tmp_path: Path) -> None:
    file = tmp_path / "objectives.yml"
    file.write_text(text, encoding="utf-8")
    assert read_objectives(file)
    check_document(yaml.safe_load(text), "objectives")


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "p99: 5",
        "- [p99 < 1s]",
        "- {severity: fail}",
        "- {check: rps > 1, sevrity: fail}",
        "- {check: rps > 1, severity: bad}",
        "- {check: rps > 1, name: 'A b'}",
        "- {check: [rps]}",
        "- some: p99 < 1s",
        "- {}",
    ],
)
def test_one_that_is_refused_is_not(text: str) -> None:
    with pytest.raises(ValidationError):
        check_document(yaml.safe_load(text), "objectives")
