"""What the alerts of a Prometheus say of a run, beside its own checks."""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum, auto
from types import MappingProxyType

from exporter.verdict.elapsed import times, together
from exporter.verdict.evidence import AlertSpan, Evidence, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim

EVALUATION_SECONDS = 5.0
APART_SECONDS = 60.0
"""an alert that fires again so soon is told as one time"""
MAX_NAMED = 8
"""alerts of a kind"""


class _Kind(Enum):
    """What an alert is to a run."""

    FAILS = auto()
    """it fails a run, and no check of the run's own says the same"""
    DIFFERS = auto()
    """the run's own check found nothing of it"""
    AGREES = auto()
    NOTED = auto()
    """it fails no run"""
    BEFORE = auto()
    """it fired when the run began"""
    ELSEWHERE = auto()
    """it is of another router, run or model"""


def judge_alerts(
    evidence: Evidence,
    findings: Sequence[Finding] = (),
    checks: Mapping[str, str] = MappingProxyType({}),
) -> Finding:
    """No alert fires for this run that fails one, unless a check of the run's own says the same.

    `checks` are those, by alert. Where there is one it decides: an alert that differs from it is a warning.
    What fires for another router, run or model is told apart, and so is what fired before the run and went
    on. What the load generator itself leaks fails no run.
    """
    if evidence.alerts is None:
        return _unknown(evidence)
    outcomes = {each.check: each.outcome for each in findings}
    found: dict[_Kind, list[AlertSpan]] = {kind: [] for kind in _Kind}
    for alert in evidence.alerts:
        found[_kind(evidence, alert, outcomes, checks)].append(alert)
    said = [
        *_named(evidence, found[_Kind.FAILS], Said(" fired", " が発生")),
        *(
            part
            for name, some in _by_name(found[_Kind.DIFFERS]).items()
            for part in _named(evidence, some, _though(checks[name], outcomes.get(checks[name])))
        ),
        *_named(
            evidence, found[_Kind.NOTED], Said(" fired, which fails no run", " が発生 (不合格にはしない)")
        ),
        *_named(evidence, found[_Kind.AGREES], Said(" fired as its check says", " が発生 (チェックと一致)")),
        *_names(found[_Kind.BEFORE], Said("fired before the run began: ", "実行前から発生: ")),
        *_names(
            found[_Kind.ELSEWHERE],
            Said("of another router, run or model: ", "他のルーター、実行、モデルのもの: "),
        ),
    ]
    outcome = Outcome.PASS
    if found[_Kind.FAILS]:
        outcome = Outcome.FAIL
    elif found[_Kind.DIFFERS]:
        outcome = Outcome.WARNING
    spans = together([*found[_Kind.FAILS], *found[_Kind.DIFFERS]], APART_SECONDS)
    return Finding(
        "alerts", outcome, joined(said or [Said("no alert fired", "アラートの発生なし")]), spans=spans
    )


def is_of_run(evidence: Evidence, alert: AlertSpan) -> bool:
    """Whether its job, instance, process or route is this run's; it has no label that is another's."""
    labels, pairs = alert.labels, evidence.pairs
    if "route" in labels:
        if evidence.load_known == LoadKnown.NOTHING:
            return False
        return not pairs or any(
            labels["route"] == pair.route and labels.get("model", pair.model) == pair.model for pair in pairs
        )
    if labels.get("instance", evidence.instance) not in (evidence.instances or {evidence.instance}):
        return False
    if "process" in labels and labels["process"] not in evidence.watching.processes:
        return False
    return evidence.watching.is_target or not {"process", "node", "role"} & labels.keys()


def _unknown(evidence: Evidence) -> Finding:
    if evidence.scraped is not None and not evidence.scraped.has_rules:
        none = Said(
            "this Prometheus evaluates none of the project's rules",
            "この Prometheus は本プロジェクトのルールを評価していない",
        )
        return Finding("alerts", Outcome.NOT_JUDGED, none)
    if "prometheus" in evidence.totals or evidence.scraped is not None:
        said = Said("Prometheus gave no answer", "Prometheus の応答なし")
        return Finding("alerts", Outcome.INCONCLUSIVE, said)
    said = Said("no Prometheus was asked", "Prometheus への問い合わせなし")
    return Finding("alerts", Outcome.NOT_JUDGED, said)


def _kind(
    evidence: Evidence, alert: AlertSpan, outcomes: Mapping[str, Outcome], checks: Mapping[str, str]
) -> _Kind:
    if not is_of_run(evidence, alert):
        return _Kind.ELSEWHERE
    if alert.since <= evidence.begin + EVALUATION_SECONDS:
        return _Kind.BEFORE
    if not alert.fails_run or alert.labels.get("role") == "load":
        return _Kind.NOTED
    if alert.name not in checks:
        return _Kind.FAILS
    agrees = outcomes.get(checks[alert.name]) in (Outcome.FAIL, Outcome.WARNING)
    return _Kind.AGREES if agrees else _Kind.DIFFERS


def _though(check: str, outcome: Outcome | None) -> Said:
    came = "" if outcome is None else f" ({outcome.value.replace('_', ' ')})"
    return Said(
        f" fired, of which the check {check} found nothing{came}",
        f" が発生、チェック {check} では未検出{came}",
    )


def _by_name(some: Iterable[AlertSpan]) -> dict[str, list[AlertSpan]]:
    found: dict[str, list[AlertSpan]] = {}
    for alert in some:
        found.setdefault(alert.name, []).append(alert)
    return found


def _named(evidence: Evidence, some: Sequence[AlertSpan], what: Said) -> list[Said]:
    """A statement for each of the first few names, with its times, and how many more there are."""
    names = _by_name(some)
    said = [
        verbatim(name) + what + verbatim(f", {times(evidence, together(spans, APART_SECONDS))}")
        for name, spans in list(names.items())[:MAX_NAMED]
    ]
    if (more := len(names) - MAX_NAMED) > 0:
        said.append(Said(f"{more} more", f"他 {more} 件"))
    return said


def _names(some: Sequence[AlertSpan], what: Said) -> list[Said]:
    names = sorted(_by_name(some))
    if not names:
        return []
    more = f", … ({len(names)})" if len(names) > MAX_NAMED else ""
    return [what + verbatim(", ".join(names[:MAX_NAMED]) + more)]
