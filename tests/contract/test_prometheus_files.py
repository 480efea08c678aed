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
SEVERITIES = ("critical", "warning", "info")

LOAD = {
    "benchmark_requests_total", "benchmark_error_responses_total", "benchmark_request_failures_total",
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
    "node_netstat_TcpExt_ListenDrops", "node_boot_time_seconds", "node_memory_MemTotal_bytes",
    "node_memory_SwapTotal_bytes", "node_memory_SwapFree_bytes", "node_vmstat_oom_kill",
    "node_filesystem_size_bytes", "node_filesystem_readonly", "node_netstat_Tcp_OutRsts",
    "node_netstat_Tcp_OutSegs", "node_netstat_TcpExt_ListenOverflows",
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

KEYWORDS = {"and", "or", "unless", "offset", "bool", "inf", "nan", "group_left", "group_right"}
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


ALERTING: dict[str, list[dict[str, Any]]] = defaultdict(list)
"""the rules of each alert: several where it has several severities"""
for alert_rule in rules_in("*.alerts.yml"):
    ALERTING[alert_rule["alert"]].append(alert_rule)
RECORDING = {rule["record"]: rule for rule in rules_in("*.recording.yml")}
READING = [
    *((rule["alert"], rule["expr"]) for rule in rules_in("*.alerts.yml")),
    *((rule["record"], rule["expr"]) for rule in rules_in("*.recording.yml")),
]
"""every rule's name and expression: one record may be made by several rules, each with labels of its own"""
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


def severities_of(alert: str) -> list[str]:
    """The severities that an alert has, the worst first."""
    return [each for each in SEVERITIES if each in {rule["labels"]["severity"] for rule in ALERTING[alert]}]


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
    alerts = [(rule["alert"], rule["labels"]["severity"]) for rule in rules_in("*.alerts.yml")]
    records = [(rule["record"], *rule.get("labels", {}).items()) for rule in rules_in("*.recording.yml")]
    assert len(alerts) == len(set(alerts))
    assert len(records) == len(set(records))


def test_the_alerts_are_those_of_the_contract() -> None:
    assert set(ALERTING) == ALERTS


@pytest.mark.parametrize("alert", ALERTING)
def test_an_alert_says_how_bad_it_is_and_what_it_is_and_where_to_read_on(alert: str) -> None:
    for rule in ALERTING[alert]:
        assert rule["labels"]["severity"] in SEVERITIES
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert all(text.strip() for text in rule["annotations"].values())


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_has_the_heading_that_the_alert_links_to(alert: str) -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)
    assert alert in headings
    links = {rule["annotations"]["runbook_url"] for rule in ALERTING[alert]}
    assert links == {f"prometheus/runbook.md#{anchor_of(alert)}"}


@pytest.mark.parametrize("alert", ALERTING)
def test_the_runbook_says_of_the_alert_what_it_means_how_to_confirm_it_and_what_to_do(alert: str) -> None:
    section = re.split(r"^## ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (text,) = [part for part in section if part.startswith(alert + "\n")]
    assert f"**Severity** {' or '.join(severities_of(alert))}." in text
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
        "exporter-agents": ["targets/agents.yml"],
        "router": ["targets/router.yml"],
        "router-with-key": ["targets/router-with-key.yml"],
        "prometheus": ["targets/prometheus.yml"],
        "alertmanager": ["targets/alertmanager.yml"],
    }
    (alertmanagers,) = config["alerting"]["alertmanagers"]
    assert [file for sd in alertmanagers["file_sd_configs"] for file in sd["files"]] == [
        "targets/alertmanager.yml"
    ]
    # A static target would be the same in compose and natively, where hosts have other names.
    assert "static_configs" not in (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")


PORTS = {"exporter": 9877, "router": 8080, "prometheus": 9090, "alertmanager": 9093}


@pytest.mark.parametrize(
    ("folder", "targets"),
    [
        ("prometheus/targets", {job: [f"127.0.0.1:{port}"] for job, port in PORTS.items()}),
        (
            "compose/targets",
            {
                **{job: [f"{job}:{port}"] for job, port in PORTS.items()},
                "router": ["host.docker.internal:8080", "simulator:8080"],
            },
        ),
    ],
    ids=["native", "compose"],
)
def test_the_targets_are_loopback_natively_and_service_names_in_compose(
    folder: str, targets: dict[str, list[str]]
) -> None:
    found = {path.stem: load(path) for path in sorted((ROOT / folder).glob("*.yml"))}
    # Agents and routers with a key are for the user to add.
    assert found == {job: [{"targets": of}] for job, of in targets.items()} | {
        "agents": [],
        "router-with-key": [],
    }


def scrape_configs_of(job: str) -> list[dict[str, Any]]:
    """The scrape configurations whose series have this job: its own, and those relabelled to it."""
    found = []
    for config in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        relabelled = [rule["replacement"] for rule in config.get("relabel_configs", [])]
        if relabelled == [job] or (not relabelled and config["job_name"] == job):
            found.append(config)
    return found


@pytest.mark.parametrize("job", ["exporter", "router"])
def test_a_job_with_and_without_a_secret_is_one_job_that_treats_what_it_scrapes_alike(job: str) -> None:
    plain, with_secret = scrape_configs_of(job)
    assert plain["job_name"] == job
    assert plain["metric_relabel_configs"] == with_secret["metric_relabel_configs"]
    secrets = {"basic_auth", "authorization", "tls_config"}
    assert not secrets & set(plain)
    assert len(secrets & set(with_secret)) == 1


@pytest.mark.parametrize("config", [*scrape_configs_of("exporter"), *scrape_configs_of("router")])
def test_what_a_target_may_send_is_bounded(config: dict[str, Any]) -> None:
    assert config["body_size_limit"] in {"8MB", "32MB"}
    assert 10_000 <= config["sample_limit"] <= 50_000
    assert config["label_limit"] == 32
    assert config["label_name_length_limit"] == 128
    assert config["label_value_length_limit"] == 4096  # a mount point may be as long (PATH_MAX)


def test_no_target_may_write_series_of_another_job_or_instance() -> None:
    for config in load(PROMETHEUS / "prometheus.yml")["scrape_configs"]:
        assert not config.get("honor_labels", False)


def names_dropped() -> re.Pattern[str]:
    """What a router's own metrics may not be called; Prometheus anchors a regex at both ends."""
    (rule,) = scrape_configs_of("router")[0]["metric_relabel_configs"]
    assert (rule["action"], rule["source_labels"]) == ("drop", ["__name__"])
    return re.compile(rf"(?:{rule['regex']})\Z")


OWN = METRICS - {name for name in METRICS if name.startswith("process_")}


@pytest.mark.parametrize("name", sorted(OWN | set(RECORDING)))
def test_a_router_cannot_speak_under_a_name_of_ours(name: str) -> None:
    assert names_dropped().match(name)


@pytest.mark.parametrize(
    "name",
    [
        "cloud_requests_total", "cloud_request_latency_seconds_bucket", "go_gc_duration_seconds",
        "python_gc_collections_total", "jvm_gc_pause_seconds_count", "process_resident_memory_bytes",
        "http_requests_total", "vllm:num_requests_running", "litellm_requests_metric_total",
        "nodejs_heap_bytes",
    ],
)  # fmt: skip
def test_a_routers_own_names_are_kept(name: str) -> None:
    assert not names_dropped().match(name)


def test_no_secret_is_committed() -> None:
    files = subprocess.run(
        ["git", "ls-files", "-s", "prometheus/secrets"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if files.returncode != 0:
        pytest.skip("not a git checkout, or no git")
    empty = "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"  # git's name for no bytes at all
    assert [line for line in files.stdout.splitlines() if line.split()[1] != empty] == []


def test_every_secret_that_is_named_has_its_place() -> None:
    text = (PROMETHEUS / "prometheus.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"^ +(?:password|credentials)_file: (\S+)$", text, re.MULTILINE))
    assert named == {"secrets/agents-password", "secrets/router-key"}
    assert all((PROMETHEUS / name).is_file() for name in named)


ALL = {(alert, severity) for alert in ALERTING for severity in severities_of(alert)}


def inhibited_by(alert: str, severity: str) -> set[tuple[str, str]]:
    """The alerts that some inhibition rule may silence while this one fires, with their severities."""

    def matches(matcher: str, labels: dict[str, str]) -> bool:
        label, operator, value = re.fullmatch(r'(\w+) (=|!=|=~|!~) "(.*)"', matcher).groups()
        hit = re.fullmatch(value, labels[label]) is not None if "~" in operator else value == labels[label]
        return hit is not operator.startswith("!")

    return {
        target
        for rule in load(PROMETHEUS / "alertmanager.yml")["inhibit_rules"]
        for target in ALL
        if all(matches(m, {"alertname": alert, "severity": severity}) for m in rule["source_matchers"])
        and all(matches(m, {"alertname": target[0], "severity": target[1]}) for m in rule["target_matchers"])
        and not ("alertname" in rule.get("equal", []) and target[0] != alert)
    }


def test_a_router_that_is_down_hides_what_follows_and_not_the_requests_that_were_lost() -> None:
    assert inhibited_by("RouterDown", "critical") == {
        ("NodeOffline", "critical"),
        ("NodeFlapping", "warning"),
        ("BenchmarkDisconnects", "warning"),
        ("BenchmarkStalled", "critical"),
        ("BenchmarkErrorRateHigh", "warning"),
        ("BenchmarkLatencyRegression", "warning"),
        ("BenchmarkThroughputDrop", "warning"),
    }


def test_an_exporter_that_is_down_hides_what_is_out_of_date_and_not_what_has_happened() -> None:
    stays = {
        "ExporterDown", "BenchmarkDisconnects", "RouterRestarted", "GpuXidError", "GpuEccError",
        "NodeMemoryPressure", "Watchdog",
    }  # fmt: skip
    assert inhibited_by("ExporterDown", "critical") == {each for each in ALL if each[0] not in stays}


@pytest.mark.parametrize(("alert", "severity"), sorted(ALL))
def test_an_alert_hides_none_of_its_own_but_the_less_severe(alert: str, severity: str) -> None:
    hidden = {each for each in inhibited_by(alert, severity) if each[0] == alert}
    assert hidden == ({(alert, "warning")} & ALL if severity == "critical" else set())


@pytest.mark.parametrize(("alert", "severity"), sorted(ALL))
def test_nothing_hides_a_lost_request(alert: str, severity: str) -> None:
    assert ("BenchmarkDisconnects", "critical") not in inhibited_by(alert, severity)


def test_lost_requests_and_refused_connections_are_found_by_the_same_rule() -> None:
    lost, refused = (rule["expr"] for rule in ALERTING["BenchmarkDisconnects"])
    assert severities_of("BenchmarkDisconnects") == ["critical", "warning"]
    assert lost.replace("read|disconnect|truncated", "connect|write") == refused != lost


def test_alertmanager_groups_by_alert_and_route_and_tells_nobody_as_shipped() -> None:
    document = load(PROMETHEUS / "alertmanager.yml")
    assert document["route"]["receiver"] == "null"
    assert document["route"]["group_by"] == ["alertname", "route"]
    receivers = {receiver["name"]: set(receiver) - {"name"} for receiver in document["receivers"]}
    assert {name for name, ways in receivers.items() if not ways} == {"null", "critical", "warning"}
    assert {route["receiver"] for route in document["route"]["routes"]} == {"null", "critical", "warning"}


@pytest.mark.parametrize(
    ("alert", "known_after_seconds", "most_seconds"),
    [
        # wrk's threads report once a second.
        ("BenchmarkDisconnects", 1, 20),
        # A router that hangs costs the probe its time-out, 1.5 s.
        ("RouterDown", 1.5, 30),
        ("NodeOffline", 1.5, 20),
    ],
)
def test_a_fault_is_told_in_time_when_every_wait_is_as_long_as_it_can_be(
    alert: str, known_after_seconds: float, most_seconds: float
) -> None:
    def seconds(text: str) -> int:
        number, unit = re.fullmatch(r"(\d+)([smhd])", text).groups()
        return int(number) * UNIT_SECONDS[unit]

    prometheus = load(PROMETHEUS / "prometheus.yml")["global"]
    route = load(PROMETHEUS / "alertmanager.yml")["route"]
    (critical,) = [each for each in route["routes"] if each["receiver"] == "critical"]
    rule = ALERTING[alert][0]
    assert rule["labels"]["severity"] == "critical"
    waits = known_after_seconds + sum(
        seconds(wait)
        for wait in (
            prometheus["scrape_interval"],
            prometheus["evaluation_interval"],
            rule["for"],
            max(route["group_wait"], critical["group_interval"], key=seconds),
        )
    )
    # Three seconds are for the scrape, the evaluation and the sending themselves.
    assert waits <= most_seconds - 3


def test_no_secret_of_a_receiver_is_committed() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "prometheus/receivers"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if tracked.returncode != 0:
        pytest.skip("not a git checkout, or no git")
    assert {Path(line).name for line in tracked.stdout.splitlines()} <= {".gitignore", "README.md"}


def test_the_readme_of_the_receivers_names_every_secret_that_alertmanager_reads() -> None:
    text = (PROMETHEUS / "alertmanager.yml").read_text(encoding="utf-8")
    read = set(re.findall(r"^ +-? ?\w+_file: receivers/(\S+)$", text, re.MULTILINE))
    readme = (PROMETHEUS / "receivers" / "README.md").read_text(encoding="utf-8")
    assert read == set(re.findall(r"^\| `(\S+)` \|", readme, re.MULTILINE))
