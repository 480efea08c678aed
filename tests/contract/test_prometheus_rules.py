"""The rule files: names of the contract, what expressions may read, and a promtool case for each rule."""

import re
from collections import defaultdict
from collections.abc import Iterable

import pytest

from exporter.live.message import FailureReason
from tests.support.contract_metrics import METRICS
from tests.support.prometheus_files import (
    ALERTING,
    PROMETHEUS,
    RECORDING,
    ROOT,
    RUNBOOK,
    SEVERITIES,
    UNIT_SECONDS,
    load,
    metrics_of,
    rules_in,
    severities_of,
)

ALERTS = {
    "ProcessMemoryLeak", "ProcessFdLeak", "ProcessThreadLeak", "ConnectionLeak", "GpuMemoryLeak",
    "ProcessMemoryGrowing",
    "NodeMemoryLeak", "RouterDown", "RouterRestarted", "NodeOffline", "NodeFlapping", "BenchmarkDisconnects",
    "BenchmarkStalled", "BenchmarkErrorRateHigh", "BenchmarkLatencyRegression", "BenchmarkThroughputDrop",
    "BenchmarkRunFailed", "StreamsTruncated", "StreamStalled", "StreamsBuffered", "LoadGeneratorLate",
    "GpuXidError", "GpuEccError", "GpuThrottled", "GpuDisappeared", "NodeMemoryPressure", "NodeDiskFillingUp",
    "ExporterDown", "CollectorFailing", "Watchdog",
}  # fmt: skip
FAILS_RUN = {
    "ProcessMemoryLeak", "ProcessFdLeak", "ProcessThreadLeak", "ConnectionLeak", "GpuMemoryLeak",
    "RouterDown", "RouterRestarted", "NodeOffline", "BenchmarkDisconnects", "BenchmarkStalled",
    "BenchmarkErrorRateHigh", "BenchmarkLatencyRegression", "BenchmarkThroughputDrop", "StreamsTruncated",
    "StreamStalled",
}  # fmt: skip
SHORTEST_RANGE_SECONDS = 4 * 5
READING = [
    *((rule["alert"], rule["expr"]) for rule in rules_in("*.alerts.yml")),
    *((rule["record"], rule["expr"]) for rule in rules_in("*.recording.yml")),
]
"""every rule's name and expression: one record may be made by several rules, each with labels of its own"""


def cases() -> tuple[dict[str, int], dict[str, set[str]]]:
    """How many promtool cases expect each alert to be silent, and with which severities some expect it."""
    silent: dict[str, int] = defaultdict(int)
    firing: dict[str, set[str]] = defaultdict(set)
    for path in sorted((ROOT / "tests" / "rules").glob("*.test.yml")):
        for test in load(path)["tests"]:
            for case in test.get("alert_rule_test", []):
                silent[case["alertname"]] += not case.get("exp_alerts")
                firing[case["alertname"]] |= {
                    expected["exp_labels"]["severity"] for expected in case.get("exp_alerts", [])
                }
    return silent, firing


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ('sum by (le) (rate(a_bucket{status_class="2xx"}[1m] offset 1h)) > 0.5', {"a_bucket"}),
        ("x:y:rate1m / on (job) group_left (z) b_total unless absent(c)", {"x:y:rate1m", "b_total", "c"}),
        ("time() - d_seconds > bool 1e3", {"d_seconds"}),
    ],
)
def test_the_metrics_of_an_expression_are_distinguished_from_its_functions_and_labels(
    expression: str, metrics: set[str]
) -> None:
    assert metrics_of(expression) == metrics


def test_rule_files_hold_what_their_names_say() -> None:
    names = [path.name for path in sorted((PROMETHEUS / "rules").iterdir())]
    assert [name for name in names if not name.endswith((".alerts.yml", ".recording.yml"))] == []
    assert [rule for rule in rules_in("*.alerts.yml") if "alert" not in rule] == []
    assert [rule for rule in rules_in("*.recording.yml") if "record" not in rule] == []


def test_no_name_is_given_twice() -> None:
    alerts = [(rule["alert"], rule["labels"]["severity"]) for rule in rules_in("*.alerts.yml")]
    records = [(rule["record"], *rule.get("labels", {}).items()) for rule in rules_in("*.recording.yml")]
    assert len(alerts) == len(set(alerts))
    assert len(records) == len(set(records))


def test_the_alerts_are_those_of_the_contract() -> None:
    assert set(ALERTING) == ALERTS


def test_the_alerts_that_fail_a_run_are_those_of_the_contract() -> None:
    labelled = {alert for alert, rules in ALERTING.items() if any("fails_run" in r["labels"] for r in rules)}
    assert labelled == FAILS_RUN


@pytest.mark.parametrize("alert", sorted(FAILS_RUN))
def test_an_alert_fails_a_run_at_every_severity_and_a_leak_by_whose_it_is(alert: str) -> None:
    # Which role that is, promtool's cases show: an empty label is none.
    condition = r"\{\{ if .*\}\}true\{\{ end \}\}" if alert.endswith("Leak") else "true"
    for rule in ALERTING[alert]:
        assert re.fullmatch(condition, rule["labels"]["fails_run"], re.DOTALL)


@pytest.mark.parametrize("alert", ALERTING)
def test_an_alert_says_how_bad_it_is_and_what_it_is_and_where_to_read_on(alert: str) -> None:
    for rule in ALERTING[alert]:
        assert rule["labels"]["severity"] in SEVERITIES
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert all(text.strip() for text in rule["annotations"].values())


@pytest.mark.parametrize("alert", ALERTING)
def test_an_alert_is_tested_silent_and_firing(alert: str) -> None:
    silent, firing = cases()
    # The Watchdog is never silent: that is what it is for.
    assert silent[alert] >= 1 or alert == "Watchdog", f"tests/rules/ has no case in which {alert} is silent"
    assert firing[alert] == set(severities_of(alert)), f"{alert}: the severities that tests/rules/ expects"


def test_no_promtool_case_asks_for_an_alert_that_does_not_exist() -> None:
    # promtool takes a misspelt name for a silent alert, and the case passes for ever.
    silent, firing = cases()
    assert (set(silent) | set(firing)) - set(ALERTING) == set()


@pytest.mark.parametrize("record", RECORDING)
def test_a_recording_rule_is_tested_with_a_value(record: str) -> None:
    tested = {
        metric
        for path in sorted((ROOT / "tests" / "rules").glob("*.test.yml"))
        for test in load(path)["tests"]
        for case in test.get("promql_expr_test", [])
        if case.get("exp_samples")
        for metric in metrics_of(case["expr"])
    }
    assert record in tested


def readers() -> list[str]:
    """The text of all that may read a record: alerts, dashboards, the package's code, the runbook."""
    alerts = [
        " ".join([rule["expr"], *rule["annotations"].values()])
        for rules in ALERTING.values()
        for rule in rules
    ]
    files = [RUNBOOK, *(ROOT / "grafana" / "dashboards").glob("*.json"), *(ROOT / "exporter").rglob("*.py")]
    return alerts + [path.read_text(encoding="utf-8") for path in files]


def records_without_a_reader(records: dict[str, str], texts: Iterable[str]) -> set[str]:
    """The records (name to expressions) that no text names, and no other record that has a reader."""

    def named(record: str, text: str) -> bool:
        return re.search(rf"(?<![\w:]){re.escape(record)}(?![\w:])", text) is not None

    everything = "\n".join(texts)
    unread = {record for record in records if not named(record, everything)}
    while found := {
        record
        for record in unread
        if any(named(record, records[reader]) for reader in records.keys() - unread)
    }:
        unread -= found
    return unread


def test_every_recording_rule_has_a_reader() -> None:
    records: dict[str, str] = defaultdict(str)
    for rule in rules_in("*.recording.yml"):
        records[rule["record"]] += rule["expr"] + "\n"
    assert records_without_a_reader(records, readers()) == set()


def test_a_record_that_only_dead_records_read_has_no_reader() -> None:
    records = {
        "a:b:live": "sum(a:b:deeper)",
        "a:b:deeper": "sum(m)",
        "a:b:dead": "a:b:circle",
        "a:b:circle": "a:b:dead",
    }
    assert records_without_a_reader(records, ["a:b:live > 0 and a:b:deadly"]) == {"a:b:dead", "a:b:circle"}


@pytest.mark.parametrize("record", RECORDING)
def test_a_recording_rule_is_named_level_metric_operations(record: str) -> None:
    assert re.fullmatch(r"[a-z_]+:[a-z_0-9]+:[a-z0-9_]+", record)


@pytest.mark.parametrize(("rule", "expression"), READING, ids=[name for name, _ in READING])
def test_a_rule_reads_only_metrics_of_the_contract_and_records_of_ours(rule: str, expression: str) -> None:
    metrics = metrics_of(expression)
    # The Watchdog reads nothing, so that nothing can silence it; a threshold is a number.
    assert metrics or rule == "Watchdog" or re.fullmatch(r"vector\([\d.*^ ]+\)", expression)
    assert metrics - METRICS - set(RECORDING) == set()


@pytest.mark.parametrize(("rule", "expression"), READING, ids=[name for name, _ in READING])
def test_a_rule_looks_back_over_at_least_four_scrapes(rule: str, expression: str) -> None:
    ranges = re.findall(r"\[(\d+)([smhd])[\]:]", expression)
    assert [r for r in ranges if int(r[0]) * UNIT_SECONDS[r[1]] < SHORTEST_RANGE_SECONDS] == []


def test_lost_requests_and_refused_connections_are_found_by_the_same_rule() -> None:
    lost, refused = (rule["expr"] for rule in ALERTING["BenchmarkDisconnects"])
    assert severities_of("BenchmarkDisconnects") == ["critical", "warning"]
    assert lost.replace("read|timeout|disconnect|truncated|stalled", "connect|write") == refused != lost


@pytest.mark.parametrize(("alert", "end"), [("StreamsTruncated", "truncated"), ("StreamStalled", "stalled")])
def test_a_stream_that_broke_is_found_by_the_rule_of_a_lost_request(alert: str, end: str) -> None:
    lost = ALERTING["BenchmarkDisconnects"][0]
    selector = re.compile(r"benchmark_request_failures_total\{[^}]*\}")
    (rule,) = ALERTING[alert]
    assert rule["expr"] == selector.sub(f'benchmark_streams_total{{end="{end}"}}', lost["expr"])
    assert (rule["for"], rule["labels"]) == (lost["for"], lost["labels"])


def test_errors_inside_an_answer_and_empty_streams_are_errors_and_no_disconnects() -> None:
    found = {
        reason
        for rule in ALERTING["BenchmarkDisconnects"]
        for reasons in re.findall(r'reason=~"([^"]*)"', rule["expr"])
        for reason in reasons.split("|")
    }
    assert set(FailureReason) - found == {FailureReason.IN_BAND, FailureReason.EMPTY}
