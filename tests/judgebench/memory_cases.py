"""What the router holds, in simulated time: leaks of every shape, and what is none."""

import csv
from bisect import bisect_right
from collections.abc import Callable, Iterator

from exporter.verdict.evidence import Evidence
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
from tests.judgebench.scene import SCRAPE_SECONDS, Scene
from tests.judgebench.scene_series import MIB
from tests.rules.leakbench import courses
from tests.support.checkout import CHECKOUT

HOUR = 3600
BASE_MIB = 200.0
MEMORY = "observed_process_anonymous_memory_bytes"
FILES = "observed_process_open_fds"
REST_MINUTES = 3.0
RECORDED = CHECKOUT / "tests" / "fixtures" / "growth" / "llmlb-45min.csv"


def _shaped(
    group: str, kind: str, seed: int, seconds: int, grown: float = 0, base: float = BASE_MIB
) -> Evidence:
    """A router whose memory has a shape of the leak bench's, at a base that is told here."""
    load = courses.load(group, kind, seed, seconds / 60 + 1, grown=grown)
    values = load.values * (base * MIB / load.base)

    def held(at: float) -> float:
        return float(values[min(int(at) // SCRAPE_SECONDS, len(values) - 1)])

    return Scene(seconds).level(MEMORY, held).evidence()


def _rested(group: str, kind: str, seed: int, grown: float = 0) -> Evidence:
    """An hour of load in two halves with three minutes between, and that shape."""
    load = courses.load(group, kind, seed, HOUR / 60 + 1, grown=grown, rest=REST_MINUTES)
    values = load.values * (BASE_MIB * MIB / load.base)
    assert load.rested is not None
    rest = (int(load.rested[0] * 60), int(load.rested[1] * 60))
    scene = Scene(HOUR + int(REST_MINUTES * 60), rest=rest)
    return scene.level(
        MEMORY, lambda at: float(values[min(int(at) // SCRAPE_SECONDS, len(values) - 1)])
    ).evidence()


def _kept_files() -> Evidence:
    """Files that each half opens and does not close."""
    scene = Scene(HOUR + 180, rest=(1800, 1980))
    return scene.level(FILES, lambda s: 30 + min(s, 1800) // 60 + max(s - 1980, 0) // 60).evidence()


def leaks(name: str, what: str, kind: str, seed: int, grown: float, seconds: int = HOUR) -> Case:
    """It fails for the router's memory."""
    right = fails(Cause("memory", FAIL, ("router",)))
    return simulated(
        name, f"{seconds // 60} min", what, right, lambda: _shaped("leaking", kind, seed, seconds, grown)
    )


def settles(name: str, what: str, group: str, kind: str, seed: int, seconds: int = HOUR) -> Case:
    """It passes."""
    return simulated(
        name, f"{seconds // 60} min", what, clean("memory"), lambda: _shaped(group, kind, seed, seconds)
    )


def _held(
    check: str, name: str, what: str, right: Right, metric: str, of: Callable[[float], float], **labels: str
) -> Case:
    del check
    return simulated(name, "45 min", what, right, lambda: Scene(LONG).level(metric, of, **labels).evidence())


def _recorded(columns: dict[str, str], seconds: int) -> Evidence:
    """The real router of the recording, under this load."""
    rows = list(_rows())
    scene = Scene(seconds, rate=73, connections=4)
    for column, metric in columns.items():
        times = [float(row["t"]) for row in rows]
        values = [float(row[column]) for row in rows]

        def held(at: float, times: list[float] = times, values: list[float] = values) -> float:
            return values[max(bisect_right(times, at) - 1, 0)]

        scene.level(metric, held)
    return scene.evidence()


def _rows() -> Iterator[dict[str, str]]:
    with RECORDED.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _jump(at: float) -> float:
    return 260.0 if at * 60 >= 1500 else 200.0


CASES: tuple[Case, ...] = (
    leaks("leak-line-1", "memory grows by 1 % a minute, along a line", "line", 11, 0.6),
    leaks("leak-line-slow", "0.5 % a minute", "line", 12, 0.3),
    leaks("leak-staircase", "a staircase that adds 60 % in the hour", "staircase", 13, 0.6),
    leaks("leak-random-staircase", "steps at random, now and then a release", "random staircase", 14, 0.6),
    leaks("leak-bursts", "grows in bursts, rests between", "bursts", 15, 0.6),
    leaks("leak-climbing-teeth", "a collector that frees less than was taken", "climbing teeth", 16, 0.8),
    leaks("leak-45m", "1 % a minute for 45 minutes", "line", 17, 0.6, LONG),
    leaks("leak-accelerating", "ever faster", "accelerating", 18, 0.8),
    simulated(
        "leak-day",
        "24 h",
        "5 MiB an hour, all day, on 200 MiB",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: Scene(24 * 3600, rate=2).memory(lambda minutes: 200 + 5 * minutes / 60).evidence(),
    ),
    simulated(
        "leak-to-swap",
        "45 min",
        "what leaks is swapped out: RssAnon is flat, swap grows",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: Scene(LONG).level("observed_process_swap_bytes", lambda s: s / 60 * 3 * MIB).evidence(),
    ),
    simulated(
        "leak-and-restart",
        "90 min",
        "leaks in each of two lives; the second is 45 minutes long",
        fails(Cause("memory", FAIL, ("router",)), Cause("router", FAIL, ("restarted",))),
        lambda: Scene(5400).restarted(2700).memory(lambda m: 100 + 3 * (m if m < 45 else m - 45)).evidence(),
    ),
    simulated(
        "leak-in-a-node",
        "45 min",
        "a node's process leaks, and the router does not",
        fails(Cause("memory", FAIL, ("inference",))),
        lambda: Scene(LONG).also_watched("inference", "node", lambda m: 500 + 8 * m).evidence(),
    ),
    simulated(
        "leak-of-the-load",
        "45 min",
        "the load generator leaks: no fault of the router",
        clean(*SERVICE, "memory"),
        lambda: Scene(LONG).also_watched("wrk", "load", lambda m: 50 + 8 * m).evidence(),
    ),
    simulated(
        "leak-in-the-drain",
        "45 min",
        "memory grows in a drain of ten minutes, and not under load",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: Scene(LONG, drain=900).memory(lambda m: 200 + 10 * max(m - 45, 0)).evidence(),
    ),
    simulated(
        "leak-of-gpu-memory",
        "45 min",
        "what the router holds on a GPU grows by 100 MiB a minute",
        fails(Cause("gpu_memory", FAIL, ("router",))),
        lambda: (
            Scene(LONG)
            .level("gpu_process_memory_bytes", lambda s: (4000 + s / 60 * 100) * MIB, gpu="0", uuid="GPU-1")
            .evidence()
        ),
    ),
    simulated(
        "database-of-every-request",
        "45 min",
        "the router keeps a row of each request in its database",
        Right(
            PASS, (*(Cause(check, PASS) for check in SERVICE), Cause("written_files", WARNING, ("router",)))
        ),
        lambda: (
            Scene(LONG).level("observed_process_written_files_bytes", lambda s: (3 + s / 60) * MIB).evidence()
        ),
    ),
    simulated(
        "quiet-log",
        "45 min",
        "the router's log grows by 4 KiB a minute",
        clean(*SERVICE, "written_files"),
        lambda: (
            Scene(LONG)
            .level("observed_process_written_files_bytes", lambda s: 200 * MIB + 4096 * s / 60)
            .evidence()
        ),
    ),
    simulated(
        "memory-falls",
        "45 min",
        "memory falls all along",
        clean("memory"),
        lambda: Scene(LONG).memory(lambda m: 400 - 3 * m).evidence(),
    ),
    simulated(
        "leak-short",
        "10 min",
        "a leak in 10 minutes: too short, and said so",
        clean("answers", but=(Cause("memory", NOT_JUDGED),)),
        lambda: Scene(600).memory(lambda m: 100 + 10 * m).evidence(),
    ),
    settles("flat-with-teeth", "a collector's teeth", "clean", "teeth", 21),
    settles("warm-up", "memory warms up", "clean", "warm-up", 22),
    settles("cache-fills", "a cache that is full by minute 40 at the latest", "settling", "bent cache", 23),
    settles("cache-saturates", "memory saturates", "settling", "saturating", 24),
    settles("allocator-settles", "an allocator whose arenas shrink", "settling", "allocator", 25),
    simulated(
        "cache-still-fills",
        "60 min",
        "a cache that is not full at the end: not told from a leak",
        Right(INCONCLUSIVE, (Cause("memory", INCONCLUSIVE, ("still filling",)),)),
        lambda: _shaped("filling", "long saturating", 26, HOUR),
    ),
    simulated(
        "one-jump",
        "45 min",
        "60 MiB at once at minute 25: a warning that says when",
        Right(PASS, (Cause("memory", WARNING, ("router",), (1500, 1500), 60),)),
        lambda: Scene(LONG).memory(_jump).evidence(),
    ),
    simulated(
        "three-jumps",
        "60 min",
        "three jumps of 40 MiB",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: Scene(HOUR).memory(lambda m: 200 + 40 * sum(m >= at for at in (14, 30, 46))).evidence(),
    ),
    _held(
        "file_descriptors",
        "leak-fds",
        "2 file descriptors a minute stay open",
        fails(Cause("file_descriptors", FAIL, ("router",))),
        "observed_process_open_fds",
        lambda s: 30 + s // 30,
    ),
    _held(
        "threads",
        "leak-threads",
        "a thread a minute stays",
        fails(Cause("threads", FAIL, ("router",))),
        "observed_process_threads",
        lambda s: 12 + s // 60,
    ),
    _held(
        "connections",
        "close-wait",
        "20 sockets stay in CLOSE_WAIT for five minutes",
        fails(Cause("connections", FAIL, ("CLOSE_WAIT",), (1200, 1500))),
        "observed_process_connections",
        lambda s: 20.0 if 1200 <= s < 1500 else 0.0,
        state="close_wait",
    ),
    _held(
        "connections",
        "idle-pool",
        "a pool grows to 60 connections in the first minutes and idles",
        clean("connections"),
        "observed_process_connections",
        lambda s: min(8 + s // 5, 60),
        state="established",
    ),
    simulated(
        "rest-clean",
        "63 min",
        "a rest of three minutes: no stall, and nothing less is served",
        clean(*SERVICE, "memory", "file_descriptors", "threads", "connections"),
        lambda: Scene(HOUR + 180, rest=(1800, 1980)).evidence(),
    ),
    simulated(
        "rest-cache",
        "63 min",
        "a cache that fills in the first half, and a rest",
        clean("memory"),
        lambda: _rested("settling", "saturating", 31),
    ),
    simulated(
        "rest-allocator",
        "63 min",
        "an allocator that settles, and a rest",
        clean("memory"),
        lambda: _rested("settling", "allocator", 32),
    ),
    simulated(
        "rest-leak",
        "63 min",
        "a leak of 1 % a minute, and a rest",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: _rested("leaking", "line", 33, 0.6),
    ),
    simulated(
        "rest-files",
        "63 min",
        "files that each half opens do not come back in the rest",
        fails(Cause("file_descriptors", FAIL, ("router",))),
        _kept_files,
    ),
    simulated(
        "recorded-staircase",
        "45 min",
        "a real router that went on to 247 MiB: a staircase from 42 to 107 MiB",
        fails(Cause("memory", FAIL, ("router",))),
        lambda: _recorded({"rssanon": MEMORY}, LONG),
    ),
)
