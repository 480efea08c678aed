"""What the state file has (state_file.py), as of one moment, and its text, which is made piece by piece.

Under the lock no more is taken than references: pages are numbers, which nobody changes. The text of 64
models and their runs may be 25 MB; no more of it than a few pages is in memory.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from exporter.live.findings import RunFindings
from exporter.live.histogram import Histogram
from exporter.live.message import Pair, Phase, RunInfo
from exporter.live.run import Run
from exporter.live.runs import LiveRuns
from exporter.live.success_gaps import GapsState
from exporter.live.totals import Totals

VERSION = 4


@dataclass(frozen=True)
class _UnderWay:
    """A run that goes on."""

    info: RunInfo
    digest: bytes
    phase: Phase
    totals: Sequence[Totals]
    gaps: GapsState


@dataclass(frozen=True)
class Snapshot:
    """All that is published of models and runs."""

    ended: Sequence[str]
    models: Sequence[tuple[Pair, Totals]]
    runs: Sequence[_UnderWay]
    findings: RunFindings | None

    @classmethod
    def of(cls, runs: LiveRuns) -> "Snapshot":
        """As of now."""
        with runs.lock:
            return cls(
                tuple(runs.ended),
                tuple((pair, totals.copy()) for pair, totals in runs.models.items()),
                tuple(_under_way(run) for run in runs.runs.values() if run.phase != Phase.FINISHED),
                runs.shown_findings(),
            )

    def text(self) -> Iterator[str]:
        """The text of the file, in pieces."""
        begin = {
            "version": VERSION,
            "models": len(self.models),
            "runs": len(self.runs),
            "ended": self.ended,
            "findings": None if self.findings is None else asdict(self.findings),
        }
        yield _json(begin) + "\n"
        for pair, totals in self.models:
            yield _json({**asdict(pair), "totals": _document(totals)}) + "\n"
        for run in self.runs:
            head = {
                "info": asdict(run.info),
                "token_digest": run.digest.hex(),
                "phase": run.phase.value,
                "gaps": asdict(run.gaps),
                "totals": [],
            }
            yield _json(head).removesuffix("]}")
            for number, totals in enumerate(run.totals):
                yield ("," if number else "") + _json(_document(totals))
            yield "]}\n"


def _json(document: object) -> str:
    return json.dumps(document, separators=(",", ":"))


def _document(totals: Totals) -> dict[str, object]:
    return {
        "pages": totals.packed(),
        "sums_us": {each.name.lower(): totals.sums_us(each) for each in Histogram},
        "failures": totals.failures(),
        "counters": totals.counters(),
    }


def _under_way(run: Run) -> _UnderWay:
    totals = [pair.published.copy() for pair in run.pairs]
    return _UnderWay(run.info, run.digest, run.phase, totals, run.pace.gaps.state)
