"""Short runs of real processes, on CPUs that load, router and exporter share."""

import signal

from tests.judgebench.case import Case
from tests.judgebench.load_cases import (
    FAIL,
    INCONCLUSIVE,
    NOT_JUDGED,
    PASS,
    SERVICE,
    WARNING,
    clean,
    fails,
)
from tests.judgebench.real import (
    BUSY,
    Act,
    Play,
    Stage,
    lasting,
    real,
    watch_another,
    watch_no_process,
)
from tests.judgebench.right import Cause, Right
from tests.judgebench.watch_cases import missing

MIB = 2**20
UNWATCHED = "no process of the router is watched"
LEAKS = tuple(Cause(check, NOT_JUDGED) for check in ("memory", "file_descriptors", "threads", "connections"))
SLOWER = ("throughput", "latency")
TOO_SHORT = ("leaks, written_files not judged",)


def fault(name: str, **parameters: object) -> Act:
    """A fault of the router begins."""
    return lambda stage: stage.fault(name, **parameters)


def signalled(number: int) -> Act:
    """The run gets a signal."""
    return lambda stage: stage.signal_run(number)


def _pauses(seconds: int, every: int) -> tuple[tuple[float, Act], ...]:
    """The router stands still for 0.3 s, so often."""
    at = range(every, seconds - 1, every)
    return tuple(act for begin in at for act in ((begin, Stage.freeze), (begin + 0.3, Stage.thaw)))


def _another(stage: Stage) -> None:
    stage.start_another("--duration", "20s", "--connections", "4")


CASES: tuple[Case, ...] = (
    real(
        "real-clean-60s",
        "60 s",
        "nothing happens",
        Right(PASS, (*(Cause(check, PASS) for check in SERVICE), *LEAKS), words=TOO_SHORT),
        Play(lasting("60s")),
    ),
    real(
        "real-clean-busy",
        "40 s",
        "20 connections: load and router share all CPUs",
        Right(
            PASS,
            (*(Cause(check, PASS) for check in ("answers", "disconnects", "stalls", "router", "nodes")),),
            beside=(),
        ),
        Play(lasting("40s", connections=20)),
    ),
    real(
        "real-gc-pauses",
        "60 s",
        "the router stands still for 300 ms, every 7 s",
        clean(*SERVICE),
        Play(lasting("60s"), _pauses(60, 7)),
    ),
    real(
        "real-slow-answers",
        "60 s",
        "answers of 10 s, 2 connections",
        clean("answers", "disconnects", "stalls", "router", "nodes", but=(Cause("latency", NOT_JUDGED),)),
        Play(lasting("60s", connections=2), simulator=("--latency-median", "10", "--latency-p99", "11")),
    ),
    real(
        "real-few-errors",
        "40 s",
        "0.3 % of the answers are 502",
        clean("answers", "disconnects", "router"),
        Play(lasting("40s"), ((1, fault("error", status=502, ratio=0.003)),)),
    ),
    real(
        "real-cloud-429",
        "40 s",
        "a cloud answers 20 % with 429, allowed by --allow-status",
        clean("answers", "disconnects", but=(Cause("answers", PASS, ("429",)),)),
        Play(
            lasting("40s", "--scenario", "openai", "--allow-status", "429"),
            ((1, fault("error", status=429, ratio=0.2)),),
            simulator=("--cloud-keys",),
        ),
    ),
    real(
        "real-cloud-429-not-allowed",
        "30 s",
        "the same, not allowed",
        fails(Cause("answers", FAIL, ("429", "too many requests"))),
        Play(
            lasting("30s", "--scenario", "openai"),
            ((1, fault("error", status=429, ratio=0.2)),),
            simulator=("--cloud-keys",),
        ),
    ),
    real(
        "real-slower-3x",
        "90 s",
        "three times slower from the middle on",
        fails(Cause("latency", FAIL, when=(45, 90)), Cause("throughput", FAIL, when=(45, 90))),
        Play(lasting("90s"), ((45, fault("slow", factor=3)),)),
    ),
    real(
        "real-frozen-15s",
        "60 s",
        "the router stands still for 15 s and goes on",
        fails(Cause("stalls", FAIL, when=(25, 40), within=4), beside=("router", "throughput", "latency")),
        Play(lasting("60s"), ((25, Stage.freeze), (40, Stage.thaw))),
    ),
    real(
        "real-hang",
        "60 s",
        "no request is answered for 15 s, then all are dropped",
        fails(
            Cause("stalls", FAIL, when=(25, 40), within=4),
            Cause("disconnects", FAIL),
            beside=("throughput", "latency"),
        ),
        Play(lasting("60s"), ((25, fault("hang")), (40, Stage.heal))),
    ),
    real(
        "real-burst",
        "60 s",
        "half of the answers are 500 for 8 s",
        fails(Cause("answers", FAIL, ("500",), (25, 33), 4), beside=("throughput", "latency")),
        Play(lasting("60s"), ((25, fault("error", status=500, ratio=0.5)), (33, Stage.heal))),
    ),
    real(
        "real-node-away",
        "70 s",
        "a node is offline for 30 s",
        fails(Cause("nodes", FAIL, ("node-2",), (20, 50))),
        Play(lasting("70s"), ((20, fault("node_offline", node="node-2")), (50, Stage.heal))),
    ),
    real(
        "real-node-away-and-burst",
        "60 s",
        "a node is offline for 30 s, and for 8 s of these half of the answers are 502",
        fails(
            Cause("nodes", FAIL, ("node-2",), (15, 45)),
            Cause("answers", FAIL, ("502", "node node-2 was offline"), (20, 28), 4),
            beside=SLOWER,
        ),
        Play(
            lasting("60s"),
            (
                (15, fault("node_offline", node="node-2")),
                (20, fault("error", status=502, ratio=0.5)),
                (28, lambda stage: stage.heal("error")),
                (45, Stage.heal),
            ),
        ),
    ),
    real(
        "real-node-flaps",
        "40 s",
        "a node is offline for 7 s",
        Right(PASS, (Cause("nodes", WARNING, ("node-1",)),)),
        Play(lasting("40s"), ((15, fault("node_offline", node="node-1")), (22, Stage.heal))),
    ),
    real(
        "real-restart",
        "40 s",
        "the router's process is replaced; nothing listens for two seconds",
        fails(
            Cause("router", FAIL, ("restarted",)),
            Cause("disconnects", FAIL),
            beside=("throughput", "latency", "answers"),
        ),
        Play(lasting("40s"), ((15, fault("restart", downtime_seconds=2.0)),)),
    ),
    real(
        "real-worker-killed",
        "40 s",
        "the router's process dies and another one takes its place",
        fails(
            Cause("router", FAIL, ("restarted",)),
            Cause("disconnects", FAIL),
            beside=("throughput", "latency", "answers"),
        ),
        Play(lasting("40s"), ((15, Stage.kill_worker),)),
    ),
    real(
        "real-router-down",
        "60 s",
        "the router is killed and is back after 15 s",
        fails(
            Cause("router", FAIL, ("down",)),
            Cause("disconnects", FAIL),
            Cause("stalls", FAIL),
            beside=("throughput", "latency", "answers", "nodes"),
        ),
        Play(lasting("60s"), ((20, Stage.kill_router), (35, Stage.start_router))),
    ),
    real(
        "real-drops",
        "30 s",
        "one request in a hundred is cut off",
        fails(Cause("disconnects", FAIL, ("no whole answer",))),
        Play(lasting("30s"), ((1, fault("drop_connections", ratio=0.01)),)),
    ),
    real(
        "real-truncates",
        "30 s",
        "one answer in a hundred stops half way",
        fails(Cause("disconnects", FAIL, ("no whole answer",))),
        Play(lasting("30s"), ((1, fault("truncate", ratio=0.01)),)),
    ),
    real(
        "real-leak-short",
        "30 s",
        "memory leaks, and 30 s are too short to say so",
        Right(PASS, (Cause("answers", PASS), *LEAKS), words=TOO_SHORT),
        Play(lasting("30s"), ((1, fault("leak_memory", bytes_per_second=MIB)),)),
    ),
    real(
        "real-leak-required",
        "30 s",
        "the same with --require memory",
        Right(INCONCLUSIVE, (Cause("memory", INCONCLUSIVE, ("required",)),)),
        Play(lasting("30s", "--require", "memory"), ((1, fault("leak_memory", bytes_per_second=MIB)),)),
    ),
    real(
        "real-exporter-killed",
        "60 s",
        "the exporter is killed at second 25 and does not come back",
        missing(beside=("completeness", "totals", "latency", "throughput", "router", "stalls", "nodes")),
        Play(lasting("60s"), ((25, Stage.kill_exporter),)),
    ),
    real(
        "real-exporter-restarted",
        "60 s",
        "the exporter is killed and is back at once: nothing is lost",
        clean("answers", "disconnects", "router", "completeness", "totals"),
        Play(lasting("60s"), ((25, Stage.kill_exporter), (25.1, Stage.start_exporter))),
    ),
    real(
        "real-no-process",
        "30 s",
        "no process of the router is watched",
        Right(
            PASS,
            (Cause("router", PASS, ("not on this host",)),),
            words=(UNWATCHED,),
        ),
        Play(lasting("30s"), watches=watch_no_process),
    ),
    real(
        "real-another-router",
        "–",
        "the exporter watches another router",
        Right(None, code=2, words=("watches",)),
        Play(lasting("30s"), watches=watch_another),
    ),
    real(
        "real-engine-killed",
        "40 s",
        "wrk dies at second 20",
        missing(Cause("completeness", INCONCLUSIVE, ("wrk",)), beside=("totals",)),
        Play(lasting("40s"), ((20, Stage.kill_engine),)),
    ),
    real(
        "real-interrupted",
        "60 s",
        "Ctrl-C at second 20",
        missing(Cause("completeness", INCONCLUSIVE, ("stopped by the user",))),
        Play(lasting("60s"), ((20, signalled(signal.SIGINT)),)),
    ),
    real(
        "real-interrupted-failing",
        "60 s",
        "Ctrl-C at second 20, and all answers were 500: it fails",
        fails(Cause("answers", FAIL, ("500",)), beside=("completeness", "stalls", "throughput", "latency")),
        Play(lasting("60s"), ((3, fault("error", status=500)), (20, signalled(signal.SIGINT)))),
    ),
    real(
        "real-generator-limit",
        "30 s",
        "a script of the user's own keeps 16 threads of wrk on the CPUs",
        Right(INCONCLUSIVE, (Cause("generator", INCONCLUSIVE),), ("latency", "throughput")),
        Play(lasting("30s", "--script", str(BUSY), connections=16)),
    ),
    real(
        "real-other-run",
        "60 s",
        "another run asks the same from second 25 on",
        clean("answers", "disconnects", "router"),
        Play(lasting("60s"), ((25, _another),)),
    ),
    real(
        "real-killed",
        "60 s",
        "SIGKILL of `soak run` at second 35; `soak report` of what is there",
        Right(
            INCONCLUSIVE,
            (Cause("answers", PASS), Cause("completeness", INCONCLUSIVE)),
            ("totals",),
            code=0,
            words=("inconclusive",),
        ),
        Play(lasting("60s"), ((35, signalled(signal.SIGKILL)),), killed=True),
    ),
)
