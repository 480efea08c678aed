"""What share of the answers is an error?"""

from exporter.live.message import Route
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome


def judge_answers(evidence: Evidence, max_error_ratio: float) -> Finding:
    """At most `max_error_ratio` (0–1) of the whole responses are not 2xx, and at least one is."""
    responses, successes = evidence.responses, evidence.successes
    if responses == 0:
        if evidence.unanswered or evidence.refused or evidence.stalled:
            return Finding("answers", Outcome.FAIL, "the router gave no whole response")
        return Finding("answers", Outcome.INCONCLUSIVE, "no request was measured")
    if successes == 0:
        return Finding(
            "answers", Outcome.FAIL, f"none of {responses:,} responses was 2xx: {status_text(evidence)}"
        )
    ratio = (responses - successes) / responses
    outcome = Outcome.PASS if ratio <= max_error_ratio else Outcome.FAIL
    text = f"{successes:,} of {responses:,} responses were 2xx"
    if ratio > 0:
        text += f"; {ratio:.2%} were not ({status_text(evidence)}), allowed {max_error_ratio:.2%}"
    return Finding("answers", outcome, text)


def status_text(evidence: Evidence) -> str:
    """The statuses that were not 2xx with what they mean, as `401: 12 (no valid API key), 500: 3`."""
    bad = {status: count for status, count in evidence.statuses.items() if not status.startswith("2")}
    return ", ".join(
        f"{status}: {count:,}" + (f" ({meaning})" if (meaning := _meaning(status, evidence.route)) else "")
        for status, count in sorted(bad.items())
    )


def _meaning(status: str, route: Route) -> str:
    """What a router means by a status that a benchmark often meets, or an empty string."""
    if status == "401" and route != Route.LOCAL:
        return f"no valid API key: the router's own, or {route.value.upper()}_API_KEY in its environment"
    by = "" if route == Route.LOCAL else f" by {route.value}"
    return {
        "400": "the router does not take the request: an unknown prefix or model, or a bad body",
        "401": "no valid API key: give the router's by --api-key-env or --api-key-file",
        "403": f"forbidden{by}: the key may not use this model",
        "404": "no such endpoint or model",
        "429": "too many requests: a rate limit, the router's or the cloud's",
        "503": "no node is online, or all are busy",
    }.get(status, "")
