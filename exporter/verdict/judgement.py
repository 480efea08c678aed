"""All findings of a run, and their overall outcome."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.verdict.evidence import Evidence, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, joined, overall, verbatim
from exporter.verdict.generator import doubted
from exporter.verdict.lateness import late_doubted
from exporter.verdict.objectives import CHECK_OF_ALERT, LEAKS, OBJECTIVES, WARNING, Objective
from exporter.verdict.own_objective import OwnObjective
from exporter.verdict.scraped import is_scraped, seen
from exporter.verdict.statement import Kind

_NAMES = {
    Outcome.PASS: Said("pass", "合格"),
    Outcome.FAIL: Said("fail", "不合格"),
    Outcome.INCONCLUSIVE: Said("inconclusive", "判定不能"),
    Outcome.NOT_JUDGED: Said("not judged", "未判定"),
}
OF_ANOTHER = Said("the load is not this project's", "本ツールの負荷ではない")
ITS_OUTPUT = Said(": its own figures are in command-output.txt", "。その数値は command-output.txt にある")
_BY_CHOICE = ("alerts",)
"""not judged where the user gives no Prometheus, which is no gap in the run's own record"""
EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}


@dataclass(frozen=True)
class Judgement:
    """The outcome of a run and the findings behind it; `not_judged` while nothing is known of one."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def said(self) -> Said:
        """The outcome, which checks it is from, and what was not judged and why."""
        parts = [_NAMES[self.outcome]]
        if self.outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
            checks = [each.check for each in self.findings if each.outcome == self.outcome]
            parts[0] += verbatim(f": {', '.join(checks)}" if checks else "")
        if warned := [each.check for each in self.findings if each.outcome == Outcome.WARNING]:
            parts.append(Said("warning: ", "警告: ") + verbatim(", ".join(warned)))
        return joined([*parts, *self.unjudged])

    @property
    def unjudged(self) -> list[Said]:
        """A statement for each reason of `not_judged`."""
        return [
            verbatim(", ".join(checks)) + Said(" not judged: ", " 判定なし: ") + why
            for why, checks in self.not_judged
        ]

    @property
    def not_judged(self) -> list[tuple[Said, tuple[str, ...]]]:
        """Each reason for which something was not judged, and of which checks; all five leaks are `leaks`."""
        found: dict[Said, list[str]] = {}
        for each in self.findings:
            if each.outcome == Outcome.NOT_JUDGED and each.check not in _BY_CHOICE:
                found.setdefault(each.short or each.said, []).append(each.check)
        return [
            (why, _leaks_together(checks))
            for why, checks in sorted(found.items(), key=lambda each: each[1][0] not in LEAKS)
        ]

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive."""
        return EXIT_CODES[self.outcome]


def _leaks_together(checks: Sequence[str]) -> tuple[str, ...]:
    if not set(LEAKS) <= set(checks):
        return tuple(checks)
    return ("leaks", *(check for check in checks if check not in LEAKS))


def judge(
    evidence: Evidence,
    bounds: Mapping[str, float],
    warn: Collection[str],
    own: Sequence[OwnObjective] = (),
    require: Collection[str] = (),
) -> Judgement:
    """Every check of OBJECTIVES; `bounds` by check replace the defaults, `warn` are lowered to a warning.

    Then the user's `own`.

    A lowered check that fails is a warning and does not fail the run, and so is one that `warns` and is not
    in `require`. One that is inconclusive stays so: `--warn` accepts what the check finds, and where evidence
    is missing it finds nothing. A run that could not be judged must not pass by it, and a check of `require`
    that is not judged is inconclusive. Of a
    run that goes on nothing is missing only since it is young: what cannot be known yet is not judged,
    and so is the run where that is all.
    """
    findings = (
        *_findings(evidence, bounds, {*warn, *(WARNING - set(require))}),
        *(_own(objective, evidence) for objective in own),
    )
    if not evidence.so_far:
        findings = tuple(_required(finding, require) for finding in findings)
    outcome = overall(finding.outcome for finding in findings)
    if evidence.so_far and all(finding.outcome == Outcome.NOT_JUDGED for finding in findings):
        outcome = Outcome.NOT_JUDGED
    return Judgement(outcome, findings)


def with_finding(judgement: Judgement, finding: Finding) -> Judgement:
    """The judgement with one more finding, and the outcome of all."""
    findings = (*judgement.findings, finding)
    return replace(judgement, outcome=overall(each.outcome for each in findings), findings=findings)


def _findings(evidence: Evidence, bounds: Mapping[str, float], warn: Collection[str]) -> list[Finding]:
    """One for each of OBJECTIVES, in their order; those that are of the findings come last."""
    found = {
        objective.check: _lowered(_of(objective, evidence, bounds), warn)
        for objective in OBJECTIVES
        if not objective.of_findings
    }
    alone = tuple(found.values())
    for objective in OBJECTIVES:
        if objective.of_findings:
            finding = objective.judge(evidence, alone, CHECK_OF_ALERT)
            found[objective.check] = _lowered(
                seen(evidence, finding) if is_scraped(evidence) else finding, warn
            )
    return [found[objective.check] for objective in OBJECTIVES]


def _of(objective: Objective, evidence: Evidence, bounds: Mapping[str, float]) -> Finding:
    if objective.of_counts and evidence.load_known == LoadKnown.NOTHING:
        # What the command of a watch that was killed had printed is lost.
        is_kept = evidence.has_command and (evidence.so_far or evidence.command is not None)
        why = OF_ANOTHER + ITS_OUTPUT if is_kept else OF_ANOTHER
        return Finding(objective.check, Outcome.NOT_JUDGED, why, short=OF_ANOTHER)
    found = objective.finding(evidence, bounds)
    if objective.of_durations:
        found = late_doubted(evidence, found)
    found = doubted(evidence, found) if objective.of_latency else found
    return seen(evidence, found) if is_scraped(evidence) else found


def _own(objective: OwnObjective, evidence: Evidence) -> Finding:
    found = objective.finding(evidence)
    if is_scraped(evidence):
        found = seen(evidence, found)
    if objective.statement.measure.kind != Kind.SECONDS:
        return found
    return doubted(evidence, late_doubted(evidence, found, found.figure))


def _required(finding: Finding, require: Collection[str]) -> Finding:
    if finding.outcome != Outcome.NOT_JUDGED or finding.check not in require:
        return finding
    said = Said("required, and not judged: ", "必須だが判定なし: ") + finding.said
    return replace(finding, outcome=Outcome.INCONCLUSIVE, said=said)


def _lowered(finding: Finding, warn: Collection[str]) -> Finding:
    if finding.outcome == Outcome.FAIL and finding.check in warn:
        return replace(finding, outcome=Outcome.WARNING)
    return finding
