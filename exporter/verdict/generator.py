"""Was the load generator the limit? Then what it measures is its own latency, and not the router's."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from exporter.verdict.elapsed import times
from exporter.verdict.evidence import Evidence, GeneratorLoad, LoadKnown
from exporter.verdict.finding import Finding, Outcome, Said, joined, verbatim
from exporter.verdict.lateness import bound_seconds, lag_said, late_said, late_seconds

MAX_WAIT_RATIO = 0.05
"""of the time, in which a thread of it was ready and waited for a CPU, the mean of all threads"""
MAX_CPU_RATIO = 0.9
"""of the CPUs that it may use"""
MAX_SHORT_RATIO = 0.25
"""of the load, in which it was beyond one of these: a burst condemns no hour"""
MIN_SECONDS = 15.0
"""of looks at it, for what is said"""


def is_short(cpu_ratio: float, wait_ratio: float | None) -> bool:
    """Whether it is the limit in a stretch of some seconds."""
    return cpu_ratio >= MAX_CPU_RATIO or (wait_ratio is not None and wait_ratio > MAX_WAIT_RATIO)


def judge_generator(evidence: Evidence) -> Finding:
    """The load generator has the CPU that it needs, for three quarters of the load, and is not late itself.

    Its threads wait for one in no more than 5 % of the time, and it uses less than 90 % of those that it may.
    Of a load of less than MIN_SECONDS how late it was is told, and not judged.
    """
    found, late = _of_cpu(evidence), late_said(evidence)
    if late is None or evidence.streams is None or evidence.measured_seconds < MIN_SECONDS:
        lag = lag_said(evidence)
        if lag is None:
            return found
        return replace(found, said=found.said + verbatim("; ") + lag, short=found.short or found.said)
    said = Said("the load generator itself was late: ", "負荷ツール自身の遅れ: ") + late
    if found.outcome != Outcome.NOT_JUDGED:
        said += verbatim("; ") + found.said
    figure, bound = late_seconds(evidence), bound_seconds(evidence, evidence.streams)
    return Finding("generator", Outcome.INCONCLUSIVE, said, figure, bound, "seconds", found.spans)


def _of_cpu(evidence: Evidence) -> Finding:
    load = evidence.generator
    if load is None or _looked_seconds(evidence, load) < MIN_SECONDS:
        if load is None and evidence.planned_seconds >= MIN_SECONDS and not evidence.so_far:
            unknown = Said("not known", "不明")
            if evidence.load_known == LoadKnown.SCRAPED:
                unknown = Said(
                    "its CPU is not told by the series of a Prometheus",
                    "CPU 使用は Prometheus の系列からは分からない",
                )
            return Finding("generator", Outcome.NOT_JUDGED, unknown)
        few = Said(f"watched for less than {MIN_SECONDS:.0f} s", f"観測が {MIN_SECONDS:.0f} 秒未満")
        planned = f"{evidence.planned_seconds:.0f}"
        short = Said(f"{planned} s of load", f"負荷 {planned} 秒")
        return Finding("generator", Outcome.NOT_JUDGED, few, short=short)
    finding = partial(
        Finding, "generator", figure=load.wait_ratio, bound=MAX_WAIT_RATIO, unit="ratio", spans=load.short
    )
    if not was_limit(evidence):
        said = _figures(load)
        if load.short:
            said += Said(", short of CPU for a while, ", "、一時的に CPU 不足、")
            said += verbatim(times(evidence, load.short))
        return finding(Outcome.PASS, said + _host(evidence))
    limit = Said("the load generator was the limit: ", "負荷ツール自体が限界: ")
    share = f"{_short_ratio(load):.0%}"
    lasted = Said(f", short of CPU in {share} of the time", f"、CPU 不足は時間の {share}")
    advice = Said(
        "; give it CPUs of its own, or fewer connections", "。専用の CPU を与えるか、接続数を減らす"
    )
    return finding(Outcome.INCONCLUSIVE, limit + _figures(load) + lasted + _host(evidence) + advice)


def was_limit(evidence: Evidence) -> bool:
    """Whether it was for so long that no latency of the run says anything of the router."""
    load = evidence.generator
    if load is None or _looked_seconds(evidence, load) < MIN_SECONDS:
        return False
    return _short_ratio(load) > MAX_SHORT_RATIO


def doubted(evidence: Evidence, finding: Finding) -> Finding:
    """A finding on latency: inconclusive where the generator was the limit, in the run or at its times."""
    load = evidence.generator
    if finding.outcome not in (Outcome.PASS, Outcome.FAIL, Outcome.WARNING) or load is None:
        return finding
    if not was_limit(evidence) and not (finding.outcome != Outcome.PASS and _mostly_within(finding, load)):
        return finding
    because = Said("; the load generator was the limit: ", "。負荷ツール自体が限界: ")
    return replace(finding, outcome=Outcome.INCONCLUSIVE, said=finding.said + because + _figures(load))


def _looked_seconds(evidence: Evidence, load: GeneratorLoad) -> float:
    return evidence.measured_seconds if load.seconds is None else load.seconds


def _short_ratio(load: GeneratorLoad) -> float:
    """Of the time that was looked at."""
    if load.seconds is None:
        return float(is_short(load.cpu_ratio, load.wait_ratio))
    return sum(each.seconds for each in load.short) / load.seconds


def _mostly_within(finding: Finding, load: GeneratorLoad) -> bool:
    whole = sum(span.seconds for span in finding.spans)
    inside = sum(
        max(0.0, min(span.until, short.until) - max(span.since, short.since))
        for span in finding.spans
        for short in load.short
    )
    return whole > 0 and inside > whole / 2


def _figures(load: GeneratorLoad) -> Said:
    cpu = f"{load.cpu_ratio:.0%}"
    said = Said(f"it used {cpu} of its CPUs", f"CPU 使用率 {cpu}")
    if load.wait_ratio is None:
        return said
    wait = f"{load.wait_ratio:.1%}"
    return (
        Said(f"its threads waited for a CPU in {wait} of the time, ", f"スレッドの CPU 待ちは時間の {wait}、")
        + said
    )


def _host(evidence: Evidence) -> Said:
    """How busy the host was, as a note: load, router and nodes often share one."""
    modes: dict[str, float] = {}
    for series in evidence.series.each("node_cpu_seconds_total"):
        mode = series.label("mode") or ""
        modes[mode] = modes.get(mode, 0.0) + series.increase()
    whole = sum(modes.values())
    if not whole:
        return verbatim("")
    busy = 1 - (modes.get("idle", 0.0) + modes.get("iowait", 0.0)) / whole
    said = Said(f"; the host's CPUs were {busy:.0%} busy", f"。ホストの CPU 使用率 {busy:.0%}")
    return said + joined([verbatim(""), *_notes(evidence, modes, whole)], ", ")


def _notes(evidence: Evidence, modes: dict[str, float], whole: float) -> Iterator[Said]:
    if (steal := modes.get("steal", 0.0) / whole) >= 0.01:
        yield Said(f"stolen by its hypervisor {steal:.0%}", f"ハイパーバイザーによる steal {steal:.0%}")
    for series in evidence.series.each("node_pressure_cpu_waiting_seconds_total"):
        seconds = series.times[-1] - series.times[0]
        if seconds > 0 and (waiting := series.increase() / seconds) >= 0.01:
            yield Said(f"something waited for one in {waiting:.0%}", f"CPU 待ちの発生 {waiting:.0%}")
