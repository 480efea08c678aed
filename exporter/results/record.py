"""The Markdown record of a run, the seed's template filled in, and its row of the results CSV."""

import shlex
from datetime import datetime

from exporter.live.message import FailureReason, Route, StatusClass
from exporter.live.results_csv import ResultRow
from exporter.results.peaks import peak_bytes, peak_host_cpu_ratio, peak_ratio
from exporter.results.run_result import RunResult
from exporter.verdict.finding import Outcome

TARGETS = {
    Route.LOCAL: "ローカル",
    Route.OPENAI: "openai",
    Route.GOOGLE: "google",
    Route.ANTHROPIC: "anthropic",
}
VERDICTS = {Outcome.PASS: "合格", Outcome.FAIL: "不合格", Outcome.INCONCLUSIVE: "判定不能"}


def record_text(result: RunResult, name: str) -> str:
    """The record under the heading `name`; 日時 is this machine's local time with its zone."""
    when = datetime.fromtimestamp(result.info.start_timestamp_seconds).astimezone()
    lines = [
        f"## {name}",
        f"- 日時: {when:%Y-%m-%d %H:%M %Z}",
        f"- 対象: {TARGETS[result.info.route]}",
        f"- コマンド: {shlex.join(result.command)}",
        "- 成果物:",
        f"  - RPS: {_number(result.requests_per_second, 2)}",
        f"  - p95: {_milliseconds(result, '0.95')} / p99: {_milliseconds(result, '0.99')}",
        f"- 失敗: {_failures(result)}",
        f"- 備考: {'、'.join(_remarks(result))}",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None, digits: int) -> str:
    return "不明" if value is None else f"{value:.{digits}f}"


def _milliseconds(result: RunResult, quantile: str) -> str:
    seconds = result.quantiles[quantile]
    return "不明" if seconds is None else f"{seconds * 1000:.2f} ms"


def _failures(result: RunResult) -> str:
    evidence = result.evidence
    parts = {
        "4xx": evidence.requests[StatusClass.CLIENT_ERROR],
        "5xx": evidence.requests[StatusClass.SERVER_ERROR],
        "timeout": evidence.failures[FailureReason.TIMEOUT],
    }
    for reason, count in evidence.failures.items():
        if count and reason != FailureReason.TIMEOUT:
            parts[reason.value] = count
    for status_class in (StatusClass.INFORMATIONAL, StatusClass.REDIRECT):
        if evidence.requests[status_class]:
            parts[status_class.value] = evidence.requests[status_class]
    broken_down = " / ".join(f"{name}: {count}" for name, count in parts.items())
    return f"{sum(parts.values())} (内訳 {broken_down})"


def _remarks(result: RunResult) -> list[str]:
    remarks = [f"判定 {VERDICTS[result.judgement.outcome]}"]
    remarks += [
        f"{finding.check}: {finding.text}"
        for finding in result.judgement.findings
        if finding.outcome in (Outcome.FAIL, Outcome.WARNING, Outcome.INCONCLUSIVE)
    ]
    memory = peak_bytes(result.evidence.series, "router")
    if memory is not None:
        remarks.append(f"Router RSS最大 {memory / 2**20:.1f} MiB")
    cpu = peak_host_cpu_ratio(result.evidence.series)
    if cpu is not None:
        remarks.append(f"ホストCPU使用率最大 {cpu:.0%}")
    gpu = peak_ratio(result.evidence.series, "gpu_utilization_ratio")
    if gpu is not None:
        remarks.append(f"GPU使用率最大 {gpu:.0%}")
    nodes = peak_bytes(result.evidence.series, "node")
    if nodes is not None:
        remarks.append(f"ノードRSS最大 {nodes / 2**20:.1f} MiB")
    if result.alerts:
        remarks.append(f"アラート {', '.join(result.alerts)}")
    return remarks


def result_row(result: RunResult) -> ResultRow:
    """`rps` and the latencies are of 2xx alone; `requests` are all whole responses; `socket_errors` all
    requests that got none."""
    evidence = result.evidence
    milliseconds = {
        f"p{percent}_ms": None
        if (seconds := result.quantiles[str(percent / 100)]) is None
        else seconds * 1000
        for percent in (50, 75, 90, 95, 99)
    }
    return ResultRow(
        label=result.info.label,
        rps=result.requests_per_second,
        non2xx=evidence.responses - evidence.successes,
        socket_errors=sum(evidence.failures.values()),
        requests=evidence.responses,
        duration_s=evidence.measured_seconds,
        **milliseconds,
    )
