"""A labelled run."""

from collections.abc import Callable
from dataclasses import dataclass

from exporter.verdict.evidence import Evidence
from exporter.verdict.judgement import judge
from tests.judgebench.right import Found, Right, Said


@dataclass(frozen=True)
class Case:
    """One run: what happens in it, and what is right of it."""

    name: str
    what: str
    right: Right
    say: Callable[[], Said]
    """plays it"""
    length: str
    """of its load, in words"""
    real: bool = False


def simulated(name: str, length: str, what: str, right: Right, play: Callable[[], Evidence]) -> Case:
    """A run in simulated time."""
    return Case(name, what, right, lambda: said_of(play()), length)


def said_of(evidence: Evidence) -> Said:
    """What the verdict says of an evidence."""
    judgement = judge(evidence, {}, ())
    begin = evidence.begin
    return Said(
        judgement.exit_code,
        tuple(
            Found(
                each.check,
                each.outcome,
                each.text,
                tuple((span.since - begin, span.until - begin) for span in each.spans),
            )
            for each in judgement.findings
        ),
    )
