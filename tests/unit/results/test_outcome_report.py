"""exporter.results.junit and step_summary: what was judged, for a CI system; others' text acts in neither."""

from xml.etree.ElementTree import Element, fromstring

from exporter.results.compare import Change
from exporter.results.junit import MAX_TEXT, junit_text
from exporter.results.outcome_report import (
    Case,
    Suite,
    suite_of_comparison,
    suite_of_error,
    suite_of_run,
)
from exporter.results.run_document import document_of, row_of
from exporter.results.step_summary import MAX_BYTES, summary_text
from exporter.verdict.finding import Outcome
from tests.support.eventful_hour import eventful_hour

HOSTILE = "]]></x><failure/>&amp;\x1b[31m\x00\ufffe\u202e|`*<b>\n"


def run_suite() -> Suite:
    return suite_of_run(document_of(eventful_hour()))


def xml(command: str, *suites: Suite) -> Element:
    return fromstring(junit_text(command, suites))


def test_every_check_is_a_case_and_its_outcome_is_junits() -> None:
    root = xml("run", run_suite())
    (suite,) = root
    assert root.attrib == {
        "name": "soak run", "tests": "6", "failures": "3", "errors": "0", "skipped": "1", "time": "3600.000",
    }  # fmt: skip
    assert suite.attrib["timestamp"] == "2025-11-24T16:00:00"
    cases = {case.attrib["name"]: case for case in suite.iter("testcase")}
    assert list(cases) == ["answers", "completeness", "disconnects", "latency", "memory", "gpu_memory"]
    assert {case.attrib["classname"] for case in cases.values()} == {"soak.nightly"}
    failure = cases["disconnects"].find("failure")
    assert failure is not None
    assert failure.attrib == {"message": "no success for 15 s", "type": "fail"}
    assert failure.text == "no success for 15 s\nfigure: 15 s\nbound: 10 s"
    skipped = cases["gpu_memory"].find("skipped")
    assert skipped is not None
    assert skipped.attrib == {"message": "no GPU is watched"}
    assert [each.tag for each in cases["completeness"]] == ["system-out"]
    assert cases["latency"].findtext("system-out") == "warning: p99 rose from 61 to 183 ms"


def test_what_is_inconclusive_is_an_error() -> None:
    root = xml(
        "run", Suite("a", Outcome.INCONCLUSIVE, "x", (Case("totals", Outcome.INCONCLUSIVE, "they differ"),))
    )
    assert root.attrib["errors"] == "1"
    error = root.find("testsuite/testcase/error")
    assert error is not None
    assert error.attrib == {"message": "they differ", "type": "inconclusive"}


def test_the_figures_are_those_of_the_csv() -> None:
    document = document_of(eventful_hour())
    row = row_of(document)
    found = {
        each.attrib["name"]: each.attrib["value"]
        for each in xml("run", suite_of_run(document)).iter("property")
    }
    assert found == {
        "rps": f"{row.rps:.2f}",
        "p50_ms": f"{row.p50_ms:.3f}",
        "p95_ms": f"{row.p95_ms:.3f}",
        "p99_ms": f"{row.p99_ms:.3f}",
        "requests": str(row.requests),
        "non2xx": str(row.non2xx),
        "socket_errors": str(row.socket_errors),
        "duration_s": f"{row.duration_s:.2f}",
    }
    table = summary_text("run", [suite_of_run(document)])
    assert all(f" {value} |" in table for value in found.values())


def test_every_step_of_a_scale_is_a_suite() -> None:
    root = xml("scale", run_suite(), run_suite(), suite_of_error("local-scale", "2 of 4 steps were made"))
    assert [suite.attrib["tests"] for suite in root] == ["6", "6", "1"]
    assert (root.attrib["tests"], root.attrib["errors"]) == ("13", "1")


def test_a_comparison_has_a_case_a_figure() -> None:
    changes = [
        Change("rps", 100.0, 80.0, Outcome.FAIL, "worse by 20 %"),
        Change("p50_ms", 10.0, 10.0, Outcome.PASS, "not worse"),
        Change("p99_ms", None, 30.0, Outcome.INCONCLUSIVE, "the baseline lacks it"),
    ]
    suite = suite_of_comparison("nightly", changes, Outcome.FAIL)
    assert suite.sentence == "fail: rps"
    assert [(each.name, each.outcome, each.figure, each.bound) for each in suite.cases] == [
        ("rps", Outcome.FAIL, "80", "100"),
        ("p50_ms", Outcome.PASS, "10", "10"),
        ("p99_ms", Outcome.INCONCLUSIVE, "30", "–"),
    ]


def test_the_summary_has_the_verdict_first_and_what_failed_above_the_rest() -> None:
    text = summary_text("run", [run_suite()])
    lines = text.splitlines()
    assert lines[0] == "### soak run: nightly"
    sentence = (
        "fail: answers, disconnects, memory; warning: latency; gpu_memory not judged: no GPU is watched"
    )
    assert lines[2] == f"**{sentence}**"
    outcomes = [
        line.split("|")[1].strip() for line in lines if line.startswith("| ") and line.count("|") == 6
    ]
    assert outcomes[2:] == ["fail", "fail", "fail", "warning", "pass", "not judged"]


def test_text_of_others_is_text_in_xml_and_in_markdown() -> None:
    suite = Suite(
        HOSTILE, Outcome.FAIL, HOSTILE, (Case(HOSTILE, Outcome.FAIL, HOSTILE * 500, HOSTILE, HOSTILE),)
    )
    root = xml("run", suite)
    assert [each.tag for each in root.iter()] == [
        "testsuites",
        "testsuite",
        "testcase",
        "failure",
        "system-out",
    ]
    failure = root.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.attrib["message"].startswith("]]></x><failure/>&amp;\ufffd[31m\ufffd\ufffd\ufffd|`*<b>")
    assert len(failure.attrib["message"]) == MAX_TEXT
    text = summary_text("run", [suite])
    assert not any(each in text for each in ("\x1b", "\u202e", "\x00", "`*<b>"))
    assert "\\<b>" in text
    # No line begins but ours.
    assert {line[:4] for line in text.splitlines() if line} <= {"### ", "**\\]", "| ou", "| --", "| fa"}


def test_a_summary_is_no_longer_than_a_page_takes() -> None:
    cases = tuple(Case(f"objective-{i}", Outcome.FAIL, "x" * 1000) for i in range(5000))
    assert len(summary_text("run", [Suite("a", Outcome.FAIL, "fail", cases)]).encode()) <= MAX_BYTES
