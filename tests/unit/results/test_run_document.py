"""exporter.results.run_document: what run.json says is read back as it was; what is no record is refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import Phase
from exporter.live.run_pace import LongestRequest
from exporter.results.document_parts import MAX_SPANS, SpanPart
from exporter.results.run_document import RunDocument, document_of, parse_document, read_document
from exporter.results.run_json import document_text, run_json
from exporter.results.run_result import RunResult
from exporter.verdict.evidence import AlertSpan, GeneratorLoad, PhaseSpan
from exporter.verdict.finding import Finding, Outcome, Said, Span
from exporter.verdict.judgement import Judgement
from tests.support.checkout import FIXTURES
from tests.support.run_results import evidence, run_result

BEGAN = 1_764_000_000.0


def eventful() -> RunResult:
    """A run with something in every part that is not there in a plain one."""
    known = evidence(
        phases=(PhaseSpan(BEGAN, BEGAN + 6, Phase.WARMUP), PhaseSpan(BEGAN + 6, BEGAN + 60, Phase.LOAD)),
        success_gaps=(Span(BEGAN + 20, BEGAN + 32.5),),
        longest_request=LongestRequest(12.25, BEGAN + 33, answered=True),
        alerts=(AlertSpan(BEGAN + 21, BEGAN + 50, "BenchmarkStalled", "critical", True, {"route": "local"}),),
        generator=GeneratorLoad(0.25, None),
    )
    finding = Finding(
        "stalls",
        Outcome.FAIL,
        Said("no success for 12.5 s", "12.5 秒間成功なし"),
        figure=12.5,
        bound=10.0,
        unit="seconds",
        spans=(Span(BEGAN + 20, BEGAN + 32.5),),
    )
    return run_result(known, judgement=Judgement(Outcome.FAIL, (finding,)))


def test_what_was_written_is_read_back() -> None:
    text = run_json(eventful())
    read = parse_document(text)
    assert document_text(read) == text
    (found,) = read.verdict.findings
    assert (found.figure, found.bound, found.unit) == (12.5, 10.0, "seconds")
    assert found.spans == (SpanPart(since=BEGAN + 20, until=BEGAN + 32.5),)
    assert [each.phase for each in read.evidence.phases] == [Phase.WARMUP, Phase.LOAD]
    assert read.evidence.success_gaps == found.spans
    assert read.evidence.longest_request == LongestRequest(12.25, BEGAN + 33, answered=True)
    assert read.evidence.alert_spans is not None
    assert read.evidence.alert_spans[0].labels == {"route": "local"}
    assert read.evidence.generator == GeneratorLoad(0.25, None)


def test_what_is_not_known_stays_unknown() -> None:
    unknown = evidence(success_gaps=None, longest_request=None)
    known = parse_document(run_json(run_result(unknown))).evidence
    assert known.success_gaps is None
    assert known.longest_request is None
    assert known.alert_spans is None
    assert known.generator is None


def test_the_record_of_an_earlier_release_is_read() -> None:
    document = read_document(FIXTURES / "earlier" / "20261129-earlier" / "run.json")
    assert (document.evidence.responses, document.evidence.successes, document.evidence.failed) == (
        1066,
        1066,
        0,
    )
    assert document.evidence.phases == ()
    assert document.evidence.success_gaps is None
    assert document.verdict.outcome == Outcome.PASS
    assert [finding.check for finding in document.verdict.findings][:2] == ["answers", "disconnects"]


def test_of_very_many_spans_the_longest_are_kept_in_their_order() -> None:
    gaps = tuple(Span(BEGAN + 10 * i, BEGAN + 10 * i + 1 + i % 5) for i in range(5 * MAX_SPANS))
    kept = document_of(run_result(evidence(success_gaps=gaps))).evidence.success_gaps
    assert kept is not None
    assert {each.until - each.since for each in kept} == {5.0}
    assert len(kept) == MAX_SPANS
    assert list(kept) == sorted(kept, key=lambda each: each.since)


def changed(**changes: Any) -> bytes:
    document = json.loads(run_json(run_result()))
    for place, value in changes.items():
        *way, last = place.split("__")
        part = document
        for name in way:
            part = part[name]
        part[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "JSONDecodeError"),
        (b"\xff\xfe{", "UnicodeDecodeError"),
        (b"[" * 100_000, "RecursionError"),
        (b"[]", "should be keys with their values"),
        (b"{}", "run: Field required"),
        (changed(run__start_timestamp_seconds=1e300), "run.start_timestamp_seconds: "),
        (changed(evidence__measured_seconds="soon"), "evidence.measured_seconds: "),
        (changed(evidence__requests={"2xx": -1}), "evidence.requests.2xx: "),
        (changed(verdict__outcome="great"), "verdict.outcome: "),
    ],
)
def test_what_is_no_record_is_refused_by_file_and_key(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as error:
        read_document(file)
    assert str(error.value).startswith(f"{file}: not a run's record (")
    assert said in str(error.value)


def test_a_record_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    file.write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(ConfigurationError, match=r"cannot be read \(more than 1,048,576 bytes\)$"):
        read_document(file)


def test_a_record_that_is_not_there_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_document(tmp_path / "run.json")


def test_a_record_of_a_run_that_was_killed_says_so() -> None:
    whole = document_of(run_result())
    killed = RunDocument(
        run=whole.run, evidence=whole.evidence, verdict=whole.verdict, incomplete="the command was killed"
    )
    assert parse_document(document_text(killed)).incomplete == "the command was killed"
