"""What the load sees, in simulated time: slow, frozen, failing, and what is none of it."""

from exporter.live.message import FailureReason, Route
from exporter.live.run_pace import LongestRequest
from exporter.verdict.finding import Outcome
from tests.judgebench.case import Case, simulated
from tests.judgebench.right import Cause, Right
from tests.judgebench.scene import Scene
from tests.judgebench.scene_series import BEGAN

PASS, FAIL, WARNING = Outcome.PASS, Outcome.FAIL, Outcome.WARNING
INCONCLUSIVE, NOT_JUDGED = Outcome.INCONCLUSIVE, Outcome.NOT_JUDGED
SERVICE = ("answers", "disconnects", "stalls", "latency", "throughput", "router", "nodes")
MINUTE = 60
LONG = 45 * MINUTE
DAY = 24 * 60 * MINUTE


def clean(*judged: str, but: tuple[Cause, ...] = ()) -> Right:
    """It passes, and these checks were really judged."""
    return Right(PASS, (*(Cause(check, PASS) for check in judged), *but))


def fails(*causes: Cause, beside: tuple[str, ...] = ()) -> Right:
    """It fails for these."""
    return Right(FAIL, causes, beside)


def slow(since: float, until: float, within: float) -> Right:
    """Slower and less, from when to when."""
    return fails(
        *(Cause(check, FAIL, when=(since, until), within=within) for check in ("latency", "throughput"))
    )


CLEAN = (
    simulated(
        "clean-45m",
        "45 min",
        "40 requests a second, nothing happens",
        clean(*SERVICE, "memory", "file_descriptors", "threads", "connections"),
        lambda: Scene(LONG).evidence(),
    ),
    simulated(
        "clean-day",
        "24 h",
        "a day of 5 requests a second",
        clean(*SERVICE, "memory"),
        lambda: Scene(DAY, rate=5).evidence(),
    ),
    simulated(
        "clean-60s",
        "60 s",
        "a minute: too short for leaks, and said so",
        clean(*SERVICE, but=tuple(Cause(c, NOT_JUDGED) for c in ("memory", "file_descriptors", "threads"))),
        lambda: Scene(60).evidence(),
    ),
    simulated(
        "clean-2s",
        "2 s",
        "two seconds pass, and latency is not judged",
        clean("answers", "disconnects", but=(Cause("latency", NOT_JUDGED), Cause("throughput", NOT_JUDGED))),
        lambda: Scene(2).evidence(),
    ),
    simulated(
        "slow-answers",
        "45 min",
        "a language model's answers of 20 s, 2 connections",
        clean(
            "answers",
            "disconnects",
            "stalls",
            "router",
            "nodes",
            "memory",
            but=(Cause("latency", NOT_JUDGED, ("too few",)),),
        ),
        lambda: Scene(LONG, rate=0.1, median=20, spread=0.15, connections=2).evidence(),
    ),
    simulated(
        "one-a-minute",
        "6 h",
        "one request a minute",
        clean(
            "answers",
            "disconnects",
            "stalls",
            "router",
            "nodes",
            "memory",
            but=(Cause("latency", NOT_JUDGED, ("too few",)),),
        ),
        lambda: Scene(6 * 3600, rate=1 / 60, median=2, connections=1).evidence(),
    ),
    simulated(
        "gc-pauses",
        "45 min",
        "a collector stops everything for 300 ms, every 8 s",
        clean(*SERVICE),
        lambda: Scene(LONG).pauses(8, 0.3).evidence(),
    ),
    simulated(
        "gc-pauses-90s",
        "90 s",
        "the same for a minute and a half",
        clean(*SERVICE),
        lambda: Scene(90).pauses(8, 0.3).evidence(),
    ),
    simulated(
        "hiccup",
        "45 min",
        "for 8 s everything takes four times as long",
        clean(*SERVICE),
        lambda: Scene(LONG).slower(1200, 1208, 4).evidence(),
    ),
    simulated(
        "stall-9s",
        "45 min",
        "9 s without an answer: under the bound",
        clean("answers", "disconnects", "stalls", "latency", "throughput"),
        lambda: Scene(LONG).frozen(1300, 1309).evidence(),
    ),
    simulated(
        "few-errors",
        "45 min",
        "0.3 % of the answers are 502, all along",
        clean(*SERVICE, but=(Cause("answers", PASS, ("502",)),)),
        lambda: Scene(LONG).answers(0, LONG, "502", 0.003).evidence(),
    ),
    simulated(
        "cloud-429",
        "45 min",
        "a cloud answers 20 % with 429, which is allowed",
        clean(
            "answers",
            "disconnects",
            "stalls",
            "latency",
            "throughput",
            but=(Cause("answers", PASS, ("429",)),),
        ),
        lambda: (
            Scene(LONG, route=Route.OPENAI, allowed=frozenset({"429"}))
            .answers(0, LONG, "429", 0.2)
            .evidence()
        ),
    ),
)

FAULTY = (
    simulated(
        "slower-3x-45m",
        "45 min",
        "three times slower from minute 20 to the end",
        slow(1200, LONG, 60),
        lambda: Scene(LONG).slower(1200, LONG, 3).evidence(),
    ),
    simulated(
        "slower-3x-90s",
        "90 s",
        "three times slower from second 45 on",
        slow(45, 90, 10),
        lambda: Scene(90, rate=160).slower(45, 90, 3).evidence(),
    ),
    simulated(
        "slower-2x-45m",
        "45 min",
        "twice as slow from minute 30 on",
        slow(1800, LONG, 60),
        lambda: Scene(LONG, median=0.06).slower(1800, LONG, 2).evidence(),
    ),
    simulated(
        "slower-recovers",
        "45 min",
        "three times slower from minute 15 to 25, then as before",
        fails(
            Cause("latency", FAIL, ("recovered",), (900, 1500), 60),
            Cause("throughput", FAIL, ("recovered",), (900, 1500), 60),
        ),
        lambda: Scene(LONG).slower(900, 1500, 3).evidence(),
    ),
    simulated(
        "slower-early",
        "45 min",
        "three times slower from minute 4 on: before what it is held against ends",
        slow(240, LONG, 90),
        lambda: Scene(LONG).slower(240, LONG, 3).evidence(),
    ),
    simulated(
        "slower-day",
        "24 h",
        "three times slower for the last two hours of a day",
        slow(DAY - 7200, DAY, 60),
        lambda: Scene(DAY, rate=5, median=0.2).slower(DAY - 7200, DAY, 3).evidence(),
    ),
    simulated(
        "slower-by-and-by",
        "45 min",
        "slower by 3 % a minute: never at once, and twice and more in the end",
        fails(Cause("latency", FAIL), beside=("throughput",)),
        lambda: _by_and_by().evidence(),
    ),
    simulated(
        "slower-four-minutes",
        "45 min",
        "four times slower for four minutes",
        slow(1500, 1740, 60),
        lambda: Scene(LONG, median=0.05).slower(1500, 1740, 4).evidence(),
    ),
    simulated(
        "one-connection-hangs",
        "45 min",
        "one of four connections gets no answer from minute 25 on",
        fails(Cause("stalls", FAIL, ("no answer",), (1500, LONG), 2), beside=("disconnects",)),
        lambda: (
            Scene(LONG)
            .less(1500, LONG, 0.75)
            .but(longest_request=LongestRequest(LONG - 1500.0, BEGAN + float(LONG), answered=False))
            .evidence()
        ),
    ),
    simulated(
        "errors-at-the-end",
        "45 min",
        "the last 15 s are errors",
        fails(Cause("answers", FAIL, ("500",), (LONG - 15, LONG)), beside=("stalls",)),
        lambda: Scene(LONG).answers(LONG - 15, LONG, "500", 1).evidence(),
    ),
    simulated(
        "less-served",
        "45 min",
        "half the rate from minute 20 on, each answer as fast as before",
        fails(Cause("throughput", FAIL, when=(1200, LONG), within=60)),
        lambda: Scene(LONG).less(1200, LONG, 0.5).evidence(),
    ),
    simulated(
        "tail-slower",
        "45 min",
        "each tenth request takes ten times as long from minute 20 on",
        fails(Cause("latency", FAIL, when=(1200, LONG), within=60)),
        lambda: Scene(LONG, median=0.05).tail_slower(1200, LONG, 0.1, 10).evidence(),
    ),
    simulated(
        "frozen-15s-of-60",
        "60 s",
        "nothing is answered from second 30 to 45",
        fails(Cause("stalls", FAIL, when=(30, 45), within=2), beside=("throughput", "latency")),
        lambda: Scene(60).frozen(30, 45).evidence(),
    ),
    simulated(
        "frozen-15s-of-45m",
        "45 min",
        "nothing is answered for 15 s, and it recovers",
        fails(Cause("stalls", FAIL, when=(1500, 1515), within=2)),
        lambda: Scene(LONG).frozen(1500, 1515).evidence(),
    ),
    simulated(
        "frozen-at-the-end",
        "45 min",
        "the last 12 s are silent",
        fails(Cause("stalls", FAIL, when=(LONG - 12, LONG), within=2), beside=("disconnects",)),
        lambda: Scene(LONG).frozen(LONG - 12, LONG).but(stalled=0).evidence(),
    ),
    simulated(
        "frozen-in-a-day",
        "24 h",
        "11 s of a day",
        fails(Cause("stalls", FAIL, when=(50_000, 50_011), within=2)),
        lambda: Scene(DAY, rate=5).frozen(50_000, 50_011).evidence(),
    ),
    simulated(
        "one-slow-request",
        "45 min",
        "one request of four connections takes 40 s",
        fails(Cause("stalls", FAIL, ("40",))),
        lambda: Scene(LONG).one_waits(1500, 1540).evidence(),
    ),
    simulated(
        "burst-20-percent",
        "45 min",
        "20 % errors for 70 s: 0.5 % of the whole",
        fails(Cause("answers", FAIL, ("502",), (1500, 1570))),
        lambda: Scene(LONG).answers(1500, 1570, "502", 0.2).evidence(),
    ),
    simulated(
        "burst-all",
        "45 min",
        "nothing but 503 for 12 s",
        fails(Cause("answers", FAIL, ("503",), (900, 912)), beside=("stalls",)),
        lambda: Scene(LONG, rate=20).answers(900, 912, "503", 1).evidence(),
    ),
    simulated(
        "burst-60s",
        "60 s",
        "half of the answers are 500 for 8 s",
        fails(Cause("answers", FAIL, ("500",), (30, 38))),
        lambda: Scene(60).answers(30, 38, "500", 0.5).evidence(),
    ),
    simulated(
        "burst-in-a-day",
        "24 h",
        "10 % errors for two minutes of a day",
        fails(Cause("answers", FAIL, ("502",), (40_000, 40_120))),
        lambda: Scene(DAY, rate=5).answers(40_000, 40_120, "502", 0.1).evidence(),
    ),
    simulated(
        "errors-2-percent",
        "45 min",
        "2 % errors all along",
        fails(Cause("answers", FAIL, ("500",))),
        lambda: Scene(LONG).answers(0, LONG, "500", 0.02).evidence(),
    ),
    simulated(
        "warmup-errors",
        "45 min",
        "errors in the first 20 s alone, while it warms up",
        fails(Cause("answers", FAIL, ("503",), (0, 20))),
        lambda: Scene(LONG).answers(0, 20, "503", 0.9).evidence(),
    ),
    simulated(
        "cloud-429-not-allowed",
        "45 min",
        "a cloud answers 20 % with 429",
        fails(Cause("answers", FAIL, ("429", "too many requests"))),
        lambda: Scene(LONG, route=Route.OPENAI).answers(0, LONG, "429", 0.2).evidence(),
    ),
    simulated(
        "all-500",
        "45 min",
        "every answer is 500",
        fails(Cause("answers", FAIL, ("none of",)), beside=("throughput", "latency", "stalls")),
        lambda: Scene(LONG).answers(0, LONG, "500", 1).evidence(),
    ),
    simulated(
        "disconnects",
        "45 min",
        "three requests of 45 minutes are cut off",
        fails(Cause("disconnects", FAIL, ("no whole answer",))),
        lambda: Scene(LONG).fails(1000, 1003, FailureReason.READ, 0.04).evidence(),
    ),
    simulated(
        "generator-limit-slower",
        "45 min",
        "twice as slow, and the generator waited for a CPU for 12 %",
        Right(
            INCONCLUSIVE, (Cause("generator", INCONCLUSIVE), Cause("latency", INCONCLUSIVE)), ("throughput",)
        ),
        lambda: Scene(LONG, median=0.06).slower(1500, LONG, 2).generator_short(0, LONG, 0.5, 0.12).evidence(),
    ),
    simulated(
        "generator-limit-cpu",
        "45 min",
        "the generator used 97 % of the CPUs that it may use",
        Right(INCONCLUSIVE, (Cause("generator", INCONCLUSIVE),), ("latency", "throughput")),
        lambda: Scene(LONG).generator_short(0, LONG, 0.97, 0.01).evidence(),
    ),
    simulated(
        "generator-short-for-a-minute",
        "45 min",
        "the generator was short of CPU for one minute of 45: told, and no more",
        clean(*SERVICE, "generator"),
        lambda: Scene(LONG).generator_short(1200, 1260, 0.3, 0.012).evidence(),
    ),
    simulated(
        "slower-3x-90s-few",
        "90 s",
        "three times slower at 13 requests a second: too few for latency, and throughput says it",
        fails(Cause("throughput", FAIL, when=(45, 90), within=10), beside=("latency",)),
        lambda: Scene(90).slower(45, 90, 3).evidence(),
    ),
    simulated(
        "generator-limit-errors",
        "45 min",
        "the generator at its limit, and 5 % errors: these stand",
        fails(Cause("answers", FAIL, ("502",)), beside=("generator", "latency", "throughput")),
        lambda: Scene(LONG).answers(0, LONG, "502", 0.05).generator_short(0, LONG, 0.97, 0.2).evidence(),
    ),
)


def _by_and_by() -> Scene:
    scene = Scene(LONG, median=0.1)
    for minute in range(2, LONG // 60):
        scene.slower(minute * 60, LONG, 1.03)
    return scene


CASES: tuple[Case, ...] = (*CLEAN, *FAULTY)
