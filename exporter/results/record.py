"""The Markdown record of a run, the seed's template filled in, and its row of the results CSV."""

import itertools
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime

from exporter.live.message import Route, RunInfo, StatusClass
from exporter.live.results_csv import ResultRow
from exporter.load.model_label import ModelSource
from exporter.results.run_document import document_of, row_of
from exporter.results.run_result import JudgeInputs, RunInputs, RunResult
from exporter.results.stream_record import stream_lines
from exporter.results.streams_part import StreamsPart
from exporter.results.summary import code, escaped
from exporter.settings.placeholders import shell_word, shown_command
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import EndedBy
from exporter.verdict.finding import Outcome
from exporter.verdict.objectives import japanese_name

VERDICTS = {Outcome.PASS: "合格", Outcome.FAIL: "不合格", Outcome.INCONCLUSIVE: "判定不能"}

_ENDED = {
    EndedBy.ITSELF: "終了コード {}",
    EndedBy.DURATION: "--duration で終了させた",
    EndedBy.USER: "利用者が停止",
}

MODEL_SOURCES = {
    ModelSource.OPTION: "--modelの指定",
    ModelSource.BODY: "--bodyから",
    ModelSource.SCRIPT: "--scriptから",
    ModelSource.SCRIPT_FIRST: "--scriptにある最初のもの",
    ModelSource.PROMPTS: "--promptsの最初のもの",
    ModelSource.SCENARIO: "--scenarioの既定",
    ModelSource.DEFAULT: "既定",
    ModelSource.UNKNOWN: "--scriptから読み取れず",
}


def record_head(info: RunInfo, name: str, soak_command: str) -> list[str]:
    """How a record begins; 日時 is this machine's local time with its zone."""
    when = datetime.fromtimestamp(info.start_timestamp_seconds).astimezone()
    return [
        f"## {escaped(name)}",
        f"- 日時: {when:%Y-%m-%d %H:%M %Z}",
        f"- 対象: {_subject(info)}",
        f"- コマンド: {code(soak_command)}",
    ]


def _subject(info: RunInfo) -> str:
    if info.route is None:
        return "監視のみ"
    return "ローカル" if info.route == Route.LOCAL else info.route


def record_text(result: RunResult, name: str) -> str:
    """The record under the heading `name`."""
    lines = [
        *record_head(result.info, name, result.soak_command),
        *(_of_load(result) if result.has_load else _of_watch(result)),
        f"- 備考: {'、'.join(_remarks(result))}",
    ]
    return "\n".join(lines) + "\n"


def _of_load(result: RunResult) -> Iterator[str]:
    row = result_row(result)
    if isinstance(result.inputs, JudgeInputs):
        since, until = (datetime.fromtimestamp(each).astimezone() for each in _window(result.inputs))
        yield f"  - Prometheus: {code(result.inputs.prometheus)}"
        yield f"  - 期間: {since:%Y-%m-%d %H:%M:%S} – {until:%Y-%m-%d %H:%M:%S %Z}"
    else:
        yield f"  - 負荷ツール: {code(' '.join(each.word for each in shown_command(result.command)))}"
    yield "- 成果物:"
    yield f"  - RPS: {_known(row.rps)}"
    yield f"  - p95: {_known(row.p95_ms, ' ms')} / p99: {_known(row.p99_ms, ' ms')}"
    yield from stream_lines(StreamsPart.of(result.evidence))
    yield f"- 失敗: {_failures(result)}"


def _window(inputs: JudgeInputs) -> tuple[float, float]:
    return inputs.since, inputs.until


def _of_watch(result: RunResult) -> Iterator[str]:
    """Nobody here counted its requests: RPS and latencies are not unknown, they are somebody else's."""
    evidence = result.evidence
    if result.command:
        yield f"  - 負荷コマンド: {code(' '.join(map(shell_word, result.command)))}"
    yield "- 成果物:"
    where = "command-output.txt を参照" if result.command else "負荷は本ツールのものではない"
    yield f"  - RPS・p95・p99: 対象外 ({where})"
    yield f"  - 監視時間: {evidence.measured_seconds:.0f} 秒"
    traffic = result.traffic
    if traffic is None or traffic.failures is None:
        yield "- 失敗: 不明 (ルーターの API は件数を出さない)"
    else:
        yield f"- 失敗: {traffic.failures:,.0f} (ルーターの集計、リクエスト {traffic.requests:,.0f} 件中)"
    if evidence.command is not None:
        yield f"- 負荷コマンドの終了: {_ENDED[evidence.command.by].format(evidence.command.exit_code)}"


def _known(value: float | None, unit: str = "") -> str:
    return "不明" if value is None else f"{value:.2f}{unit}"


def _failures(result: RunResult) -> str:
    evidence = result.evidence
    counts = {str(name): count for name, count in (*evidence.failures.items(), *evidence.requests.items())}
    del counts[StatusClass.SUCCESS]
    parts = {name: counts.pop(name) for name in ("4xx", "5xx", "timeout")}
    parts |= {name: count for name, count in counts.items() if count}
    broken_down = " / ".join(f"{name}: {count}" for name, count in parts.items())
    return f"{sum(parts.values())} (内訳 {broken_down})"


def _remarks(result: RunResult) -> list[str]:
    inputs = result.inputs
    remarks = [f"判定 {VERDICTS[result.judgement.outcome]}{_unjudged(result)}"]
    if isinstance(inputs, RunInputs):
        remarks.append(f"モデル {escaped(inputs.model)} ({MODEL_SOURCES[inputs.model_source]})")
    remarks += [
        f"{japanese_name(finding.check)} ({finding.check}): {escaped(finding.said.japanese)}"
        for finding in result.judgement.findings
        if finding.outcome in (Outcome.FAIL, Outcome.WARNING, Outcome.INCONCLUSIVE)
    ]
    if isinstance(inputs, RunInputs) and inputs.max_requests is not None:
        remarks.append(f"上限 {inputs.max_requests:,} リクエスト")
    watching = result.evidence.watching
    remarks.append(escaped(watching.said.japanese))
    series, memory = result.evidence.series, "observed_process_resident_memory_bytes"
    router = peak(series, memory, role="router") if watching.is_target else None
    peaks = (
        ("Router RSS最大 {:.1f} MiB", router, 2**20),
        ("ホストCPU使用率最大 {:.0%}", peak_host_cpu_ratio(series), 1),
        ("GPU使用率最大 {:.0%}", peak(series, "gpu_utilization_ratio"), 1),
        ("ノードRSS最大 {:.1f} MiB", peak(series, memory, role="node"), 2**20),
    )
    remarks += [text.format(value / unit) for text, value, unit in peaks if value is not None]
    if result.alerts:
        remarks.append(f"アラート {', '.join(map(escaped, result.alerts))}")
    return remarks


def _unjudged(result: RunResult) -> str:
    """What was not judged and why, behind the verdict."""
    parts = "; ".join(escaped(each.japanese) for each in result.judgement.unjudged)
    return f" ({parts})" if parts else ""


def peak(series: SeriesStore, name: str, **labels: str) -> float | None:
    """The greatest value of a gauge over all series with these labels, or None where there is none."""
    return max((max(each.values) for each in series.each(name, **labels)), default=None)


def peak_host_cpu_ratio(series: SeriesStore) -> float | None:
    """The busiest interval of the whole host (0–1), or None where there is none."""
    idle: defaultdict[float, float] = defaultdict(float)
    total: defaultdict[float, float] = defaultdict(float)
    for each in series.each("node_cpu_seconds_total"):
        waiting = each.label("mode") in ("idle", "iowait")
        for time, value in zip(each.times, each.values, strict=True):
            total[time] += value
            if waiting:
                idle[time] += value
    busy = []
    for before, after in itertools.pairwise(sorted(total)):
        elapsed = total[after] - total[before]
        if elapsed > 0:
            busy.append(1 - (idle[after] - idle[before]) / elapsed)
    return max(busy, default=None)


def result_row(result: RunResult) -> ResultRow:
    """The run's row of the results CSV."""
    return row_of(document_of(result))
