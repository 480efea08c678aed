"""What a run shows while it lasts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from exporter.live.message import Phase
from exporter.live.status import RunStatus
from exporter.verdict.judgement import Judgement


@dataclass(frozen=True)
class Surroundings:
    """What is around the load, as last scraped; None is what is not known."""

    router_memory_bytes: float | None = None
    """RSS of all of the router's processes"""
    router_memory_at_start_bytes: float | None = None
    router_memory_bytes_per_hour: float | None = None
    """the trend of its level, from about twenty minutes on"""
    router_cpu_cores: float | None = None
    host_cpu_ratio: float | None = None
    nodes_online: int | None = None
    nodes_known: int | None = None
    router_down_seconds: float | None = None
    """for how long neither its probe nor the load has got an answer; None where it is up"""
    requests: float | None = None
    """that the router itself has counted since the begin; None where it counts none"""
    failures: float | None = None
    requests_per_second: float | None = None
    """of them, as last scraped"""
    alerts: tuple[str, ...] | None = None
    """names of those that fire; None where no Prometheus is asked, or gives no answer"""


@dataclass(frozen=True)
class Moment:
    """The state of a run at one moment."""

    phase: Phase
    elapsed_seconds: float
    planned_seconds: float
    """of this phase; 0: it ends when somebody ends it"""
    status: RunStatus | None
    """None: the exporter gives no answer"""
    router_memory_bytes: float | None
    """the router's RSS; None where it is not known"""
    around: Surroundings = Surroundings()
    goodput: str | None = None
    """what a stream has to keep to be good; None: nothing was asked"""
    sends: bool = True
    """whether the run has a load of its own; otherwise there is nothing in `status`"""


class RunView(Protocol):
    """Receives a run's progress."""

    def update(self, moment: Moment) -> None:
        """The state now; about once a second."""

    def judged(self, judgement: Judgement) -> None:
        """What the checks have found so far; every few seconds, before the next `update`."""

    def warn(self, text: str) -> None:
        """One line that stays."""

    def quote(self, text: str) -> None:
        """What the user's script printed at the end of the load; may be empty."""


class WatchView(RunView, Protocol):
    """Receives a watch's progress, and what the user's own load command prints."""

    def printed(self, lines: Sequence[str]) -> None:
        """The lines that it has printed since the last time."""
