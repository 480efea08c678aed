"""What a real run left: do terminal, record, JUnit, report and exit code say the same?"""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from exporter.results.record import VERDICTS
from exporter.verdict.finding import Outcome
from exporter.verdict.objectives import japanese_name
from tests.judgebench.right import CODES, QUIET, Found, Said

TAGS = {"failure": Outcome.FAIL, "error": Outcome.INCONCLUSIVE, "skipped": Outcome.NOT_JUDGED}
MAX_COMPARED = 60
"""letters of a sentence: a long one is cut, or broken, in one place and another"""


@dataclass(frozen=True)
class Left:
    """The files of a run, and what it printed."""

    code: int
    output: str
    errors: str
    results: Path
    junit: Path
    markdown: Path
    reported: bool = False
    """the run was killed, and this is what `soak report` makes of its folder: no JUnit, no code"""

    @property
    def terminal(self) -> str:
        """All that was printed, on one line: it is broken at the terminal's width."""
        return " ".join((self.output + self.errors).split())

    @property
    def folder(self) -> Path | None:
        """That of the run; None where it left none."""
        return next(iter(sorted(each.parent for each in self.results.glob("*/run.json"))), None)


def said_by(left: Left) -> Said:
    """What was said of a run, of its record."""
    if left.folder is None:
        return Said(left.code, terminal=left.terminal)
    document = json.loads((left.folder / "run.json").read_text(encoding="utf-8"))
    findings = tuple(_findings(document))
    outcome = Outcome(document["verdict"]["outcome"])
    return Said(left.code, findings, left.terminal, tuple(_disagreements(left, outcome, findings)))


def _findings(document: dict[str, Any]) -> Iterator[Found]:
    phases = document["evidence"]["phases"]
    begin = phases[0]["since"] if phases else 0.0
    for each in document["verdict"]["findings"]:
        spans = tuple((span["since"] - begin, span["until"] - begin) for span in each["spans"])
        yield Found(each["check"], Outcome(each["outcome"]), each["text"], spans)


def _disagreements(left: Left, outcome: Outcome, findings: tuple[Found, ...]) -> Iterator[str]:
    """Where a file says another thing than run.json."""
    assert left.folder is not None
    loud = [each for each in findings if each.outcome not in QUIET]
    if left.reported:
        if f"{left.folder.name}: {outcome}" not in left.terminal:
            yield f"soak report does not say that {left.folder.name} is {outcome}"
    else:
        if left.code != CODES[outcome]:
            yield f"the exit code is {left.code}, run.json says {outcome}"
        yield from _of_terminal(left.terminal, outcome, loud)
        yield from _of_junit(left.junit, findings)
        yield from _of_table("--markdown", left.markdown.read_text(encoding="utf-8"), outcome, loud)
    record = (left.results / f"{left.folder.name}.md").read_text(encoding="utf-8")
    yield from _of_record(record, outcome, loud)
    yield from _of_report((left.folder / "report.html").read_text(encoding="utf-8"), outcome, loud)


def _of_terminal(text: str, outcome: Outcome, loud: list[Found]) -> Iterator[str]:
    if f"verdict: {outcome}" not in text:
        yield f"the terminal does not say 'verdict: {outcome}'"
    for each in loud:
        if f"{each.outcome} {each.check}" not in text:
            yield f"the terminal does not say that {each.check} is {each.outcome}"


def _of_record(text: str, outcome: Outcome, loud: list[Found]) -> Iterator[str]:
    if f"判定 {VERDICTS[outcome]}" not in text:
        yield f"the record does not say {VERDICTS[outcome]}"
    for each in loud:
        if japanese_name(each.check) not in text:
            yield f"the record does not name {each.check}"


def _of_junit(file: Path, findings: tuple[Found, ...]) -> Iterator[str]:
    cases: dict[str, Outcome] = {}
    for case in ElementTree.parse(file).iter("testcase"):
        tag = next((child.tag for child in case if child.tag in TAGS), None)
        text = case.findtext("system-out") or ""
        plain = Outcome.WARNING if text.startswith("warning") else Outcome.PASS
        cases[case.get("name") or ""] = plain if tag is None else TAGS[tag]
    for each in findings:
        if cases.get(each.check) != each.outcome:
            yield f"JUnit: {each.check} is {cases.get(each.check)}, run.json says {each.outcome}"


def _of_table(what: str, text: str, outcome: Outcome, loud: list[Found]) -> Iterator[str]:
    if f"**{outcome}" not in text:
        yield f"{what} does not say {outcome}"
    for each in loud:
        if not re.search(rf"\| {each.outcome} +\| {each.check} ", text):
            yield f"{what} does not say that {each.check} is {each.outcome}"


def _of_report(text: str, outcome: Outcome, loud: list[Found]) -> Iterator[str]:
    if f'class="verdict {outcome}"' not in text:
        yield f"report.html does not say {outcome}"
    plain = html.unescape(text)
    for each in loud:
        if each.text[:MAX_COMPARED] not in plain:
            yield f"report.html does not say {each.text[:MAX_COMPARED]!r}"
