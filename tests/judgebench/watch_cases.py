"""Router, nodes and what is watched, in simulated time; and evidence that is missing."""

from exporter.live.message import FailureReason
from exporter.verdict.evidence import AlertSpan, Count, Evidence, GapKind, TimeGap, Watching
from tests.judgebench.case import Case, simulated
from tests.judgebench.load_cases import (
    FAIL,
    INCONCLUSIVE,
    LONG,
    NOT_JUDGED,
    PASS,
    SERVICE,
    WARNING,
    clean,
    fails,
)
from tests.judgebench.right import Cause, Right
from tests.judgebench.scene import Scene
from tests.judgebench.scene_series import BEGAN

EXPORTER = "127.0.0.1:9877"
DEATHS = "observed_process_worker_deaths_total"


def missing(*causes: Cause, beside: tuple[str, ...] = ()) -> Right:
    """It is inconclusive for these."""
    return Right(INCONCLUSIVE, causes, beside)


def _node_and_errors() -> Scene:
    return Scene(LONG).node_away("node-2", 1500, 1530).answers(1501, 1529, "502", 0.5)


def _outage() -> Scene:
    scene = Scene(LONG).router_down(1500, 1512).frozen(1500, 1512)
    return scene.fails(1512, 1513, FailureReason.READ, 0.9)


CASES: tuple[Case, ...] = (
    simulated(
        "node-away-25s",
        "45 min",
        "a node is offline for 25 s",
        fails(Cause("nodes", FAIL, ("node-2",), (1500, 1525))),
        lambda: Scene(LONG).node_away("node-2", 1500, 1525).evidence(),
    ),
    simulated(
        "node-away-and-errors",
        "45 min",
        "a node is offline for 30 s, and answers are 502 meanwhile",
        fails(
            Cause("nodes", FAIL, ("node-2",), (1500, 1530)),
            Cause("answers", FAIL, ("502", "node node-2 was offline"), (1501, 1529)),
            beside=("throughput",),
        ),
        lambda: _node_and_errors().evidence(),
    ),
    simulated(
        "node-flaps-5s",
        "45 min",
        "a node is offline for 5 s: a warning",
        Right(PASS, (Cause("nodes", WARNING, ("node-1",), (1500, 1505)),)),
        lambda: Scene(LONG).node_away("node-1", 1500, 1505).evidence(),
    ),
    simulated(
        "node-offline-all-along",
        "45 min",
        "a node that was never online has no part",
        clean(*SERVICE, but=(Cause("nodes", PASS, ("offline throughout",)),)),
        lambda: Scene(LONG).node_away("node-2", -10, LONG + 60).evidence(),
    ),
    simulated(
        "node-gone-to-the-end",
        "45 min",
        "a node goes at minute 40 and does not come back",
        fails(Cause("nodes", FAIL, ("node-1", "to the end"), (2400, LONG + 10))),
        lambda: Scene(LONG).node_away("node-1", 2400, LONG + 60).evidence(),
    ),
    simulated(
        "router-restart",
        "45 min",
        "the router's process is another one from minute 22 on",
        fails(
            Cause("router", FAIL, ("restarted",)),
            beside=("memory", "file_descriptors", "threads", "connections"),
        ),
        lambda: Scene(LONG).restarted(1320).evidence(),
    ),
    simulated(
        "worker-death",
        "45 min",
        "a worker of the router dies and is replaced",
        fails(
            Cause("router", FAIL, ("workers died",)),
            beside=("memory", "file_descriptors", "threads", "connections"),
        ),
        lambda: Scene(LONG).counted(DEATHS, 1320).evidence(),
    ),
    simulated(
        "router-down-12s",
        "45 min",
        "the router is down for 12 s",
        fails(
            Cause("router", FAIL, ("down",)),
            Cause("disconnects", FAIL),
            Cause("stalls", FAIL, when=(1500, 1512)),
        ),
        lambda: _outage().evidence(),
    ),
    simulated(
        "one-probe-missed",
        "45 min",
        "one probe fails while the load is answered",
        clean(*SERVICE),
        lambda: Scene(LONG).router_down(1499, 1502).evidence(),
    ),
    simulated(
        "no-router-process",
        "45 min",
        "no process of the router is watched: a pass that says so",
        clean(
            "answers",
            "latency",
            "throughput",
            "router",
            but=(
                Cause("memory", NOT_JUDGED),
                Cause("file_descriptors", NOT_JUDGED),
                Cause("router", PASS, ("not on this host",)),
            ),
        ),
        lambda: Scene(LONG).no_process().evidence(),
    ),
    simulated(
        "another-router-watched",
        "45 min",
        "with --watched-elsewhere the router is not judged",
        clean(
            "answers",
            "latency",
            "throughput",
            but=(
                Cause("router", NOT_JUDGED, ("not this router",)),
                Cause("memory", NOT_JUDGED),
            ),
        ),
        lambda: (
            Scene(LONG)
            .but(
                watching=Watching(
                    "http://127.0.0.1:9877",
                    "http://127.0.0.1:8081",
                    ("router",),
                    is_target=False,
                )
            )
            .evidence()
        ),
    ),
    simulated(
        "exporter-away-5m",
        "45 min",
        "the exporter is away for 5 minutes",
        missing(
            Cause("latency", INCONCLUSIVE, ("exporter was away",)),
            Cause("throughput", INCONCLUSIVE),
            beside=("completeness",),
        ),
        lambda: Scene(LONG).exporter_away(1200, 1500).evidence(),
    ),
    simulated(
        "exporter-away-at-the-end",
        "45 min",
        "the exporter is away for the last 5 minutes",
        missing(
            Cause("latency", INCONCLUSIVE, ("exporter was away",)),
            Cause("throughput", INCONCLUSIVE),
            beside=("completeness", "stalls"),
        ),
        lambda: Scene(LONG).exporter_away(2400, LONG).evidence(),
    ),
    simulated(
        "exporter-away-at-the-begin",
        "45 min",
        "the exporter is away from minute 2 to 7: what the rest is held against",
        missing(
            Cause("latency", INCONCLUSIVE, ("exporter was away",)),
            Cause("throughput", INCONCLUSIVE),
            beside=("completeness", "stalls"),
        ),
        lambda: Scene(LONG).exporter_away(120, 420).evidence(),
    ),
    simulated(
        "router-process-ends",
        "45 min",
        "the router's process ends at minute 44",
        fails(Cause("router", FAIL, ("ended",))),
        lambda: Scene(LONG).level("observed_process_up", lambda s: float(s < 2640)).evidence(),
    ),
    simulated(
        "nothing-is-watched",
        "45 min",
        "no router is watched, and no node: a pass that says so",
        clean(
            "answers",
            "latency",
            "throughput",
            but=(Cause("router", NOT_JUDGED), Cause("nodes", NOT_JUDGED), Cause("memory", NOT_JUDGED)),
        ),
        lambda: _nothing_watched().evidence(),
    ),
    simulated(
        "exporter-away-and-slower",
        "45 min",
        "the same, and three times slower from minute 30 on: that stands",
        fails(
            Cause("latency", FAIL, when=(1800, LONG), within=60),
            Cause("throughput", FAIL, when=(1800, LONG), within=60),
            beside=("completeness",),
        ),
        lambda: Scene(LONG).exporter_away(900, 1200).slower(1800, LONG, 3).evidence(),
    ),
    simulated(
        "scrape-gap-30m",
        "45 min",
        "scrapes fail for 30 minutes, the counts by the second go on",
        missing(
            Cause("completeness", INCONCLUSIVE, ("scrapes failed",)),
            beside=("memory", "file_descriptors", "threads", "connections"),
        ),
        lambda: Scene(LONG).unscraped(600, 2400).evidence(),
    ),
    simulated(
        "scrape-gaps-few",
        "45 min",
        "one scrape in a hundred fails",
        clean(*SERVICE, "memory"),
        lambda: _few_gaps().evidence(),
    ),
    simulated(
        "clock-set",
        "45 min",
        "the clock is set back by an hour",
        missing(Cause("completeness", INCONCLUSIVE, ("wall clock jumped",))),
        lambda: (
            Scene(LONG).time_gap(TimeGap(GapKind.CLOCK_SET, BEGAN + 900.0, BEGAN + 901.0, -3600.0)).evidence()
        ),
    ),
    simulated(
        "machine-slept",
        "45 min",
        "the machine slept for ten minutes",
        missing(
            Cause("completeness", INCONCLUSIVE, ("slept for 600 s",)),
            beside=("latency", "throughput", "stalls"),
        ),
        lambda: (
            Scene(LONG).time_gap(TimeGap(GapKind.SUSPENDED, BEGAN + 900.0, BEGAN + 1500.0, 600.0)).evidence()
        ),
    ),
    simulated(
        "ended-early",
        "45 min",
        "the load ends after 12 minutes",
        missing(
            Cause("completeness", INCONCLUSIVE, ("720 s of 2700 s",)),
            beside=("memory", "file_descriptors", "threads", "connections"),
        ),
        lambda: Scene(LONG, ended_at=720).evidence(),
    ),
    simulated(
        "ended-early-with-errors",
        "45 min",
        "the load ends after 12 minutes, half of it errors: a failure stands",
        fails(
            Cause("answers", FAIL, ("500",)),
            beside=("completeness", "memory", "file_descriptors", "threads", "connections", "throughput"),
        ),
        lambda: Scene(LONG, ended_at=720).answers(0, 720, "500", 0.5).evidence(),
    ),
    simulated(
        "totals-differ",
        "45 min",
        "the exporter counts fewer than the engine",
        missing(Cause("totals", INCONCLUSIVE, ("disagree",))),
        lambda: (
            Scene(LONG)
            .but(totals={"engine": Count(100, None), "live": Count(100, 0), "exporter": Count(99, 0)})
            .evidence()
        ),
    ),
    simulated(
        "nothing-sent",
        "60 s",
        "not one request was answered and none failed",
        missing(
            Cause("answers", INCONCLUSIVE, ("no request",)),
            beside=("disconnects", "totals", "completeness", "latency", "throughput", "stalls"),
        ),
        lambda: Scene(60, rate=1e-9).evidence(),
    ),
    simulated(
        "other-run-beside",
        "45 min",
        "another run asks the same for 10 minutes, and all takes 3 times as long",
        clean("answers", "disconnects", "router", but=(Cause("latency", PASS, ("another run",)),)),
        lambda: _other_run().evidence(),
    ),
    simulated(
        "alert-without-check",
        "45 min",
        "an alert that fails a run fires, and no check of the run's own says the same",
        fails(Cause("alerts", FAIL, ("TokensLost",), (1500, 1600))),
        lambda: _alerted("TokensLost", instance=EXPORTER, route="local", model="gpt-oss:20b"),
    ),
    simulated(
        "alert-that-differs",
        "45 min",
        "RouterDown fires, and the run's own record says that it was up: a warning",
        Right(PASS, (Cause("alerts", WARNING, ("RouterDown",), (1500, 1600)), Cause("router", PASS))),
        lambda: _alerted("RouterDown", instance=EXPORTER),
    ),
    simulated(
        "alert-elsewhere",
        "45 min",
        "the same alert of another exporter's router",
        clean(*SERVICE, "alerts"),
        lambda: _alerted("RouterDown", instance="10.0.0.9:9877"),
    ),
    simulated(
        "alert-of-the-load",
        "45 min",
        "ProcessMemoryLeak of the load generator",
        clean(*SERVICE, "alerts"),
        lambda: _alerted("ProcessMemoryLeak", instance=EXPORTER, process="router", role="load"),
    ),
    simulated(
        "alert-that-fails-nothing",
        "45 min",
        "NodeMemoryPressure, which fails no run",
        clean(*SERVICE, "alerts"),
        lambda: _alerted("NodeMemoryPressure", fails_run=False, instance=EXPORTER),
    ),
)


def _nothing_watched() -> Scene:
    scene = Scene(LONG).no_process().but(watching=Watching("http://127.0.0.1:9877", None, is_target=False))
    scene.watched.nodes = []
    return scene


def _alerted(name: str, fails_run: bool = True, **labels: str) -> Evidence:
    """An alert fires in a run to which nothing else happens."""
    span = AlertSpan(BEGAN + 1500.0, BEGAN + 1600.0, name, "critical", fails_run, labels)
    return Scene(LONG).but(alerts=(span,), instance=EXPORTER).evidence()


def _few_gaps() -> Scene:
    scene = Scene(LONG)
    for at in range(250, LONG, 500):
        scene.unscraped(at, at + 5)
    return scene


def _other_run() -> Scene:
    scene = Scene(LONG).slower(1500, 2100, 3).but(others={"other": "nightly"})
    return scene.info("other", 1500, 2100)
