"""exporter.results.record: the seed's template to the letter; what is not known is 不明."""

from dataclasses import replace
from typing import Any

import pytest

from exporter.live.message import Route
from exporter.load.model_label import ModelSource
from exporter.results.record import MODEL_SOURCES, record_text
from exporter.timeseries import SeriesStore
from exporter.verdict.evidence import Count
from exporter.verdict.judgement import judge
from tests.support.live_messages import run_info
from tests.support.run_results import (
    alert_spans,
    evidence,
    failures_by_reason,
    requests_by_class,
    run_inputs,
    run_result,
    watched_router,
)

NOT_JUDGED = (
    "leaks, written_files 判定なし: 負荷 60 秒; "
    "streams, buffering, idle 判定なし: ストリームエンジンのみが計測; "
    "latency, throughput 判定なし: 秒ごとの件数が不明; "
    "nodes 判定なし: 監視対象のノードがない; generator 判定なし: 不明"
)
WATCHED = "http://127.0.0.1:9877 のエクスポーターが http://127.0.0.1:8080 を監視 (プロセス: router)"


def line(text: str, field: str) -> str:
    """What the record has behind a field of the template."""
    (found,) = (each for each in text.splitlines() if each.lstrip(" -").startswith(f"{field}: "))
    return found.split(": ", 1)[1]


@pytest.mark.usefixtures("in_tokyo")
def test_a_good_run_fills_in_the_template_of_the_seed() -> None:
    assert record_text(run_result(), "20251125-nightly") == (
        "## 20251125-nightly\n"
        "- 日時: 2025-11-25 01:00 JST\n"
        "- 対象: ローカル\n"
        "- コマンド: soak run --target http://127.0.0.1:8080 --duration 60s --connections 4\n"
        "  - 負荷ツール: wrk -t 4 -c 4 -d 60s http://127.0.0.1:8080/v1/chat/completions\n"
        "- 成果物:\n"
        "  - RPS: 16.67\n"
        "  - p95: 40.57 ms / p99: 61.23 ms\n"
        "- 失敗: 0 (内訳 4xx: 0 / 5xx: 0 / timeout: 0)\n"
        f"- 備考: 判定 合格 ({NOT_JUDGED})、モデル gpt-oss:20b (既定)、{WATCHED}\n"
    )


@pytest.mark.usefixtures("in_tokyo")
def test_a_failing_run_breaks_down_its_failures_and_remarks_what_was_seen() -> None:
    series = watched_router()
    memory = {"process": "router", "role": "router"}
    for i, (idle, busy) in enumerate(((0.0, 0.0), (4.0, 1.0), (5.0, 5.0))):
        time = 1_764_000_000.0 + 5 * i
        series.add("observed_process_resident_memory_bytes", memory, time, (100 + 7.25 * i) * 2**20)
        series.add("node_cpu_seconds_total", {"cpu": "0", "mode": "idle"}, time, idle)
        series.add("node_cpu_seconds_total", {"cpu": "0", "mode": "user"}, time, busy)
    known = evidence(
        requests=requests_by_class(_2xx=900, _3xx=2, _4xx=40, _5xx=58),
        statuses={"200": 900, "302": 2, "404": 40, "500": 58},
        failures=failures_by_reason(read=3, disconnect=1),
        totals={"live": Count(1000, 4), "exporter": None},
        series=series,
        alerts=alert_spans("BenchmarkDisconnects", "BenchmarkErrorRateHigh"),
    )
    result = replace(run_result(known), judgement=judge(known, {}, {"disconnects"}))
    texts = {finding.check: finding.said.japanese for finding in result.judgement.findings}
    assert record_text(result, "20251125-nightly-2") == (
        "## 20251125-nightly-2\n"
        "- 日時: 2025-11-25 01:00 JST\n"
        "- 対象: ローカル\n"
        "- コマンド: soak run --target http://127.0.0.1:8080 --duration 60s --connections 4\n"
        "  - 負荷ツール: wrk -t 4 -c 4 -d 60s http://127.0.0.1:8080/v1/chat/completions\n"
        "- 成果物:\n"
        "  - RPS: 15.00\n"
        "  - p95: 40.57 ms / p99: 61.23 ms\n"
        "- 失敗: 104 (内訳 4xx: 40 / 5xx: 58 / timeout: 0 / read: 3 / disconnect: 1 / 3xx: 2)\n"
        f"- 備考: 判定 不合格 ({NOT_JUDGED})、モデル gpt-oss:20b (既定)、"
        # What fails, what is only a warning, and what is inconclusive.
        f"応答 (answers): {texts['answers']}、切断 (disconnects): {texts['disconnects']}、"
        f"集計 (totals): {texts['totals']}、"
        f"{WATCHED}、Router RSS最大 114.5 MiB、ホストCPU使用率最大 80%、"
        "アラート BenchmarkDisconnects, BenchmarkErrorRateHigh\n"
    )


def test_what_is_not_known_is_shown_as_unknown_and_never_zero() -> None:
    nothing: dict[str, Any] = dict.fromkeys(("0.5", "0.75", "0.9", "0.95", "0.99", "0.999"))
    known = evidence(measured_seconds=0.0, requests=requests_by_class(), statuses={}, series=SeriesStore())
    text = record_text(run_result(known, quantiles=nothing), "x")
    assert line(text, "RPS") == "不明"
    assert line(text, "p95") == "不明 / p99: 不明"
    assert line(text, "備考").startswith(f"判定 判定不能 ({NOT_JUDGED})、")
    assert "RSS" not in text
    assert "CPU" not in text
    assert "アラート" not in text


def test_every_source_of_the_models_name_is_said_in_the_records_language() -> None:
    for source in ModelSource:
        result = run_result()
        found = line(
            record_text(replace(result, inputs=run_inputs(result, model_source=source)), "x"), "備考"
        )
        assert f"モデル gpt-oss:20b ({MODEL_SOURCES[source]})" in found


@pytest.mark.parametrize(
    ("route", "name"),
    [
        (Route.LOCAL, "ローカル"),
        (Route.OPENAI, "openai"),
        (Route.GOOGLE, "google"),
        (Route.ANTHROPIC, "anthropic"),
    ],
)
def test_the_target_is_spelled_as_in_the_template(route: Route, name: str) -> None:
    assert line(record_text(run_result(info=run_info(route=route)), "x"), "対象") == name


def test_the_engines_command_can_be_pasted_into_a_shell_and_shows_no_secret() -> None:
    command = ("hey", "-D", "it's", "http://x/?a=1&key=hunter2")
    assert line(record_text(run_result(command=command), "x"), "負荷ツール") == (
        """`hey -D 'it'"'"'s' "http://x/?a=1&key=${SECRET_KEY}"`"""
    )


@pytest.mark.parametrize(
    ("failures", "shown"),
    [
        ({"timeout": 7}, "7 (内訳 4xx: 0 / 5xx: 0 / timeout: 7)"),
        ({"in_band": 2, "timeout": 1}, "3 (内訳 4xx: 0 / 5xx: 0 / timeout: 1 / in_band: 2)"),
        ({"connect": 1, "write": 1}, "2 (内訳 4xx: 0 / 5xx: 0 / timeout: 0 / connect: 1 / write: 1)"),
    ],
)
def test_failures_are_summed_and_broken_down(failures: dict[str, int], shown: str) -> None:
    text = record_text(run_result(evidence(failures=failures_by_reason(**failures))), "x")
    assert line(text, "失敗") == shown
