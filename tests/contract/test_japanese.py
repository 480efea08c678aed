"""The record is in Japanese throughout: every statement of a finding is there in both languages."""

import ast
import re
from collections.abc import Iterator

import pytest

from exporter.verdict.judgement import judge
from tests.support.checkout import CHECKOUT
from tests.support.findings import EVIDENCE
from tests.support.run_results import evidence

JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ENGLISH = re.compile(r"\b[a-z]{2,} [a-z]{2,}\b")
"""two words in a row, as no name or figure has"""
QUOTED = ("No space left on device",)
"""the words of others, which stay as they are"""


def statements() -> Iterator[tuple[str, ast.Call]]:
    """Every `Said(english, japanese)` of the package, by file and line."""
    for path in sorted((CHECKOUT / "exporter").rglob("*.py")):
        if path.name == "finding.py":
            continue  # it puts statements together
        source = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(source)) if "Said(" in source else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Said":
                yield f"{path.relative_to(CHECKOUT)}:{node.lineno}", node


def text_of(node: ast.expr) -> str:
    """The literal text in an expression."""
    constants = (each.value for each in ast.walk(node) if isinstance(each, ast.Constant))
    return "".join(value for value in constants if isinstance(value, str))


STATEMENTS = dict(statements())


def test_the_statements_are_found() -> None:
    assert len(STATEMENTS) > 20


@pytest.mark.parametrize("place", STATEMENTS)
def test_a_statement_is_made_in_english_and_in_japanese(place: str) -> None:
    english, japanese = STATEMENTS[place].args
    assert not JAPANESE.search(text_of(english))
    assert JAPANESE.search(text_of(japanese))


@pytest.mark.parametrize("name", EVIDENCE)
def test_no_english_is_left_in_the_japanese_of_a_finding(name: str) -> None:
    for finding in judge(evidence(**EVIDENCE[name]), {}, ()).findings:
        text = finding.said.japanese
        for quoted in QUOTED:
            text = text.replace(quoted, "")
        assert not ENGLISH.search(text)
        assert JAPANESE.search(text)
