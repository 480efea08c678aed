"""JUnit's XML of what a command came to, as CI systems read it.

A check is a case: fail is a failure, inconclusive an error, not judged is skipped with its reason; a warning
passes and is printed.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from exporter.plain_text import one_line
from exporter.results.outcome_report import Case, Suite
from exporter.verdict.finding import Outcome

MAX_TEXT = 2000
_NO_XML = re.compile("[\ufffe\uffff]")
"""beside what `one_line` replaces, what no XML may hold"""
_TAGS = {Outcome.FAIL: "failure", Outcome.INCONCLUSIVE: "error", Outcome.NOT_JUDGED: "skipped"}


def junit_text(command: str, suites: Sequence[Suite]) -> str:
    """The file's text."""
    root = Element("testsuites", {"name": f"soak {command}", **_counts(suites)})
    for suite in suites:
        element = SubElement(root, "testsuite", {"name": _plain(suite.name), **_counts([suite])})
        if suite.began is not None:
            element.set("timestamp", f"{datetime.fromtimestamp(suite.began, UTC):%Y-%m-%dT%H:%M:%S}")
        if suite.figures:
            properties = SubElement(element, "properties")
            for name, value in suite.figures:
                SubElement(properties, "property", name=name, value=_plain(value))
        for case in suite.cases:
            _case(element, suite, case)
        SubElement(element, "system-out").text = _plain(suite.sentence)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _case(parent: Element, suite: Suite, case: Case) -> None:
    element = SubElement(
        parent, "testcase", name=_plain(case.name), classname=f"soak.{_plain(suite.name)}", time="0"
    )
    text = _plain(case.text)
    tag = _TAGS.get(case.outcome)
    if tag is None:
        SubElement(element, "system-out").text = f"{case.outcome}: {text}"
        return
    found = SubElement(element, tag, message=text)
    if tag != "skipped":
        found.set("type", case.outcome)
        held = [f"figure: {_plain(case.figure)}", f"bound: {_plain(case.bound)}"]
        found.text = "\n".join([text, *(held if case.figure or case.bound else [])])


def _counts(suites: Sequence[Suite]) -> dict[str, str]:
    outcomes = [case.outcome for suite in suites for case in suite.cases]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count(Outcome.FAIL)),
        "errors": str(outcomes.count(Outcome.INCONCLUSIVE)),
        "skipped": str(outcomes.count(Outcome.NOT_JUDGED)),
        "time": f"{sum(suite.seconds for suite in suites):.3f}",
    }


def _plain(text: str) -> str:
    return _NO_XML.sub("\ufffd", one_line(text))[:MAX_TEXT]
