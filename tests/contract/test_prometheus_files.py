"""What the files under prometheus/ promise each other and the contract: names, headings, tests, targets."""

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent.parent
PROMETHEUS = ROOT / "prometheus"
RUNBOOK = PROMETHEUS / "runbook.md"

ALERTS = {
    "ProcessMemoryLeak", "ProcessFdLeak", "ProcessThreadLeak", "ConnectionLeak", "GpuMemoryLeak",
    "NodeMemoryLeak", "RouterDown", "RouterRestarted", "NodeOffline", "NodeFlapping", "BenchmarkDisconnects",
    "BenchmarkStalled", "BenchmarkErrorRateHigh", "BenchmarkLatencyRegression", "BenchmarkThroughputDrop",
    "GpuXidError", "GpuEccError", "GpuThrottled", "GpuDisappeared", "NodeMemoryPressure", "NodeDiskFillingUp",
    "ExporterDown", "CollectorFailing", "Watchdog",
}  # fmt: skip
SEVERITIES = {"critical", "warning", "info"}

LOAD = {
    "benchmark_requests_total", "benchmark_request_failures_total",
    "benchmark_request_duration_quantile_seconds", "benchmark_in_flight_requests", "benchmark_connections",
    "benchmark_output_tokens_total", "benchmark_input_tokens_total", "benchmark_run_active",
    "benchmark_run_info", "benchmark_run_start_timestamp_seconds", "benchmark_run_planned_duration_seconds",
    "benchmark_run_phase", "benchmark_result_requests_per_second", "benchmark_result_latency_seconds",
    "benchmark_result_non2xx_responses", "benchmark_result_socket_errors", "benchmark_result_requests",
    "benchmark_result_duration_seconds", "benchmark_result_timestamp_seconds",
}  # fmt: skip
LOAD_HISTOGRAMS = {
    "benchmark_request_duration_seconds", "benchmark_time_to_first_token_seconds",
    "benchmark_inter_token_latency_seconds",
}  # fmt: skip
PROCESSES = {
    f"observed_process_{name}"
    for name in (
        "up", "cpu_seconds_total", "resident_memory_bytes", "anonymous_memory_bytes", "swap_bytes",
        "virtual_memory_bytes", "threads", "open_fds", "max_fds", "connections", "context_switches_total",
        "page_faults_total", "read_bytes_total", "write_bytes_total", "start_time_seconds", "restarts_total",
    )
}  # fmt: skip
HOST = {
    "node_cpu_seconds_total", "node_memory_MemAvailable_bytes", "node_network_receive_bytes_total",
    "node_load1", "node_filesystem_avail_bytes", "node_netstat_Tcp_RetransSegs",
    "node_netstat_TcpExt_ListenDrops",
}  # fmt: skip
GPU = {
    f"gpu_{name}"
    for name in (
        "info", "utilization_ratio", "memory_utilization_ratio", "memory_used_bytes", "memory_total_bytes",
        "temperature_celsius", "power_watts", "power_limit_watts", "energy_joules_total", "clock_hertz",
        "fan_speed_ratio", "throttle_active", "ecc_errors_total", "pcie_receive_bytes_per_second",
        "pcie_transmit_bytes_per_second", "xid_errors_total", "process_memory_bytes",
    )
}  # fmt: skip
ROUTER = {
    "router_up", "router_probe_duration_seconds", "router_nodes", "router_node_up",
    "router_node_active_requests", "router_node_requests_total", "router_active_requests",
    "router_requests_total", "router_models",
}  # fmt: skip
EXPORTER = {
    "exporter_build_info", "exporter_collector_success", "exporter_collector_duration_seconds",
    "exporter_collector_last_success_timestamp_seconds", "exporter_ingest_messages_total",
    "exporter_ingest_rejected_total",
    "process_start_time_seconds",  # by client_python, of the exporter itself
}  # fmt: skip
BY_PROMETHEUS = {"up", "scrape_duration_seconds", "ALERTS"}
METRICS = (
    LOAD | PROCESSES | HOST | GPU | ROUTER | EXPORTER | BY_PROMETHEUS
    | {name + suffix for name in LOAD_HISTOGRAMS for suffix in ("_bucket", "_count", "_sum")}
)  # fmt: skip

KEYWORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan"}
SHORTEST_RANGE_SECONDS = 4 * 5
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def load(path: Path) -> Any:
    """A YAML file's content."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def rules_in(pattern: str) -> list[dict[str, Any]]:
    """All rules of the rule files whose name matches a glob."""
    return [
        rule
        for path in sorted((PROMETHEUS / "rules").glob(pattern))
        for group in load(path)["groups"]
        for rule in group["rules"]
    ]


ALERTING = {rule["alert"]: rule for rule in rules_in("*.alerts.yml")}
RECORDING = {rule["record"]: rule for rule in rules_in("*.recording.yml")}
PROMQL_IN_THE_RUNBOOK = re.findall(r"```promql\n(.*?)```", RUNBOOK.read_text(encoding="utf-8"), re.DOTALL)


def metrics_of(expression: str) -> set[str]:
    """The names of the series that a PromQL expression selects."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*\b(?!\s*\()", re.sub(r"\boffset\s+\w+", "", bare))
    return {name for name in names if name.lower() not in KEYWORDS}


def anchor_of(heading: str) -> str:
    """The link of a Markdown heading, as repository hosts make it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def cases() -> tuple[dict[str, int], dict[str, int]]:
    """How many promtool cases expect each alert to be silent, and to fire."""
    silent: dict[str, int] = defaultdict(int)
    firing: dict[str, int] = defaultdict(int)
    for path in sorted((ROOT / "tests" / "rules").glob("*.test.yml")):
        for test in load(path)["tests"]:
            for case in test.get("alert_rule_test", []):
                (firing if case.get("exp_alerts") else silent)[case["alertname"]] += 1
    return silent, firing


@pytest.mark.parametrize(
    ("expression", "metrics"),
    [
        ('sum by (le) (rate(a_bucket{status_class="2xx"}[1m] offset 1h)) > 0.5', {"a_bucket"}),
        ("x:y:rate1m / on (job) group_left (z) b_total unless absent(c)", {"x:y:rate1m", "b_total", "c"}),
        ("time() - d_seconds > bool 1e3", {"d_seconds"}),
    ],
)
def test_the_metrics_of_an_expression_are_told_from_its_functions_and_labels(
    expression: str, metrics: set[str]
) -> None:
    assert metrics_of(expression) == metrics


def test_rule_files_hold_what_their_names_say() -> None:
    names = [path.name for path in sorted((PROMETHEUS / "rules").iterdir())]
    assert [name for name in names if not name.endswith((".alerts.yml", ".recording.yml"))] == []
    assert [rule for rule in rules_in("*.alerts.yml") if "alert" not in rule] == []
    assert [rule for rule in rules_in("*.recording.yml") if "record" not in rule] == []


def test_no_name_is_given_twice() -> None:
    alerts = [rule["alert"] for rule in rules_in("*.alerts.yml")]
    records = [rule["record"] for rule in rules_in("*.recording.yml")]
    assert len(alerts) == len(set(alerts))
    assert len(records) == len(set(records))


def test_the_first_alerts_are_there() -> None:
    assert {"RouterDown", "BenchmarkDisconnects", "BenchmarkErrorRateHigh", "ExporterDown"} <= set(ALERTING)


@pytest.mark.parametrize("alert", ALERTING)
def test_the_contract_lists_the_alert(alert: str) -> None:
    assert alert in ALERTS


@pytest.mark.parametrize("alert", ALERTING)
def test_an_alert_says_how_bad_it_is_and_what_it_is_and_where_to_read_on(alert: str) -> None:
    rule = ALERTING[alert]
    assert rule["labels"]["severity"] in SEVERITIES
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert all(text.strip() for text in rule["annotations"].values())


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_has_the_heading_that_the_alert_links_to(alert: str) -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert alert in headings
    assert ALERTING[alert]["annotations"]["runbook_url"] == f"prometheus/runbook.md#{anchor_of(alert)}"


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_says_of_the_alert_what_it_means_how_to_confirm_it_and_what_to_do(alert: str) -> None:
    section = re.split(r"^## ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(alert + "\n")]
    assert f"**Severity** {ALERTING[alert]['labels']['severity']}." in text
    assert re.findall(r"^### (.+)$", text, re.MULTILINE) == [
        "What it means",
        "How to confirm it",
        "What to do",
    ]
    assert "```promql" in text
    assert "```sh" in text


def test_the_runbook_has_no_heading_without_an_alert() -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(ALERTING)


@pytest.mark.parametrize("alert", ALERTING)
def test_an_alert_is_tested_silent_and_firing(alert: str) -> None:
    silent, firing = cases()
    # The Watchdog is never silent: that is what it is for.
    assert silent[alert] >= 1 or alert == "Watchdog", f"tests/rules/ has no case in which {alert} is silent"
    assert firing[alert] >= 1, f"tests/rules/ has no case in which {alert} fires"


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


@pytest.mark.parametrize("record", RECORDING)
def test_a_recording_rule_is_named_level_metric_operations(record: str) -> None:
    assert re.fullmatch(r"[a-z_]+:[a-z_0-9]+:[a-z0-9_]+", record)


@pytest.mark.parametrize("rule", [*ALERTING, *RECORDING])
def test_a_rule_reads_only_metrics_of_the_contract_and_records_of_ours(rule: str) -> None:
    expression = (ALERTING.get(rule) or RECORDING[rule])["expr"]
    metrics = metrics_of(expression)
    # The Watchdog reads nothing, so that nothing can silence it.
    assert metrics or rule == "Watchdog"
    assert metrics - METRICS - set(RECORDING) == set()


@pytest.mark.parametrize("rule", [*ALERTING, *RECORDING])
def test_a_rule_looks_back_over_at_least_four_scrapes(rule: str) -> None:
    expression = (ALERTING.get(rule) or RECORDING[rule])["expr"]
    ranges = re.findall(r"\[(\d+)([smhd])[\]:]", expression)
    assert [r for r in ranges if int(r[0]) * UNIT_SECONDS[r[1]] < SHORTEST_RANGE_SECONDS] == []


@pytest.mark.parametrize("promql", PROMQL_IN_THE_RUNBOOK, ids=str.strip)
def test_a_query_in_the_runbook_reads_only_what_exists(promql: str) -> None:
    assert metrics_of(promql) - METRICS - set(RECORDING) == set()


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)
def test_the_queries_in_the_runbook_parse(tmp_path: Path) -> None:
    rules = [
        {"record": f"runbook:query:{n}", "expr": promql} for n, promql in enumerate(PROMQL_IN_THE_RUNBOOK)
    ]
    assert rules
    path = tmp_path / "runbook.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "runbook", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scrape_timeout_is_below_the_interval_of_five_seconds() -> None:
    settings = load(PROMETHEUS / "prometheus.yml")["global"]
    assert settings == {"scrape_interval": "5s", "scrape_timeout": "4s", "evaluation_interval": "5s"}


def test_prometheus_finds_everything_through_target_files_beside_it() -> None:
    config = load(PROMETHEUS / "prometheus.yml")
    assert config["rule_files"] == ["rules/*.yml"]
    files = {
        job["job_name"]: [file for sd in job["file_sd_configs"] for file in sd["files"]]
        for job in config["scrape_configs"]
    }
    assert files == {
        "exporter": ["targets/exporter.yml"],
        "prometheus": ["targets/prometheus.yml"],
        "alertmanager": ["targets/alertmanager.yml"],
    }
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert [file for sd in alertmanagers["file_sd_configs"] for file in sd["files"]] == [
        "targets/alertmanager.yml"
    ]
    # A static target would be the same in compose and natively, where hosts have other names.
    assert "static_configs" not in (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("folder", "host_of"),
    [("prometheus/targets", lambda job: "127.0.0.1"), ("compose/targets", lambda job: job)],
    ids=["native", "compose"],
)
def test_the_targets_are_loopback_natively_and_service_names_in_compose(folder: str, host_of: Any) -> None:
    ports = {"exporter": 9877, "prometheus": 9090, "alertmanager": 9093}
    found = {path.stem: load(path) for path in sorted((ROOT / folder).glob("*.yml"))}
    assert found == {job: [{"targets": [f"{host_of(job)}:{port}"]}] for job, port in ports.items()}


def inhibited_by(source: str) -> set[str]:
    """The alerts of the contract that some inhibition rule silences while `source` fires, by their names."""

    def matches(matcher: str, alert: str) -> bool:
        label, operator, value = re.fullmatch(r'(\w+) (=|!=|=~|!~) "(.*)"', matcher).groups()
        assert label == "alertname"
        hit = re.fullmatch(value, alert) is not None if "~" in operator else value == alert
        return hit is not operator.startswith("!")

    return {
        alert
        for rule in load(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]
        for alert in ALERTS
        if all(matches(m, source) for m in rule["source_matchers"])
        and all(matches(m, alert) for m in rule["target_matchers"])
    }


def test_a_router_that_is_down_hides_the_errors_that_follow_and_not_the_disconnects() -> None:
    assert inhibited_by("RouterDown") == {"BenchmarkErrorRateHigh"}


def test_an_exporter_that_is_down_hides_what_derives_from_it_and_not_the_disconnects() -> None:
    assert inhibited_by("ExporterDown") == ALERTS - {"ExporterDown", "BenchmarkDisconnects", "Watchdog"}


@pytest.mark.parametrize("alert", sorted(ALERTS))
def test_nothing_hides_a_disconnect(alert: str) -> None:
    assert "BenchmarkDisconnects" not in inhibited_by(alert)


def test_alertmanager_groups_by_alert_and_route_and_is_quick_about_it() -> None:
    route = load(PROMETHEUS / "alertmanager.yml")["route"]
    assert route["receiver"] == "null"
    assert route["group_by"] == ["alertname", "route"]
    assert (route["group_wait"], route["group_interval"], route["repeat_interval"]) == ("5s", "30s", "4h")
