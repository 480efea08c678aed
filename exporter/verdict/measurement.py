"""What a statement's measure comes to in a run: a figure for each window, and what is not known."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence

from exporter.live.message import Phase
from exporter.live.seconds import Window
from exporter.timeseries import Series
from exporter.verdict.evidence import Evidence
from exporter.verdict.figures import Figure, Measured
from exporter.verdict.finding import Said, Span
from exporter.verdict.lives import summed
from exporter.verdict.scraped import is_scraped, source_of, too_fine
from exporter.verdict.series_measure import of_series
from exporter.verdict.statement import Kind, Measure, Statement, Windows
from exporter.verdict.stream_figures import stream_figure

SCRAPES_APART_SECONDS = 15.0
"""a span in which a process was sampled less often is not known of it"""
MIN_GROWTH_SECONDS = 600.0
"""the shortest life of a process from which a growth an hour is told"""
_METRICS = {
    "rss": ("observed_process_resident_memory_bytes",),
    "memory": ("observed_process_anonymous_memory_bytes", "observed_process_swap_bytes"),
    "swap": ("observed_process_swap_bytes",),
    "file_descriptors": ("observed_process_open_fds",),
    "threads": ("observed_process_threads",),
    "connections": ("observed_process_connections",),
    "gpu_memory": ("gpu_process_memory_bytes",),
    "cpu": ("observed_process_cpu_seconds_total",),
}
_COUNTED_STATES = ("established", "close_wait")


def measured(statement: Statement, evidence: Evidence) -> Measured:
    """The figures of a statement that asks no Prometheus."""
    measure = statement.measure
    if measure.who is not None:
        return _of_processes(statement, evidence)
    if measure.series is not None:
        return of_series(
            statement, evidence, list(_parts_of(statement, load_spans(evidence, with_warmup=True)))
        )
    if measure.is_of_streams:
        return _of_streams(measure, evidence)
    if statement.windows == Windows.WHOLE:
        return _of_whole(measure, evidence)
    spans = load_spans(evidence, with_warmup=measure.kind != Kind.SECONDS)
    if (fine := too_fine(evidence, statement.window_seconds or 1)) is not None:
        return Measured((), fine)
    figures: list[Figure] = []
    unknown = whole = 0
    for window in _windows(statement, evidence, spans):
        whole += 1
        value = _of_window(measure, window, evidence) if window.is_known else None
        if value is None:
            unknown += 1
        else:
            figures.append(Figure(value, Span(window.since, window.until)))
    return Measured(tuple(figures), _missing_windows(statement, whole, unknown))


def load_spans(evidence: Evidence, with_warmup: bool) -> list[Span]:
    """The times of load, a rest apart; where the phases are not known, of all that was counted."""
    wanted = (Phase.WARMUP, Phase.LOAD) if with_warmup else (Phase.LOAD,)
    spans: list[Span] = []
    for each in evidence.phases:
        if each.phase not in wanted:
            continue
        if spans and each.since - spans[-1].until < 1:
            spans[-1] = Span(spans[-1].since, each.until)
        else:
            spans.append(Span(each.since, each.until))
    if spans or evidence.phases:
        return spans
    times = [each.second for each in evidence.seconds]
    return [Span(times[0], times[-1] + 1)] if times else []


def _windows(statement: Statement, evidence: Evidence, spans: Sequence[Span]) -> Iterator[Window]:
    seconds = statement.window_seconds or 1
    of = evidence.seconds.windows if statement.windows == Windows.EACH else evidence.seconds.sliding
    for span in spans:
        yield from of(span.since, span.until, seconds)


def _missing_windows(statement: Statement, whole: int, unknown: int) -> Said | None:
    if not whole:
        length = statement.window_seconds
        return Said(f"the load had no window of {length} s", f"負荷に {length} 秒のウィンドウが一つもない")
    if unknown:
        return Said(
            f"{unknown:,} of {whole:,} windows could not be measured",
            f"{whole:,} 個のウィンドウのうち {unknown:,} 個は計測できず",
        )
    return None


def _of_window(measure: Measure, window: Window, evidence: Evidence) -> float | None:
    match measure.name:
        case "quantile":
            return window.quantile(measure.quantile or 0)
        case "max":
            return window.quantile(1)
        case "rps":
            return window.successes_per_second
        case "requests":
            return float(window.successes + window.statuses.total())
    if not window.attempts:
        return None
    allowed = sum(window.statuses[status] for status in evidence.allowed_statuses)
    bad = {"errors": window.errors - allowed, "failures": window.failures.total()}
    return bad.get(measure.name, window.statuses[measure.status or ""]) / window.attempts


def _of_whole(measure: Measure, evidence: Evidence) -> Measured:
    """Over the whole load: counts are exact, durations those after the warm-up."""
    nothing = Measured((), Said("nothing of it was measured", "計測値なし"))
    spans = load_spans(evidence, with_warmup=measure.kind != Kind.SECONDS)
    span = Span(spans[0].since, spans[-1].until) if spans else Span(0, 0)
    attempts = evidence.responses + evidence.failed
    value: float | None = None
    match measure.name:
        case "quantile":
            value = _quantile(measure.quantile or 0, evidence, spans)
        case "max":
            longest = evidence.longest_request
            value = longest.seconds if longest else None
            if longest is None and not is_scraped(evidence):
                value = _quantile(1, evidence, spans)
        case "rps":
            seconds = evidence.measured_seconds
            value = evidence.successes / seconds if seconds > 0 else None
        case "requests":
            value = float(evidence.responses)
        case "errors":
            value = (evidence.errors + evidence.failed) / attempts if attempts else None
        case "failures":
            value = evidence.failed / attempts if attempts else None
        case "status":
            value = evidence.statuses.get(measure.status or "", 0) / attempts if attempts else None
    return nothing if value is None else Measured((Figure(value, span),))


def _of_streams(measure: Measure, evidence: Evidence) -> Measured:
    if evidence.streams is None:
        return Measured((), Said("no stream was looked into", "ストリームの計測なし"))
    if measure.name == "goodput" and evidence.goodput is None:
        return Measured((), Said("no --goodput was given", "--goodput の指定なし"))
    value = stream_figure(measure.name, measure.quantile, evidence)
    if value is None:
        return Measured((), Said("no stream completed", "完了したストリームなし"))
    spans = load_spans(evidence, with_warmup=True)
    span = Span(spans[0].since, spans[-1].until) if spans else Span(0, 0)
    return Measured((Figure(value, span),))


def _quantile(quantile: float, evidence: Evidence, spans: Sequence[Span]) -> float | None:
    whole = Window(0, 0)
    for span in spans:
        whole.add(evidence.seconds.window(span.since, span.until))
    return whole.quantile(quantile)


def _of_processes(statement: Statement, evidence: Evidence) -> Measured:
    measure = statement.measure
    spans = load_spans(evidence, with_warmup=measure.name != "growth")
    processes = _processes(measure, evidence)
    if not processes:
        what = f"{measure.resource or measure.name}({measure.who})"
        return Measured((), Said(f"no watched process gives {what}", f"{what} を公開する監視対象がない"))
    figures: list[Figure] = []
    missing: list[str] = []
    for name, parts in processes.items():
        found, whole = _of_process(statement, name, parts, spans, evidence)
        figures += found
        if not whole:
            missing.append(name)
    names = ", ".join(missing)
    said = Said(f"{names}: not sampled all the time", f"{names}: 計測の途切れあり") if missing else None
    if missing and measure.name == "growth":
        minutes = f"{MIN_GROWTH_SECONDS / 60:.0f}"
        said = Said(
            f"{names}: observed for less than {minutes} minutes without a restart",
            f"{names}: 再起動なしの観測が {minutes} 分に満たない",
        )
    return Measured(tuple(figures), said)


def _processes(measure: Measure, evidence: Evidence) -> dict[str, list[Series]]:
    """The series of what is measured, by process."""
    names = {
        series.label("process") or ""
        for series in evidence.series.select("observed_process_up")
        if measure.who in (series.label("process"), series.label("role"))
    }
    found: dict[str, list[Series]] = defaultdict(list)
    for metric in _METRICS[measure.resource or measure.name]:
        for series in evidence.series.select(metric):
            state, name = series.label("state"), series.label("process") or ""
            if name in names and (state is None or state in _COUNTED_STATES):
                found[name].append(series)
    return found


def _of_process(
    statement: Statement, name: str, parts: list[Series], spans: Sequence[Span], evidence: Evidence
) -> tuple[list[Figure], bool]:
    """Its figures, and whether all of them are known."""
    if statement.measure.name == "growth":
        span = Span(spans[0].since, spans[-1].until) if spans else Span(0, 0)
        growth = _growth_per_hour(summed(parts), _life(name, span, evidence))
        return ([], False) if growth is None else ([Figure(growth, span, name)], True)
    figures, whole = [], bool(spans)
    samples = summed(parts)
    for span in _parts_of(statement, spans):
        first, after = bisect_left(samples.times, span.since), bisect_right(samples.times, span.until)
        values = samples.values[first:after]
        apart = max(SCRAPES_APART_SECONDS, 1.5 * source_of(evidence).interval_seconds)
        if len(values) < 2 or len(values) < span.seconds / apart:
            whole = False
            continue
        if statement.measure.kind == Kind.CORES:
            part = Series(samples.name, (), samples.times[first:after], values)
            value = part.increase() / (part.times[-1] - part.times[0])
        else:
            value = max(values) if statement.is_upper else min(values)
        figures.append(Figure(value, span, name))
    return figures, whole and bool(figures)


def _parts_of(statement: Statement, spans: Sequence[Span]) -> Iterator[Span]:
    """The windows of a statement; those that slide move on by a second scrape's time."""
    length = statement.window_seconds
    for span in spans:
        if length is None:
            yield span
            continue
        step = length if statement.windows == Windows.EACH else min(length, 10)
        begin = span.since
        while begin + length <= span.until:
            yield Span(begin, begin + length)
            begin += step


def _life(process: str, span: Span, evidence: Evidence) -> Span:
    """The part of a span in which the process is the one that is there at its end."""
    since = span.since
    for series in evidence.series.select("observed_process_start_time_seconds", process=process):
        last = series.values[-1]
        since = max([since, *(t for t, v in zip(series.times, series.values, strict=True) if v != last)])
    return Span(since, span.until)


def _growth_per_hour(samples: Series, life: Span) -> float | None:
    """From the floor (5th percentile) of the first quarter to that of the last."""
    if life.seconds < MIN_GROWTH_SECONDS:
        return None
    quarter = life.seconds / 4
    first = _floor(samples, Span(life.since, life.since + quarter))
    last = _floor(samples, Span(life.until - quarter, life.until))
    return None if first is None or last is None else (last - first) / (3 * quarter) * 3600


def _floor(samples: Series, span: Span) -> float | None:
    values = sorted(
        samples.values[bisect_left(samples.times, span.since) : bisect_right(samples.times, span.until)]
    )
    return values[len(values) // 20] if len(values) >= 5 else None
