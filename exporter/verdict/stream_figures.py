"""The figures of a run's streams, by name: what findings, objectives and reports say of them is the same."""

from exporter.verdict.evidence import Evidence


def stream_figure(name: str, quantile: float | None, evidence: Evidence) -> float | None:
    """A figure over the whole load, in base units; None where it is not known."""
    streams = evidence.streams
    if streams is None:
        return None
    match name:
        case "goodput":
            return good_ratio(evidence)
        case "tokens_per_second":
            return tokens_per_second(evidence)
    of = {
        "ttft": streams.first_token,
        "first_output": streams.first_output,
        "chunk_gap": streams.chunk_gap,
        "time_per_output_token": streams.time_per_token,
    }
    return of[name][str(quantile)]


def good_ratio(evidence: Evidence) -> float | None:
    """The share of streams within the user's objectives; one that did not end as it has to is not.

    None where no objectives were given, or no stream ended.
    """
    streams = evidence.streams
    if evidence.goodput is None or streams is None:
        return None
    return streams.good / streams.ended if streams.ended else None


def tokens_per_second(evidence: Evidence) -> float | None:
    """Output tokens of complete streams by the seconds of load; None where there was no load."""
    if evidence.streams is None or evidence.measured_seconds <= 0:
        return None
    return evidence.streams.output_tokens / evidence.measured_seconds
