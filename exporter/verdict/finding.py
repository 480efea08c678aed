"""What a check of a run finds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.live.findings import Outcome as Outcome  # noqa: PLC0414  (every check has one)


@dataclass(frozen=True)
class Said:
    """One statement in both languages: English for terminal and run.json, Japanese for the record.

    It takes both at once, so that neither can be forgotten; tests/contract/test_japanese.py reads every one.
    """

    english: str
    japanese: str

    def __add__(self, other: "Said") -> "Said":
        return Said(self.english + other.english, self.japanese + other.japanese)


def verbatim(text: str) -> Said:
    """What is the same in both: a name, a figure, the words of another program."""
    return Said(text, text)


def in_both(pair: tuple[str, str]) -> Said:
    """What is said elsewhere, in English and Japanese."""
    return Said(*pair)


def joined(parts: Sequence[Said], separator: str = "; ") -> Said:
    """Several statements as one."""
    return Said(
        separator.join(part.english for part in parts), separator.join(part.japanese for part in parts)
    )


@dataclass(frozen=True)
class Span:
    """From when to when, in Unix s."""

    since: float
    until: float

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.until - self.since


@dataclass(frozen=True)
class Finding:
    """The outcome of one check and the sentence that says why."""

    check: str
    outcome: Outcome
    said: Said
    figure: float | None = None
    """what was measured, in `unit`; None where it is no one number"""
    bound: float | None = None
    """what it is held against, in `unit`"""
    unit: str = ""
    """of figure and bound: `seconds`, `ratio`, `requests_per_second`, `bytes_per_hour` …"""
    spans: tuple[Span, ...] = ()
    """when what it tells of happened; empty where it is about the whole run"""
    short: Said | None = None
    """why it is not judged in a few words, for the verdict's own sentence; None: `said` has few"""

    @property
    def text(self) -> str:
        """The sentence in English."""
        return self.said.english


def overall(outcomes: Iterable[Outcome]) -> Outcome:
    """Fail before inconclusive before pass: a failure stands even where other evidence is missing.

    A warning is a pass. Where nothing was judged the result is inconclusive.
    """
    found = set(outcomes)
    for outcome in (Outcome.FAIL, Outcome.INCONCLUSIVE):
        if outcome in found:
            return outcome
    return Outcome.PASS if found & {Outcome.PASS, Outcome.WARNING} else Outcome.INCONCLUSIVE
