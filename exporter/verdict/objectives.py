"""OBJECTIVES: everything that can fail a run, one row a check.

Made from this table: the fold of judgement.py, the options of `soak run`, and the list for users. The rules'
label `fails_run` is compared with it by tests/contract/test_objectives.py. A new check is its function and
its row.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from exporter.errors import ConfigurationError
from exporter.verdict.alerts import judge_alerts
from exporter.verdict.answers import judge_answers
from exporter.verdict.buffering import judge_buffering
from exporter.verdict.coverage import judge_completeness, judge_totals
from exporter.verdict.disconnects import judge_disconnects
from exporter.verdict.evidence import Evidence
from exporter.verdict.finding import Finding
from exporter.verdict.generator import judge_generator
from exporter.verdict.growth import MIN_SECONDS
from exporter.verdict.idle import judge_idle
from exporter.verdict.leaks import judge_leak
from exporter.verdict.nodes import judge_nodes
from exporter.verdict.router import judge_router
from exporter.verdict.stalls import judge_stalls
from exporter.verdict.steadiness import judge_latency, judge_throughput
from exporter.verdict.streams import judge_streams
from exporter.verdict.written_files import (
    MAX_PER_1000_REQUESTS,
    MAX_PER_HOUR,
    MIB,
    MIN_GROWN,
    judge_written_files,
)
from exporter.verdict.written_files import MIN_SECONDS as MIN_WRITTEN_SECONDS


@dataclass(frozen=True)
class Bound:
    """The number that a check compares with, and the option that sets it."""

    option: str
    default: float
    min: float
    max: float
    help: str

    @property
    def parameter(self) -> str:
        """The option's name in run.json and in Python."""
        return self.option.removeprefix("--").replace("-", "_")


@dataclass(frozen=True)
class Objective:
    """One check of a run."""

    check: str
    japanese: str
    """its name in the record"""
    judge: Callable[..., Finding]
    """of the evidence, and of the bound where there is one"""
    sentence: str
    """what the run has to do to pass, for users"""
    alerts: tuple[str, ...] = ()
    """the alerts that say the same while the run goes on; they fail it where the check does"""
    bound: Bound | None = None
    of_findings: bool = False
    """it is judged by the findings of all others, too"""
    of_latency: bool = False
    """it says nothing where the load generator was the limit"""
    of_durations: bool = False
    """it says nothing where the load generator itself was late"""
    of_counts: bool = False
    """it needs what the load's own engine counts: where somebody else sends the load it is not judged"""
    warns: bool = False
    """what it finds is a warning, and fails the run only where --require names it"""

    def finding(self, evidence: Evidence, bounds: Mapping[str, float]) -> Finding:
        """The finding of this check, with its bound of `bounds` (by check) or its default."""
        if self.bound is None:
            return self.judge(evidence)
        return self.judge(evidence, bounds.get(self.check, self.bound.default))


def _leak(check: str, japanese: str, alert: str, resource: str, more: str = "") -> Objective:
    sentence = (
        f"No growth without an end of {resource} in any watched router or node, along a line, in steps or in "
        f"bursts. Judged from {MIN_SECONDS / 60:.0f} minutes of load on.{more}"
    )
    return Objective(check, japanese, partial(judge_leak, check), sentence, alerts=(alert,))


_RETURNS = " They come back in a pause."
OBJECTIVES = (
    Objective(
        "answers",
        "応答",
        judge_answers,
        "At least one response is 2xx, and the share of those that are not is within the bound; an error "
        "inside a 2xx and a stream without a token are none. In no minute do more than 5 % fail and at "
        "least five; there are no ten seconds of nothing but failures.",
        alerts=("BenchmarkErrorRateHigh",),
        bound=Bound(
            "--max-error-ratio", 0.01, min=0, max=1, help="Share of non-2xx responses that still passes."
        ),
        of_counts=True,
    ),
    Objective(
        "disconnects",
        "切断",
        judge_disconnects,
        "Every request gets a whole answer: none is refused, cut off or stalled at the end of the load. A "
        "stream that is truncated, stalls or is cut off is none.",
        alerts=("BenchmarkDisconnects",),
    ),
    Objective(
        "stalls",
        "停止",
        judge_stalls,
        "No time without a success is 10 s and 20 times as long as they usually are, and no request takes "
        "10 s and 5 times as long as the others.",
        alerts=("BenchmarkStalled",),
        of_counts=True,
    ),
    Objective(
        "streams",
        "ストリーム",
        judge_streams,
        "Every stream ends as it has to: none is truncated, stalls, is cut off or takes too long. Where the "
        "scan of the events differs from a full parse the run is inconclusive. Of --engine stream.",
        alerts=("StreamsTruncated", "StreamStalled"),
        of_counts=True,
    ),
    Objective(
        "latency",
        "レイテンシ",
        judge_latency,
        "The latency stays within 1.5 times, or 25 ms, of the first minutes after the warm-up: over five "
        "minutes, or two windows of a tenth of a load under ten minutes.",
        alerts=("BenchmarkLatencyRegression",),
        of_latency=True,
        of_durations=True,
        of_counts=True,
    ),
    Objective(
        "throughput",
        "スループット",
        judge_throughput,
        "The 2xx a second stay at 70 % of those minutes, over the same windows.",
        alerts=("BenchmarkThroughputDrop",),
        of_latency=True,
        of_counts=True,
    ),
    Objective(
        "router",
        "ルーター",
        judge_router,
        "The router answers its probes or, in the same seconds, the load; its process is not replaced and "
        "none of its workers dies. One missed probe is no failure.",
        alerts=("RouterDown", "RouterRestarted"),
    ),
    Objective(
        "nodes",
        "ノード",
        judge_nodes,
        "No node is offline for 20 s or more and no node's process is replaced. Less, and workers of a "
        "node that die, are a warning.",
        alerts=("NodeOffline",),
    ),
    _leak("memory", "メモリ", "ProcessMemoryLeak", "memory (RssAnon and swap)"),
    _leak("file_descriptors", "ファイルディスクリプタ", "ProcessFdLeak", "open file descriptors", _RETURNS),
    _leak("threads", "スレッド", "ProcessThreadLeak", "threads", _RETURNS),
    _leak(
        "connections",
        "接続",
        "ConnectionLeak",
        "TCP connections (established, close_wait)",
        f"{_RETURNS} CLOSE_WAIT ends within a minute.",
    ),
    _leak("gpu_memory", "GPU メモリ", "GpuMemoryLeak", "GPU memory"),
    Objective(
        "written_files",
        "書き込みファイル",
        judge_written_files,
        "The files that a router or node has open for writing (its database, its logs) grow by less than "
        f"{MAX_PER_HOUR / MIB:.0f} MiB an hour, and less than {MAX_PER_1000_REQUESTS / MIB:.0f} MiB with "
        f"each 1,000 requests; less than {MIN_GROWN / MIB:.0f} MiB in the load is never too much. Judged "
        f"from {MIN_WRITTEN_SECONDS / 60:.0f} minutes of load on.",
        warns=True,
    ),
    Objective(
        "buffering",
        "バッファリング",
        judge_buffering,
        "The router passes streams on as they come: of those of 20 events and more no more than half have "
        "90 % of their time before the first token and five events a read. Of --engine stream.",
        alerts=("StreamsBuffered",),
        warns=True,
        of_counts=True,
    ),
    Objective(
        "idle",
        "アイドル",
        judge_idle,
        "The router keeps an idle connection for 60 s and cuts no silent stream of --hold-model. Of "
        "--engine stream.",
        warns=True,
        of_counts=True,
    ),
    Objective(
        "generator",
        "負荷ツール",
        judge_generator,
        "The load generator has the CPU that it needs in three quarters of the load: its threads wait for "
        "one in no more than 5 % of the time, and it uses less than 90 % of those that it may. Otherwise "
        "the run, and what is said of latency and throughput, is inconclusive. Of --engine stream, what it "
        "read or sent late (p99) is no more than 1 ms, or 5 % of the median time to the first token; "
        "otherwise the run, and what is said of latency, is inconclusive.",
        alerts=("LoadGeneratorLate",),
        of_counts=True,
    ),
    Objective(
        "alerts",
        "アラート",
        judge_alerts,
        "No alert of the Prometheus that is given fires for this run that fails one, unless its own check "
        "says the same. Where it does not, that is a warning.",
        of_findings=True,
    ),
    Objective(
        "completeness",
        "完全性",
        judge_completeness,
        "The load lasts as long as planned, an open one sends 99 % of what is due, and the scrapes cover it. "
        "Otherwise the run is inconclusive.",
    ),
    Objective(
        "totals",
        "集計",
        judge_totals,
        "The engine, the live messages, the exporter, its scrapes and Prometheus count the same requests. "
        "Otherwise the run is inconclusive.",
        of_counts=True,
    ),
)
JAPANESE = {objective.check: objective.japanese for objective in OBJECTIVES}
"""the name of each check in the record; the user's own are called _OWN_JAPANESE"""
_OWN_JAPANESE = "目標"
CHECK_OF_ALERT = {alert: objective.check for objective in OBJECTIVES for alert in objective.alerts}
"""the check that says the same as an alert"""
LEAKS = ("memory", "file_descriptors", "threads", "connections", "gpu_memory")
"""the checks that are called `leaks` together"""
WARNING = frozenset(objective.check for objective in OBJECTIVES if objective.warns)
"""the checks whose findings are warnings, unless --require names them"""
CHECKS = tuple(objective.check for objective in OBJECTIVES)
BOUNDED = {objective.check: objective.bound for objective in OBJECTIVES if objective.bound is not None}
"""the checks that have a bound"""


def japanese_name(check: str) -> str:
    """The name of a check in the record."""
    return JAPANESE.get(check, _OWN_JAPANESE)


def lowered_checks(names: Iterable[str]) -> frozenset[str]:
    """The checks of `--warn`; raises ConfigurationError for a name that is none."""
    for name in names:
        if name not in CHECKS:
            raise ConfigurationError(f"--warn: {name!r} is no check; one of {', '.join(CHECKS)}")
    return frozenset(names)


def required_checks(names: Iterable[str]) -> frozenset[str]:
    """The checks of `--require`, `leaks` being five; raises ConfigurationError for a name that is none."""
    found: set[str] = set()
    for name in names:
        if name != "leaks" and name not in CHECKS:
            raise ConfigurationError(f"--require: {name!r} is no check; leaks, or one of {', '.join(CHECKS)}")
        found.update(LEAKS if name == "leaks" else (name,))
    return frozenset(found)
