"""All findings of a run, and their overall outcome."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding, Outcome, overall
from exporter.verdict.objectives import OBJECTIVES
from exporter.verdict.own_objective import OwnObjective

EXIT_CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}


@dataclass(frozen=True)
class Judgement:
    """The outcome of a run and the findings behind it; `not_judged` while nothing is known of one."""

    outcome: Outcome
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 pass, 1 fail, 3 inconclusive."""
        return EXIT_CODES[self.outcome]


def judge(
    evidence: Evidence,
    bounds: Mapping[str, float],
    warn: Collection[str],
    own: Sequence[OwnObjective] = (),
) -> Judgement:
    """Every check of OBJECTIVES; `bounds` by check replace the defaults, `warn` are lowered to a warning.

    Then the user's `own`.

    A lowered check that fails is a warning and does not fail the run. One that is inconclusive stays so:
    `--warn` accepts what the check finds, and where evidence is missing it finds nothing. A run that could
    not be judged must not pass by it. Of a run that goes on nothing is missing only since it is young: what
    cannot be known yet is not judged, and so is the run where that is all.
    """
    findings = (
        *(_lowered(objective.finding(evidence, bounds), warn) for objective in OBJECTIVES),
        *(objective.finding(evidence) for objective in own),
    )
    outcome = overall(finding.outcome for finding in findings)
    if evidence.so_far and all(finding.outcome == Outcome.NOT_JUDGED for finding in findings):
        outcome = Outcome.NOT_JUDGED
    return Judgement(outcome, findings)


def with_finding(judgement: Judgement, finding: Finding) -> Judgement:
    """The judgement with one more finding, and the outcome of all."""
    findings = (*judgement.findings, finding)
    return replace(judgement, outcome=overall(each.outcome for each in findings), findings=findings)


def _lowered(finding: Finding, warn: Collection[str]) -> Finding:
    if finding.outcome == Outcome.FAIL and finding.check in warn:
        return replace(finding, outcome=Outcome.WARNING)
    return finding
