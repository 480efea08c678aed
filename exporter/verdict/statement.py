"""An objective of the user's own as text: `each 5m: p99 < 500ms`.

    [WINDOW:] MEASURE COMPARISON NUMBER[UNIT]

WINDOW      `whole` (the load; where none is given), `each 5m` (windows end to end), `every 1m sliding`
MEASURE     of the service: `p50` … `p99.9`, `max`, `rps`, `errors`, `failures`, `status(429)`, `requests`
            of the streams, over the whole load: `ttft p99`, `first_output p99`, `chunk_gap p99`,
            `time_per_output_token p99` (p50, p75, p90, p95, p99, p99.9), `goodput`, `tokens_per_second`
            of a process, by its name or its role: `rss(router)`, `memory`, `swap`, `file_descriptors`,
            `threads`, `connections`, `gpu_memory`, `cpu`, `growth(router, memory)`
            of any scraped series, by its name and labels: `max(NAME{label="x"})`, `min`, `mean`, `last`, and
            of a counter `rate(…)`, a second, and `increase(…)`
COMPARISON  `<`, `<=`, `>`, `>=`
UNIT        us ms s m · % · KiB MiB GiB kB MB GB · /h for a growth · /s for a rate

or `promql: EXPRESSION COMPARISON NUMBER`, which a Prometheus is asked at the end of the load.
"""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import isfinite

from exporter.errors import ConfigurationError
from exporter.verdict.selector import Selector, read_selector

MAX_LETTERS = 500
QUANTITIES = ("rss", "memory", "swap", "file_descriptors", "threads", "connections", "gpu_memory", "cpu")
"""of a process"""
OF_STREAMS = ("ttft", "first_output", "chunk_gap", "time_per_output_token")
"""figures of the streams that are seconds, of which a quantile is taken"""
STREAM_QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99.9": 0.999}
GROWING = ("memory", "rss", "file_descriptors", "threads", "connections", "gpu_memory")
_BYTES = ("rss", "memory", "swap", "gpu_memory")
STATEMENT_BEGINS = ("whole", "each", "every", "promql")
"""the words before the colon, where there is one"""
OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    "<": operator.lt,
    ">=": operator.ge,
    ">": operator.gt,
}
_TIME = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0}
_SIZE = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30}
_RATES = {f"{unit}/s": size for unit, size in _SIZE.items()}
_WINDOW = re.compile(r"whole|each\s+(?P<each>\S+)|every\s+(?P<every>\S+)\s+sliding", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?", re.ASCII)
_COMPARED = re.compile(r"(?P<left>.*?)\s*(?P<sign><=|>=|<|>)\s*(?P<right>.*)", re.DOTALL)
_NUMBER = re.compile(
    r"(?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(?P<unit>[A-Za-z%/]*)", re.ASCII
)
_QUANTILE = re.compile(r"p(\d{1,2}(?:\.\d{1,3})?)", re.ASCII)
_STATUS = re.compile(r"status\(\s*([1-5]\d\d)\s*\)", re.ASCII)
_OF_PROCESS = re.compile(
    r"(?P<what>[a-z_]+)\(\s*(?P<who>[^,()]{1,64}?)\s*(?:,\s*(?P<resource>[a-z_]+)\s*)?\)"
)


OF_SERIES = ("max", "min", "mean", "last", "rate", "increase")
"""what is made of the samples of a series"""


class Kind(StrEnum):
    """What a measure is, which says its unit."""

    SECONDS = "seconds"
    RATIO = "ratio"
    RATE = "requests_per_second"
    TOKEN_RATE = "tokens_per_second"
    COUNT = "count"
    BYTES = "bytes"
    CORES = "cores"
    BYTES_PER_HOUR = "bytes_per_hour"
    COUNT_PER_HOUR = "count_per_hour"
    ANY = ""


_CALL = re.compile(rf"(?P<what>{'|'.join(OF_SERIES)})\(\s*(?P<series>[^()]+(?:\{{.*\}})?)\s*\)", re.ASCII)


class Windows(StrEnum):
    """Over what a statement holds."""

    WHOLE = "whole"
    EACH = "each"
    SLIDING = "sliding"


@dataclass(frozen=True)
class Measure:
    """What is measured: `name` of the list above, and of what."""

    name: str
    kind: Kind
    quantile: float | None = None
    """0–1, of `quantile` and of what the streams took"""
    status: str | None = None
    who: str | None = None
    """a process or a role"""
    resource: str | None = None
    """of `growth`"""
    series: Selector | None = None
    """which scraped series, of one of OF_SERIES"""

    @property
    def is_of_streams(self) -> bool:
        """Whether only an engine that looks into streams knows it, of the whole load."""
        return self.name in (*OF_STREAMS, *_STREAMS)

    @property
    def needs_counts(self) -> bool:
        """Whether only a load of our own counts it."""
        return self.who is None and self.series is None and self.name != "promql"


@dataclass(frozen=True)
class Statement:
    """One objective, read."""

    text: str
    """as it was given"""
    windows: Windows
    window_seconds: int | None
    """None: the whole load"""
    measure: Measure
    comparison: str
    bound: float
    """in base units"""
    promql: str | None = None
    """the expression, where a Prometheus is asked"""

    def holds(self, figure: float) -> bool:
        """Whether a figure is within the bound. One that is no number is not."""
        return OPERATORS[self.comparison](figure, self.bound)

    @property
    def is_upper(self) -> bool:
        """Whether the figure has to be below the bound."""
        return self.comparison.startswith("<")


def read_statement(text: str) -> Statement:
    """The statement of a text; raises ConfigurationError saying what is wrong with which part."""
    given = " ".join(text.split())
    if not given or len(text) > MAX_LETTERS:
        raise ConfigurationError(f"an objective has 1 to {MAX_LETTERS} letters, like 'each 5m: p99 < 500ms'")
    if given.startswith("promql:"):
        return _promql(given, text.split(":", 1)[1].strip())
    windows, seconds, rest = _window(given)
    left, sign, right = _compared(rest, given)
    measure = _measure(left)
    if measure.name == "growth" and windows != Windows.WHOLE:
        raise ConfigurationError(f"{left}: growth is that of the whole load; write 'whole: {rest}'")
    if measure.is_of_streams and windows != Windows.WHOLE:
        raise ConfigurationError(f"{left}: streams are judged over the whole load; write 'whole: {rest}'")
    return Statement(given, windows, seconds, measure, sign, _bound(right, measure))


def _promql(given: str, rest: str) -> Statement:
    # The last comparison is the objective's: an expression may have others.
    signs = list(re.finditer(r"<=|>=|<|>", rest))
    if not signs or not (expression := rest[: signs[-1].start()].strip()):
        raise ConfigurationError(f"{given!r}: no comparison; write it as 'promql: EXPRESSION < 5'")
    measure = Measure("promql", Kind.ANY)
    bound = _bound(rest[signs[-1].end() :].strip(), measure)
    return Statement(given, Windows.WHOLE, None, measure, signs[-1].group(), bound, expression)


def _window(given: str) -> tuple[Windows, int | None, str]:
    head, colon, rest = given.partition(":")
    # The name of a process may have a colon too.
    if not colon or "(" in head:
        return Windows.WHOLE, None, given
    match = _WINDOW.fullmatch(head.strip())
    if match is None:
        raise ConfigurationError(f"{head.strip()!r} is no window: 'whole', 'each 5m' or 'every 1m sliding'")
    text = match["each"] or match["every"]
    if text is None:
        return Windows.WHOLE, None, rest.strip()
    return Windows.EACH if match["each"] else Windows.SLIDING, _seconds(text), rest.strip()


def _seconds(text: str) -> int:
    match = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in (match.groups() if match else ("", "", "")))
    total = 3600 * hours + 60 * minutes + seconds
    if not 1 <= total <= 86_400:
        raise ConfigurationError(f"{text!r} is no length of a window like 30s, 5m or 1h (a day at most)")
    return total


def _compared(rest: str, given: str) -> tuple[str, str, str]:
    match = _COMPARED.fullmatch(rest)
    if match is None or not match["left"] or not match["right"].strip():
        raise ConfigurationError(f"{given!r}: not of the form 'MEASURE < NUMBER', like 'p99 < 500ms'")
    return match["left"], match["sign"], match["right"].strip()


_SERVICE = {
    "max": Measure("max", Kind.SECONDS),
    "rps": Measure("rps", Kind.RATE),
    "errors": Measure("errors", Kind.RATIO),
    "failures": Measure("failures", Kind.RATIO),
    "requests": Measure("requests", Kind.COUNT),
}
_STREAMS = {
    "goodput": Measure("goodput", Kind.RATIO),
    "tokens_per_second": Measure("tokens_per_second", Kind.TOKEN_RATE),
}


def _measure(text: str) -> Measure:
    if found := _SERVICE.get(text) or _STREAMS.get(text):
        return found
    name, _, quantile_name = text.partition(" ")
    if name in OF_STREAMS:
        if quantile_name not in STREAM_QUANTILES:
            known = ", ".join(STREAM_QUANTILES)
            raise ConfigurationError(
                f"{text!r}: of {name} one of {known} is known, like '{name} p99 < 500ms'"
            )
        return Measure(name, Kind.SECONDS, quantile=STREAM_QUANTILES[quantile_name])
    if match := _QUANTILE.fullmatch(text):
        quantile = float(match[1]) / 100
        if quantile > 0:
            return Measure("quantile", Kind.SECONDS, quantile=quantile)
    if match := _STATUS.fullmatch(text):
        return Measure("status", Kind.RATIO, status=match[1])
    if match := _OF_PROCESS.fullmatch(text):
        of_process = _of_process(match["what"], match["who"], match["resource"])
        if of_process is not None:
            return of_process
    if match := _CALL.fullmatch(text):
        return Measure(match["what"], Kind.ANY, series=read_selector(match["series"]))
    raise ConfigurationError(
        f"{text!r} is no measure: p50 to p99.9, {', '.join(_SERVICE)}, status(429), "
        f"{', '.join(f'{name} p99' for name in OF_STREAMS)}, {', '.join(_STREAMS)}, "
        f"{', '.join(f'{name}(router)' for name in QUANTITIES)}, growth(router, memory); "
        f"growth of {', '.join(GROWING)}; of a scraped series "
        f"{', '.join(f'{name}(NAME)' for name in OF_SERIES)}"
    )


def _of_process(what: str, who: str, resource: str | None) -> Measure | None:
    if what == "growth" and resource in GROWING:
        kind = Kind.BYTES_PER_HOUR if resource in _BYTES else Kind.COUNT_PER_HOUR
        return Measure(what, kind, who=who, resource=resource)
    if what in QUANTITIES and resource is None:
        kind = Kind.BYTES if what in _BYTES else Kind.CORES if what == "cpu" else Kind.COUNT
        return Measure(what, kind, who=who)
    return None


_UNITS: dict[Kind, tuple[dict[str, float], str]] = {
    Kind.SECONDS: (_TIME, "a time, like 500ms or 2s"),
    Kind.RATIO: ({"": 1.0, "%": 0.01}, "a share, like 1 % or 0.01"),
    Kind.RATE: ({"": 1.0, "/s": 1.0}, "a number a second, like 100"),
    Kind.TOKEN_RATE: ({"": 1.0, "/s": 1.0}, "a number a second, like 1000"),
    Kind.COUNT: ({"": 1.0}, "a number, like 500"),
    Kind.CORES: ({"": 1.0, "%": 0.01}, "a number of cores, like 1.5"),
    Kind.BYTES: (_SIZE, "a size, like 2GiB"),
    Kind.BYTES_PER_HOUR: ({f"{unit}/h": size for unit, size in _SIZE.items()}, "a growth, like 20MiB/h"),
    Kind.COUNT_PER_HOUR: ({"/h": 1.0}, "a growth, like 10/h"),
    Kind.ANY: ({"": 1.0, "%": 0.01, "/s": 1.0, "/h": 1 / 3600, **_TIME, **_SIZE, **_RATES}, "a number"),
}


def _bound(text: str, measure: Measure) -> float:
    units, wanted = _UNITS[measure.kind]
    match = _NUMBER.fullmatch(text)
    if match is None or match["unit"] not in units:
        raise ConfigurationError(f"{text!r}: give {wanted}")
    value = float(match["number"].replace("_", "")) * units[match["unit"]]
    if not isfinite(value):
        raise ConfigurationError(f"{text!r}: too large; give {wanted}")
    if measure.kind == Kind.RATIO and not 0 <= value <= 1:
        raise ConfigurationError(f"{text!r}: give {wanted}, from 0 to 100 %")
    return value
