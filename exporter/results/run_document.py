"""What `run.json` holds, as values: made of a run that has ended, or read from a folder.

Durations are in seconds, times are Unix time; None is what is not known. What an earlier release did not
write has a default. docs/schemas/run.schema.json is rendered from these classes (scripts/render_docs.py).
"""

import json
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from exporter.errors import ConfigurationError
from exporter.live.results_csv import ResultRow
from exporter.regular_file import read_regular
from exporter.results.document_parts import DOCUMENTED, FindingPart, NotJudgedPart, RunPart, VerdictPart
from exporter.results.evidence_part import EvidencePart
from exporter.results.run_result import Inputs, Preflight, RunResult
from exporter.settings.placeholders import shown_command
from exporter.settings.strict_yaml import first_problem
from exporter.verdict.objectives import BOUNDED

MAX_BYTES = 1 << 20
"""of a run.json that is read"""


@dataclass(frozen=True, kw_only=True)
class RunDocument:
    """Everything that is known of a run, for machines: run.json."""

    __pydantic_config__ = DOCUMENTED

    run: RunPart
    inputs: dict[str, Any] = field(default_factory=dict)
    """the options of the run, without secrets"""
    soak_command: str = ""
    """what the user typed, as it can be typed again; without secrets"""
    command: tuple[str, ...] = ()
    """what was started against the router, without secrets"""
    preflight: Preflight | None = None
    """the request before the load, which is not counted; null: the target was not asked"""
    versions: dict[str, str] = field(default_factory=dict)
    evidence: EvidencePart
    verdict: VerdictPart
    incomplete: str | None = None
    """why this is not all that the run would have left; null: it came to its end"""

    @property
    def load_text(self) -> str:
        """`20 connections`, or of an open load how much it sends; of a watch, what sends it."""
        if self.run.connections is None:
            return "the load of a command" if self.command else "no load of ours"
        return load_text(self.inputs.get("rate"), self.run.connections)

    @property
    def title(self) -> str:
        """What was asked of which router, and by what: the head of a page or a picture."""
        run = self.run
        parts = ((run.model and f"{run.model} at {run.target}") or run.target, self.load_text, run.engine)
        return ", ".join(filter(None, parts))


def document_of(result: RunResult) -> RunDocument:
    """What run.json says of a run that has ended."""
    return RunDocument(
        run=RunPart.of(result.info),
        inputs=inputs_of(result.inputs),
        soak_command=result.soak_command,
        command=tuple(each.plain for each in shown_command(result.command)),
        preflight=result.preflight,
        versions=result.versions,
        evidence=EvidencePart.of(result),
        verdict=VerdictPart(
            outcome=result.judgement.outcome,
            sentence=result.judgement.said.english,
            not_judged=tuple(
                NotJudgedPart(checks=checks, reason=why.english)
                for why, checks in result.judgement.not_judged
            ),
            findings=tuple(map(FindingPart.of, result.judgement.findings)),
        ),
        incomplete=result.incomplete,
    )


def load_text(rate: float | None, connections: int) -> str:
    """How a run's requests are sent; `rate` (requests/s) is that of an open load."""
    if not isinstance(rate, int | float):
        return f"{connections} connections"
    return f"{rate:g} requests/s, {connections} in flight at most"


def inputs_of(inputs: Inputs) -> dict[str, Any]:
    """Bounds stand under their options' names."""
    document = asdict(inputs)
    bounds = document.pop("bounds")
    return document | {BOUNDED[check].parameter: bound for check, bound in bounds.items()}


def row_of(document: RunDocument) -> ResultRow:
    """The run's row of the results CSV.

    `rps` and the latencies are of 2xx alone; `requests` are all whole responses; `socket_errors` all requests
    that got none. A run whose requests nobody here counted (`has_load`) has no row.
    """
    evidence = document.evidence
    milliseconds = {
        f"p{percent}_ms": None if seconds is None else seconds * 1000
        for percent in (50, 75, 90, 95, 99)
        for seconds in [evidence.latency_seconds_2xx.get(str(percent / 100))]
    }
    return ResultRow(
        label=document.run.label,
        rps=evidence.success_requests_per_second,
        non2xx=evidence.responses - evidence.successes,
        socket_errors=evidence.failed,
        requests=evidence.responses,
        duration_s=evidence.measured_seconds,
        **milliseconds,
    )


def read_document(file: Path) -> RunDocument:
    """What a run.json says.

    Raises FileNotFoundError where there is none, ConfigurationError where it is no run's record.
    """
    try:
        data = read_regular(file, MAX_BYTES)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(f"{file}: cannot be read ({error.strerror})") from error
    try:
        return parse_document(data)
    except ValidationError as error:
        raise ConfigurationError(f"{file}: not a run's record ({first_problem(error)})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{file}: not a run's record ({type(error).__name__}: {error})") from error


def parse_document(text: bytes | str) -> RunDocument:
    """What the text of a run.json says; raises ValueError (pydantic's where it is JSON), RecursionError."""
    return _adapter().validate_python(json.loads(text))


@cache
def _adapter() -> TypeAdapter[RunDocument]:
    """Made when a run.json is read: it takes longer than all else that `soak run` loads."""
    return TypeAdapter(RunDocument)
