"""`run.json`: everything that is known of a run, for machines. run_document.py says what is in it."""

import json
from dataclasses import asdict

from exporter.live.message import RunInfo
from exporter.plain_text import plain_json
from exporter.results.document_parts import RunPart
from exporter.results.run_document import RunDocument, document_of, inputs_of
from exporter.results.run_result import Inputs, RunResult


def run_json(result: RunResult) -> str:
    """The file's text of a run that has ended."""
    return document_text(document_of(result))


def document_text(document: RunDocument) -> str:
    """The file's text. Durations are in seconds; null is what is not known."""
    return _text(asdict(document))


def begun_json(info: RunInfo, inputs: Inputs, soak_command: str) -> str:
    """What is known of a run as it begins, for one that is killed."""
    begun = {"run": asdict(RunPart.of(info)), "inputs": inputs_of(inputs), "soak_command": soak_command}
    return _text(begun)


def _text(document: object) -> str:
    return plain_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"
