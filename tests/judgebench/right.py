"""What is right of a run, what was said, and whether that is the same."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from exporter.verdict.finding import Outcome

CODES = {Outcome.PASS: 0, Outcome.FAIL: 1, Outcome.INCONCLUSIVE: 3}
TIME_SECONDS = 15.0
"""how far a finding's time may be from the fault's: a window or three scrapes"""
DOUBTED = ("generator", "latency", "throughput")
"""what is inconclusive where the load generator is short of CPU"""
QUIET = (Outcome.PASS, Outcome.NOT_JUDGED)


@dataclass(frozen=True)
class Cause:
    """What a check has to say."""

    check: str
    outcome: Outcome
    words: tuple[str, ...] = ()
    """each of them is in its sentence"""
    when: tuple[float, float] | None = None
    """s since the load began: its times begin and end there"""
    within: float = TIME_SECONDS


@dataclass(frozen=True)
class Right:
    """How a run has to end."""

    outcome: Outcome | None
    """None: it is refused before the load"""
    causes: tuple[Cause, ...] = ()
    beside: tuple[str, ...] = ()
    """checks that may say something too: what they see follows from the fault"""
    code: int | None = None
    """where it is not the outcome's"""
    words: tuple[str, ...] = ()
    """what stands in the terminal, of a real run"""

    @property
    def exit_code(self) -> int:
        """What the command has to end with."""
        if self.code is not None:
            return self.code
        assert self.outcome is not None
        return CODES[self.outcome]


@dataclass(frozen=True)
class Found:
    """One finding as a run's record has it."""

    check: str
    outcome: Outcome
    text: str
    spans: tuple[tuple[float, float], ...]
    """s since the load began"""

    @property
    def shown(self) -> str:
        """Check, outcome and sentence on one line."""
        return f"{self.check}: {self.outcome}: {self.text}"


@dataclass(frozen=True)
class Said:
    """What was said of a run."""

    code: int
    findings: tuple[Found, ...] = ()
    terminal: str = ""
    disagreements: tuple[str, ...] = ()
    """what one file says and another does not"""

    @property
    def loud(self) -> list[Found]:
        """What is neither passed nor not judged."""
        return [each for each in self.findings if each.outcome not in QUIET]


def short_of_cpu(right: Right, said: Said) -> bool:
    """Whether this machine was too busy for what is said of latency, in a run that is not about that."""
    return "generator" not in {cause.check for cause in right.causes} and any(
        found.check == "generator" and found.outcome == Outcome.INCONCLUSIVE for found in said.findings
    )


def wrong(right: Right, said: Said) -> list[str]:
    """What is not as it should be, a line each; empty where all is right."""
    return list(_wrong(_on_busy_cpus(right) if short_of_cpu(right, said) else right, said))


def _on_busy_cpus(right: Right) -> Right:
    """What is right where the generator really is the limit: no pass, and what else failed still fails."""
    causes = tuple(cause for cause in right.causes if cause.check not in DOUBTED)
    failed = any(cause.outcome == Outcome.FAIL for cause in causes)
    outcome = Outcome.FAIL if failed else Outcome.INCONCLUSIVE
    return replace(right, outcome=outcome, causes=causes, beside=(*right.beside, *DOUBTED))


def _wrong(right: Right, said: Said) -> Iterator[str]:
    if said.code != right.exit_code:
        yield f"exit code {said.code}, not {right.exit_code}"
    for cause in right.causes:
        yield from _of_cause(cause, said.findings)
    expected = {cause.check for cause in right.causes} | set(right.beside)
    for found in said.loud:
        if found.check not in expected:
            yield f"not asked for: {found.shown}"
    for words in right.words:
        if words not in said.terminal:
            yield f"the terminal does not say {words!r}"
    yield from said.disagreements


def _of_cause(cause: Cause, findings: Sequence[Found]) -> Iterator[str]:
    found = next((each for each in findings if each.check == cause.check), None)
    if found is None:
        yield f"{cause.check}: no such finding"
        return
    if found.outcome != cause.outcome:
        yield f"{cause.check} is {found.outcome}, not {cause.outcome}: {found.text}"
    missing = [words for words in cause.words if words not in found.text]
    if missing:
        yield f"{cause.check} does not say {missing}: {found.text}"
    if cause.when is None:
        return
    if not found.spans:
        yield f"{cause.check} has no times: {found.text}"
        return
    since, until = min(span[0] for span in found.spans), max(span[1] for span in found.spans)
    if abs(since - cause.when[0]) > cause.within or abs(until - cause.when[1]) > cause.within:
        asked = f"{cause.when[0]:.0f}–{cause.when[1]:.0f} s"
        yield f"{cause.check} says {since:.0f}–{until:.0f} s, not {asked}: {found.text}"
