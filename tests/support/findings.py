"""Evidence of every kind, for the sentences of findings; a new sentence is one line in EVIDENCE."""

from collections.abc import Mapping, Sequence
from typing import Any

from exporter.live.long_seen import HeldSeen, IdleSeen, LongSeen
from exporter.live.message import FailureReason, Route
from exporter.live.overhead import Overhead
from exporter.live.probe_result import ProbeResult
from exporter.timeseries import Loss, SeriesStore
from exporter.verdict.evidence import Count, GapKind, GeneratorLoad, TimeGap, Watching
from exporter.verdict.finding import Said, Span
from tests.support.held import Shape, held, memory, phases, saturating, steps
from tests.support.run_results import alert_spans, failures_by_reason, quantiles, requests_by_class, streamed
from tests.support.run_seconds import Stretch, run_seconds

BEGAN = 1_764_000_000.0


def probed(*results: str, load: Sequence[int] = ()) -> SeriesStore:
    """What the probes of a router came to, and the 2xx of the load that each scrape brought."""
    store = SeriesStore()
    for number, result in enumerate(results):
        time = BEGAN + 5 * number
        for each in ProbeResult:
            store.add("router_probe_result", {"result": each.value}, time, float(each.value == result))
        if not result.startswith("certificate"):
            store.add("router_up", {}, time, float(result == "answered"))
        store.add("router_probe_timeout_seconds", {}, time, 1.5)
    for number in range(len(load)):
        labels = {"route": "local", "model": "m", "status_class": "2xx"}
        store.add("benchmark_requests_total", labels, BEGAN + 5 * number, float(sum(load[: number + 1])))
    return store


def probes(*answered: float, restarts: float = 0.0) -> SeriesStore:
    """A router's answers to its probes, and how often its process was replaced at the end."""
    store = probed(*("answered" if up else "refused" for up in answered))
    for number in range(len(answered)):
        last = number == len(answered) - 1
        labels = {"process": "router", "role": "router"}
        store.add("observed_process_restarts_total", labels, BEGAN + 5 * number, restarts if last else 0.0)
    return store


def lossy() -> SeriesStore:
    """A router that stayed up, and a disk that was full."""
    store = probes(1, 1, 1)
    store.loss = Loss(12_000, 1_764_000_000.0, 1_764_000_030.0, "No space left on device")
    return store


def written(mib: Shape, seconds: int = 3600, free: float | None = None) -> SeriesStore:
    """The files that the router writes, and what a disk has free."""
    store = held(SeriesStore(), "written_files_bytes", mib, seconds, unit=2**20)
    if free is not None:
        store.add("node_filesystem_avail_bytes", {"mountpoint": "/", "fstype": "ext4"}, BEGAN, free)
    return store


def hour(threads_an_hour: float, seconds: int = 3600) -> SeriesStore:
    """An hour of one process whose threads grow."""
    store = probes(1.0, 1.0)
    for second in range(0, seconds + 1, 5):
        for name, value in (
            ("observed_process_threads", 50 + threads_an_hour * second / 3600),
            ("observed_process_start_time_seconds", BEGAN - 1000),
        ):
            store.add(name, {"process": "router", "role": "router"}, BEGAN + second, value)
    return store


def processes(role: str = "router", seconds: int = 3600, **figures: tuple[float, float]) -> SeriesStore:
    """An hour of a process that is up: its figures at first, and from the half on.

    A figure's name is the series', or `unwatched_REASON`.
    """
    store = probes(*[1.0] * (seconds // 5))
    for second in range(0, seconds + 1, 5):
        for figure, (before, after) in {"up": (1.0, 1.0), "threads": (50.0, 50.0), **figures}.items():
            name, _, reason = figure.partition("unwatched_")
            labels = {"process": "it", "role": role, **({"reason": reason} if reason else {})}
            value = before if second < seconds / 2 else after
            store.add(f"observed_process_{name or 'unwatched'}", labels, BEGAN + second, value)
    return store


def nodes(**online: list[float]) -> SeriesStore:
    """Whether the router calls each of its nodes online, scrape by scrape."""
    store = probes(1.0, 1.0)
    for name, values in online.items():
        for number, value in enumerate(values):
            store.add("router_node_up", {"node": name}, BEGAN + 5 * number, value)
    for number in range(max(map(len, online.values()))):
        store.add("router_nodes", {"status": "online"}, BEGAN + 5 * number, 1.0)
    return store


def statuses(**counts: int) -> dict[str, Any]:
    """Responses by HTTP status, such as `_200=5`."""
    by_status = {name.removeprefix("_"): count for name, count in counts.items()}
    classes: dict[str, int] = {}
    for status, count in by_status.items():
        classes[f"_{status[0]}xx"] = classes.get(f"_{status[0]}xx", 0) + count
    return {"statuses": by_status, "requests": requests_by_class(**classes)}


STOPPED = Said("stopped by the user", "利用者が停止")
HOUR: dict[str, Any] = {"planned_seconds": 3600.0, "measured_seconds": 3600.0}
RESTED = phases(("warmup", 120), ("load", 1680), ("rest", 180), ("load", 1800), ("drain", 60))
EVIDENCE: Mapping[str, dict[str, Any]] = {
    "a good minute": {},
    "some errors": statuses(_200=900, _429=70, _503=30),
    "a burst of errors": {
        **statuses(_200=2900, _502=24),
        "failures": failures_by_reason(connect=12),
        "series": nodes(a=[1.0] * 30 + [0.0] * 8 + [1.0] * 20, b=[1.0] * 58),
        "seconds": run_seconds(
            Stretch(160),
            Stretch(12, 0, {"502": 2}, {FailureReason.CONNECT: 1}),
            Stretch(120),
        ),
    },
    "a generator at its limit": {
        "generator": GeneratorLoad(0.97, 0.31, 60.0, (Span(BEGAN, BEGAN + 60),)),
    },
    "alerts of all kinds": {
        **statuses(_200=900, _503=100),
        "instance": "a:9877",
        "alerts": (
            *alert_spans("TokensLost", "RouterRestarted", "BenchmarkErrorRateHigh", since=BEGAN + 20),
            *alert_spans("NodeMemoryLeak", since=BEGAN - 20),
            *alert_spans("ConnectionLeak", since=BEGAN + 30, instance="b:9877"),
            *alert_spans("ProcessFdLeak", since=BEGAN + 30, role="load"),
        ),
    },
    "a Prometheus without an answer": {"totals": {"live": Count(1000, 0), "prometheus": None}},
    "no success": statuses(_401=500),
    "no success on a cloud route": {**statuses(_401=500), "route": Route.OPENAI},
    "no response": {"statuses": {}, "requests": requests_by_class()},
    "lost and refused": {"failures": failures_by_reason(read=3, timeout=1, connect=7), "stalled": 2},
    "a probe without an answer": {"series": probes(1, 0, 1, 1, 1, 1, 1, 1, 1)},
    "an outage": {"series": probes(1, 0, 0, 1)},
    "an outage under load": {
        "series": probed("answered", "refused", "timeout", "http_503", load=[5, 5, 0, 0])
    },
    "a slow probe": {"series": probed("answered", *["timeout"] * 6, load=[5] * 7)},
    "a model list that cannot be read": {"series": probed(*["http_503"] * 7, load=[5] * 7)},
    "a certificate that is not trusted": {"series": probed(*["certificate_untrusted"] * 7, load=[5] * 7)},
    "a probe that asks elsewhere": {"series": probed(*["tls_wanted"] * 7, load=[5] * 7)},
    "a restart": {"series": probes(1, 1, restarts=2)},
    "workers that died": {"series": processes(worker_deaths_total=(0, 2), child_starts_total=(0, 3))},
    "a node's workers that died": {
        "series": processes("node", worker_deaths_total=(0, 1), restarts_total=(0, 0))
    },
    "a worker that died in a long run": {**HOUR, "series": processes(worker_deaths_total=(0, 1))},
    "a router's process that ended": {"series": processes(up=(1, 0))},
    "a port that is forwarded": {**HOUR, "series": processes(up=(0, 0), unwatched_forwarded=(1, 1))},
    "a process that is hidden": {"series": processes(up=(0, 0), unwatched_hidden=(1, 1))},
    "a process that is not there": {"series": processes("node", up=(0, 0), restarts_total=(0, 0))},
    "others that match": {**HOUR, "series": processes(unwatched_several=(2, 2))},
    "nodes that stay": {"series": nodes(a=[1, 1], b=[1, 1], c=[0, 0])},
    "nodes that go": {"series": nodes(a=[1, *[0] * 6], b=[1] * 7, c=[1])},
    "a node that is away for a moment": {"series": nodes(a=[1, 0, 1], b=[1] * 3)},
    "a node's process that was restarted": {"series": processes("node", restarts_total=(0, 1))},
    "a node's process that ended": {"series": processes("node", up=(1, 0), restarts_total=(0, 0))},
    "nothing watched": {"series": SeriesStore()},
    "an early end": {"ended_early": STOPPED, "measured_seconds": 21.0},
    "a load that was given up": {
        **statuses(_200=900, _503=100),
        "measured_seconds": 21.0,
        **dict.fromkeys(
            ("ended_early", "aborted"),
            Said("100 of the last 100 attempts failed", "直近の試行 100 件のうち 100 件が失敗"),
        ),
    },
    "all of the planned requests": {"measured_seconds": 3.0, "max_requests": 1000},
    "a load that ended by itself": {"measured_seconds": 12.0},
    "a load that lost its connections": {
        "measured_seconds": 0.2,
        "connections": 2,
        "stopped_after_seconds": (0.1, 0.2),
    },
    "a load that lost some connections": {"connections": 20, "stopped_after_seconds": (0.2, 31.0)},
    "failures that the engine alone counts": {"engine_failures": {FailureReason.TIMEOUT: 20}},
    "scrapes that failed": {"scrapes": 5, "failed_scrapes": 8},
    "a suspend": {"time_gaps": (TimeGap(GapKind.SUSPENDED, 1_764_000_000.0, 1_764_003_601.0, 3600.0),)},
    "a clock that was set": {
        "time_gaps": (TimeGap(GapKind.CLOCK_SET, 1_764_000_000.0, 1_763_999_941.0, -60.0),)
    },
    "a pause": {"time_gaps": (TimeGap(GapKind.NOT_RUN, 1_764_000_000.0, 1_764_000_013.0, 12.0),)},
    "samples that no disk took": {"series": lossy()},
    "no scrape": {"scrapes": 0, "failed_scrapes": 0},
    "sources that differ": {"totals": {"engine": Count(1000, None), "exporter": Count(990, 0)}},
    "a source without an answer": {"totals": {"engine": Count(1000, None), "exporter": None}},
    "another run of the model": {
        "totals": {"engine": Count(449, None), "exporter": Count(449, 0), "scraped": Count(829, 0)},
        "others": {"0123456789abcdef": "nightly"},
    },
    "another run of the model, and too few scraped": {
        "totals": {"engine": Count(449, None), "exporter": Count(449, 0), "scraped": Count(448, 0)},
        "others": {"0123456789abcdef": "nightly"},
    },
    "no router watched": {"watching": Watching("http://load-1:9877", None, (), is_target=False)},
    "another router watched for an hour": {
        **HOUR,
        "series": hour(60),
        "watching": Watching("http://watcher:9877", "http://other:8080", ("router",), is_target=False),
    },
    "a flat hour": {**HOUR, "series": hour(0)},
    "a leak": {**HOUR, "series": hour(60)},
    "an hour that was seen for a part": {**HOUR, "series": hour(60, seconds=1200)},
    "memory in steps": {**HOUR, "series": memory(steps((4, 9), (14, 12), (27, 7), (38, 11), (52, 9)))},
    "memory that grew at once": {**HOUR, "series": memory(steps((25, 60)))},
    "memory that grew in two jumps": {**HOUR, "series": memory(steps((22, 20), (52, 24)))},
    "memory that grew for half an hour": {**HOUR, "series": memory(lambda t: 100 + min(t, 1900) / 40)},
    "memory that settled": {**HOUR, "series": memory(lambda t: 100 + min(t, 700) / 30)},
    "a cache that fills": {**HOUR, "series": memory(saturating(150, 25))},
    "a long cycle": {**HOUR, "series": memory(lambda t: 100 + 80 * (t % 2300) / 2300)},
    "a small leak": {**HOUR, "series": memory(lambda t: 8 + 3 * t / 3600)},
    "a leak with a rest": {
        **HOUR,
        "series": memory(lambda t: 100 + min(t, 1800) / 60 + max(t - 1980, 0) / 60, seconds=3790),
        "phases": RESTED,
    },
    "a short load that grows": {
        "series": memory(lambda t: 40 + t / 2, seconds=600),
        "planned_seconds": 600.0,
    },
    "a drain that grows": {
        **HOUR,
        "series": memory(lambda t: 100 + max(t - 1800, 0) / 30, seconds=2700),
        "phases": phases(("warmup", 120), ("load", 1680), ("drain", 900)),
    },
    "restarts": {
        **HOUR,
        "series": held(memory(lambda _: 100.0), "start_time_seconds", lambda t: BEGAN + t // 900 * 900),
    },
    "a restart at the end": {
        **HOUR,
        "series": held(memory(lambda _: 100.0), "start_time_seconds", lambda t: BEGAN + t // 3000 * 3000),
    },
    "sockets that are not closed": {
        "series": held(SeriesStore(), "connections", lambda t: t // 60, seconds=300, state="close_wait")
    },
    "files that do not come back": {
        "series": held(SeriesStore(), "open_fds", lambda t: 40 + t / 5, seconds=1320),
        "phases": phases(("warmup", 60), ("load", 1140), ("drain", 120)),
    },
    "more files in each pause": {
        "series": held(SeriesStore(), "open_fds", lambda t: 40 + t // 1000 * 30, seconds=3840),
        "phases": RESTED,
    },
    "a database that grows with the requests": {
        **HOUR,
        "series": written(lambda t: 1 + t / 60, free=120 * 2**30),
        "seconds": run_seconds(Stretch(3600, successes=8)),
    },
    "a database that grows, of an unknown load": {"series": written(lambda t: 1 + t / 2, seconds=600)},
    "a log that grows a little": {"series": written(lambda t: 1 + t / 3600)},
    "good streams": streamed(),
    "good streams with an overhead and a goodput": {
        **streamed(overhead_first_token=Overhead(pairs=200, median=0.003, low=0.002, high=0.004)),
        "goodput": "ttft < 500 ms",
    },
    "streams that were cut off": streamed({"truncated": 2, "stalled": 1, "timeout": 1, "aborted": 7}),
    "errors inside of streams": streamed({"complete": 900, "in_band": 30, "empty": 20}, without_usage=900),
    "no good stream": streamed({"complete": 0, "in_band": 30, "aborted": 2}),
    "a scan that is wrong": streamed(disagreed=3),
    "streams that the client left": streamed({"complete": 0, "aborted": 30}),
    "refusals": {
        **statuses(_200=900, _429=100),
        "engine": "stream",
        "streams": streamed(router_refusals=30, upstream_refusals=60)["streams"],
    },
    "streams that come at their end": streamed(buffered=990, events_per_read=quantiles(22.0)),
    "streams that come at their end, which the node's do not": streamed(
        buffered=990, overhead_first_token=Overhead(pairs=90, median=0.19, low=0.18, high=0.2)
    ),
    "streams that come at their end, as the node's do": streamed(
        buffered=990, overhead_first_token=Overhead(pairs=90, median=0.003, low=-0.001, high=0.004)
    ),
    "few long streams": streamed(shaped=3, buffered=3),
    "a late client": streamed(client_lag=quantiles(0.01), send_lateness=quantiles(0.02)),
    "reads without stamps": streamed(client_lag=quantiles(None), unstamped=40_000),
    "an open load that could not send all": {
        **streamed(skipped=300, send_lateness=quantiles(0.0001)),
        "requests_per_second": 20.0,
        "seconds": run_seconds(Stretch(600, durations={400: 10})),
    },
    "an idle connection that stays": {
        **streamed(),
        "long_seen": LongSeen(idle=IdleSeen(seconds=600.0, ended_by="nobody", how=None), held=()),
    },
    "an idle connection for a short load": {
        **streamed(),
        "long_seen": LongSeen(idle=IdleSeen(seconds=20.0, ended_by="nobody", how=None), held=()),
    },
    "an idle connection that is closed after a while": {
        **streamed(),
        "long_seen": LongSeen(idle=IdleSeen(seconds=75.0, ended_by="router", how="fin"), held=()),
    },
    "an idle connection that is cut": {
        **streamed(),
        "long_seen": LongSeen(
            idle=IdleSeen(seconds=5.0, ended_by="router", how="rst"),
            held=(
                HeldSeen(30.0, survived=True, ended_by="nobody", how=None, after_seconds=30.0, heartbeats=2),
                HeldSeen(
                    60.0, survived=False, ended_by="router", how="fin", after_seconds=45.0, heartbeats=0
                ),
            ),
        ),
    },
    "silent streams that were kept": {
        **streamed(),
        "long_seen": LongSeen(
            idle=None,
            held=(
                HeldSeen(15.0, survived=True, ended_by="nobody", how=None, after_seconds=15.0, heartbeats=0),
            ),
        ),
    },
}
