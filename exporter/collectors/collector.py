"""What a collector is, and what collectors are built from."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from prometheus_client.core import Metric

from exporter.clock import Clock
from exporter.collectors.priority import RightOfWay
from exporter.live.ingest import Ingest
from exporter.live.runs import LiveRuns
from exporter.live.state_file import StateFile
from exporter.settings.exporter_config import ExporterConfig


class _Stated(Protocol):
    """What a collector and its class state.

    An isolated one asks the world: it has a deadline and series about it with its name as label, and it may
    raise any error or hang. The others are the exporter's own state: they answer at once and come first.
    """

    @property
    def name(self) -> str: ...

    @property
    def isolated(self) -> bool: ...


class Collector(_Stated, Protocol):
    """One source of state, asked at every scrape."""

    def collect(self) -> Iterable[Metric]:
        """The families as they are now, fresh ones; what cannot be read is left out, never zero."""
        ...


class CollectorClass(_Stated, Protocol):
    """A row of COLLECTORS."""

    @property
    def families(self) -> Collection[str]:
        """Every family that it may have, as TYPE names it; `*` stands for names that the kernel chooses."""
        ...

    def build(self, config: ExporterConfig, shared: "Shared") -> Collector | None:
        """None where the configuration does not ask for it; ConfigurationError where it cannot be built."""
        ...


@dataclass
class WatchedPids:
    """The process ids of every watched process with its descendants, as of the last scrape.

    One collector replaces `trees` and others, on threads of their own, read it.
    """

    trees: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """by the process's name in the configuration; a process that was not there is missing"""


@dataclass(frozen=True)
class LiveLoad:
    """The runs that an exporter takes, how they come in, and where their counts are kept."""

    runs: LiveRuns
    ingest: Ingest
    state_file: StateFile | None = None
    """None: nowhere, a restart begins at zero"""


@dataclass(frozen=True)
class Shared:
    """What collectors are built from besides the configuration."""

    clock: Clock
    right_of_way: RightOfWay = field(default_factory=RightOfWay)
    """entered while a scrape is under way: what collectors do in the background waits"""
    watched_pids: WatchedPids = field(default_factory=WatchedPids)
    load: LiveLoad | None = None
    """None: it takes no runs (an agent)"""
    results: Path | None = None
    """the folder of past results, None where none is shown"""
