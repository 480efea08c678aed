"""`run.json`: everything that is known of a run, for machines."""

import json
from dataclasses import asdict

from exporter.live.message import RunInfo
from exporter.plain_text import plain_json
from exporter.results.run_result import RunInputs, RunResult
from exporter.settings.placeholders import shown_command
from exporter.verdict.objectives import BOUNDED


def run_json(result: RunResult) -> str:
    """The file's text. Durations are in seconds; null is what is not known."""
    evidence = result.evidence
    document = {
        **_begun(result.info, result.inputs, result.soak_command),
        "command": [each.plain for each in shown_command(result.command)],
        "preflight": asdict(result.preflight) if result.preflight else None,
        "versions": result.versions,
        "evidence": {
            "planned_seconds": evidence.planned_seconds,
            "measured_seconds": evidence.measured_seconds,
            "ended_early": evidence.ended_early.english if evidence.ended_early else None,
            "success_requests_per_second": result.requests_per_second,
            "requests": evidence.requests,
            "statuses": evidence.statuses,
            "failures": evidence.failures,
            "stalled_connections": evidence.stalled,
            "latency_seconds_2xx": result.quantiles,
            "counts_by_source": {
                source: asdict(count) if count else None for source, count in evidence.totals.items()
            },
            "watching": asdict(evidence.watching),
            "other_runs_of_this_model": evidence.others,
            "scrapes": evidence.scrapes,
            "failed_scrapes": evidence.failed_scrapes,
            "lost_samples": asdict(evidence.series.loss) if evidence.series.loss else None,
            "time_gaps": [asdict(each) for each in evidence.time_gaps],
            "engine": asdict(result.engine_totals) if result.engine_totals else None,
            "alerts": result.alerts,
        },
        "verdict": {
            "outcome": result.judgement.outcome,
            "findings": [
                {"check": each.check, "outcome": each.outcome, "text": each.text}
                for each in result.judgement.findings
            ],
        },
    }
    return _text(document)


def begun_json(info: RunInfo, inputs: RunInputs, soak_command: str) -> str:
    """What is known of a run as it begins, for one that is killed."""
    return _text(_begun(info, inputs, soak_command))


def _begun(info: RunInfo, inputs: RunInputs, soak_command: str) -> dict[str, object]:
    return {
        "run": {**asdict(info), "route": info.route, "model": info.model},
        "inputs": _inputs(inputs),
        "soak_command": soak_command,
    }


def _text(document: object) -> str:
    return plain_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _inputs(inputs: RunInputs) -> dict[str, object]:
    """Bounds stand under their options' names."""
    document = asdict(inputs)
    bounds = document.pop("bounds")
    return document | {BOUNDED[check].parameter: bound for check, bound in bounds.items()}
