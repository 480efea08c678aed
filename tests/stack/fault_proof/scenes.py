"""The table of scenes: what happens, which alerts with which labels that must raise, and how soon."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .gpu import Gpu
from .load import GIVEN_UP_SECONDS, STOPPED_SECONDS, Kind
from .stage import MODEL, Stage

Deed = Callable[[Stage], None]
MIB = 1 << 20


def nothing(_stage: Stage) -> None:
    """What is to be done where nothing is."""


class Fault(NamedTuple):
    """How it begins and how it ends."""

    begin: Deed
    end: Deed = nothing


@dataclass(frozen=True)
class Expected:
    """An alert with all of its labels; `{instance}` stands for the exporter's."""

    alert: str
    labels: Mapping[str, str]
    within: float
    """seconds from the fault to the webhook"""


@dataclass(frozen=True)
class Scene:
    """A fault and what has to come of it; every other alert is a failure."""

    name: str
    what: str
    fault: Fault
    expected: tuple[Expected, ...] = ()
    follows: frozenset[str] = field(default_factory=frozenset)
    """alerts that may come as well, because they are true"""
    lasts_seconds: float = 0.0
    """for how long it lasts at least; else until its alerts have come"""
    resolves_within: float = 240.0
    """seconds to the word that they have resolved, after its end"""
    lingers: bool = False
    """its alerts take long to resolve and no later scene keeps them back: the next one need not wait"""
    load: Kind = Kind.ANSWERS
    """what is asked meanwhile; of the scenes of a step the first decides"""

    @property
    def fails_run(self) -> bool:
        """Whether it fails the run under way, which has an alert of its own."""
        return any(FAILS_RUN.items() <= expected.labels.items() for expected in self.expected)


def simulated(name: str, query: str = "", **parameters: Any) -> Fault:
    """A fault of the simulated router; `query` is for the command that ends it."""
    return Fault(lambda stage: stage.begin(name, **parameters), lambda stage: stage.end(name, query))


ROUTER = {"job": "exporter", "instance": "{instance}"}
LOAD = {"route": "local", "model": MODEL}
PROCESS = {**ROUTER, "process": "router", "role": "router"}
GPU = {**ROUTER, "gpu": "0", "uuid": Gpu.uuid}
CRITICAL, WARNING = {"severity": "critical"}, {"severity": "warning"}
FAILS_RUN = {"fails_run": "true"}
DISCONNECTS = Expected("BenchmarkDisconnects", {**LOAD, **CRITICAL, **FAILS_RUN}, 20)

# What `within` is made of: a scrape (5 s) and an evaluation (5 s), what the alert waits for (`for`, in whole
# evaluations), and Alertmanager's group_wait (5 s).
CLEAN = Scene("clean", "two minutes of load, and nothing else", Fault(nothing), lasts_seconds=120)
NODE_OFFLINE = Scene(
    "node-offline",
    "one of two nodes goes offline",
    simulated("node_offline", node="node-1"),
    (Expected("NodeOffline", {**ROUTER, "node": "node-1", **CRITICAL, **FAILS_RUN}, 20),),
)
DROP_CONNECTIONS = Scene(
    "drop-connections",
    "one connection in fifty is reset instead of an answer",
    simulated("drop_connections", ratio=0.02, mode="rst"),
    (DISCONNECTS,),
)
# After drop-connections: a new exporter has old counts of lost requests to begin with, which are no news.
EXPORTER_KILLED = Scene(
    "exporter-killed",
    "the exporter is killed under load, and started again",
    Fault(lambda stage: stage.stack.kill("exporter"), lambda stage: stage.start_exporter()),
    (Expected("ExporterDown", {**ROUTER, **CRITICAL}, 40),),
)
# After exporter-killed: the counts of a new exporter begin at zero, and the alert ends with the old ones.
GPU_XID = Scene(
    "gpu-xid",
    "the driver reports Xid 79: the GPU has fallen off the bus",
    Fault(lambda stage: stage.gpu.report_xid(79)),
    (Expected("GpuXidError", {**GPU, "xid": "79", **CRITICAL}, 20),),
    # An error is news for a quarter of an hour.
    resolves_within=1000,
    lingers=True,
)
ERRORS = Scene(
    "errors",
    "half of the answers are 500",
    simulated("error", status=500, ratio=0.5),
    (Expected("BenchmarkErrorRateHigh", {**LOAD, **WARNING, **FAILS_RUN}, 45),),
)
HANG = Scene(
    "hang",
    "no request is answered any more, and no connection ends",
    simulated("hang"),
    # 10 s of them are the bound, and two what a message may be late.
    (Expected("BenchmarkStalled", {**LOAD, **CRITICAL, **FAILS_RUN}, 45),),
    # What hangs is dropped at the end.
    follows=frozenset({"BenchmarkDisconnects"}),
)
# On a machine that it shares with everything else the load generator may be late at any time. A stream that
# breaks is a lost request, and an error as well.
LATE = frozenset({"LoadGeneratorLate"})
BROKEN = LATE | {"BenchmarkErrorRateHigh"}
# The first of the streams: of those from before most would have to leave the five minutes.
BUFFER = Scene(
    "buffer",
    "every stream is held back and sent at once",
    simulated("buffer"),
    (Expected("StreamsBuffered", {**LOAD, **WARNING}, 60),),
    LATE,
    # Until most of five minutes' streams are sound again.
    resolves_within=420,
    lingers=True,
    load=Kind.STREAMS,
)
CLEAN_STREAMS = Scene(
    "clean-streams",
    "two minutes of streams, and nothing else",
    Fault(nothing),
    follows=LATE,
    lasts_seconds=120,
    load=Kind.STREAMS,
)
TRUNCATE_CLEANLY = Scene(
    "truncate-cleanly",
    "half of the streams end in mid-sentence, with [DONE] and without a finish",
    simulated("truncate_cleanly", ratio=0.5),
    (Expected("StreamsTruncated", {**LOAD, **CRITICAL, **FAILS_RUN}, 20), DISCONNECTS),
    BROKEN,
    load=Kind.STREAMS,
)
STALL_STREAM = Scene(
    "stall-stream",
    "half of the streams fall silent, their connections open",
    simulated("stall_stream", ratio=0.5),
    (
        Expected("StreamStalled", {**LOAD, **CRITICAL, **FAILS_RUN}, 20 + GIVEN_UP_SECONDS),
        Expected("BenchmarkDisconnects", {**LOAD, **CRITICAL, **FAILS_RUN}, 20 + GIVEN_UP_SECONDS),
    ),
    # With every connection in a silent stream there is no success.
    BROKEN | {"BenchmarkStalled"},
    load=Kind.STREAMS,
)
IN_BAND = Scene(
    "in-band",
    "half of the streams end in an error event, with status 200",
    simulated("in_band", ratio=0.5),
    (Expected("BenchmarkErrorRateHigh", {**LOAD, **WARNING, **FAILS_RUN}, 45),),
    LATE,
    load=Kind.STREAMS,
)
GENERATOR_LATE = Scene(
    "generator-late",
    f"the load generator stands still half of the time, for {STOPPED_SECONDS:g} s each time",
    Fault(lambda stage: stage.halt_load(), lambda stage: stage.let_load_go_on()),
    (Expected("LoadGeneratorLate", {**LOAD, **WARNING, "of": "reads"}, 45),),
    load=Kind.STREAMS,
)
RESTART = Scene(
    "restart",
    "the router's process is replaced; for two seconds nothing listens",
    Fault(lambda stage: stage.begin("restart", downtime_seconds=2.0)),
    (Expected("RouterRestarted", {**PROCESS, **WARNING, **FAILS_RUN}, 25), DISCONNECTS),
    # A new process is news for five minutes.
    resolves_within=420,
    lingers=True,
)
ROUTER_KILLED = Scene(
    "router-killed",
    "the router is killed under load, and started again",
    Fault(lambda stage: stage.stack.kill("router"), lambda stage: stage.start_router()),
    (Expected("RouterDown", {**ROUTER, **CRITICAL, **FAILS_RUN}, 30), DISCONNECTS),
    # Requests were refused after they had been cut off, nobody had an answer, and the process is another one.
    follows=frozenset(
        {"BenchmarkDisconnects", "BenchmarkErrorRateHigh", "BenchmarkStalled", "RouterRestarted"}
    ),
    lingers=True,
)


def leak_scenes(scale: float) -> tuple[Scene, ...]:
    """The leaks; to their rules a minute is 60 × `scale` seconds, and they need 24 to 35 of them."""
    minute = 60 * scale
    return tuple(
        Scene(
            name,
            f"{what} a scaled minute",
            fault,
            (Expected(alert, {**labels, **WARNING, **FAILS_RUN}, 35 * minute + 15),),
            follows,
            # They outlast a leak by 15 minutes.
            resolves_within=20 * minute + 120,
            lingers=True,
        )
        for name, what, fault, alert, labels, follows in (
            (
                "leak-memory",
                "the router's memory grows by 4 MiB",
                simulated("leak_memory", "?release=1", bytes_per_second=round(4 * MIB / minute)),
                "ProcessMemoryLeak",
                {**PROCESS, "resource": "memory"},
                # It is the host's memory too.
                frozenset({"NodeMemoryLeak"}),
            ),
            (
                "leak-fds",
                "the router's file descriptors grow by 6",
                simulated("leak_fds", "?release=1", per_second=6 / minute),
                "ProcessFdLeak",
                {**PROCESS, "resource": "fds"},
                frozenset(),
            ),
            (
                "leak-gpu-memory",
                "what a process holds on the GPU grows by 200 MiB",
                Fault(lambda stage: stage.gpu.leak(200 * MIB / minute), lambda stage: stage.gpu.release()),
                "GpuMemoryLeak",
                {**GPU, "process": "inference", "resource": "gpu_memory"},
                frozenset(),
            ),
        )
    )


def long_form(scale: float) -> tuple[tuple[Scene, ...], ...]:
    """`make faults`: all scenes, one at a time."""
    shipped = (CLEAN, NODE_OFFLINE, DROP_CONNECTIONS, EXPORTER_KILLED, GPU_XID, ERRORS, HANG)
    streams = (BUFFER, CLEAN_STREAMS, TRUNCATE_CLEANLY, STALL_STREAM, IN_BAND, GENERATOR_LATE)
    return tuple((scene,) for scene in (*shipped, *streams, RESTART, ROUTER_KILLED, *leak_scenes(scale)))


def short_form(scale: float) -> tuple[tuple[Scene, ...], ...]:
    """`make test`: what can happen together does, and what needs minutes is left out."""
    return (ROUTER_KILLED,), (*leak_scenes(scale), NODE_OFFLINE)
