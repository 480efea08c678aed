"""What Prometheus Operator and Grafana are given: the same rules, dashboards and labels as elsewhere."""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import render_kubernetes
import yaml

from tests.support.kubernetes_files import (
    KEPT,
    KUBERNETES,
    Object,
    cluster,
    named,
    of_kind,
    pods,
    written,
)
from tests.support.prometheus_files import PROMETHEUS, load
from tests.support.promtool import run_promtool

AS_WRITTEN = [each for folder in KEPT["stack"] for each in written(folder)]
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
ADDED = {
    "namespace": "llm-router-soak",
    "pod": "p-5",
    "container": "c",
    "endpoint": "metrics",
    "job": "ns/monitor",
}
"""the labels that Prometheus Operator gives a target of a PodMonitor, before its own relabelings"""
META = {
    "__address__": "10.0.0.5:9877",
    "__meta_kubernetes_pod_node_name": "gpu-1",
    "__meta_kubernetes_pod_name": "p-5",
}
CLIENT_SIDE_BYTES = 262_144
"""the annotations of an object; `kubectl apply` keeps a copy of the whole object in one"""


def objects_of(name: str) -> list[Object]:
    return AS_WRITTEN if name == "written" else cluster(name)


every_cluster = pytest.mark.parametrize("name", ["written", *KEPT])


def test_what_is_committed_is_what_the_source_renders() -> None:
    assert render_kubernetes.main(["check"]) == 0


def test_the_check_names_what_has_drifted_and_what_nothing_renders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert render_kubernetes.main(["render", "--folder", str(tmp_path)]) == 0
    assert render_kubernetes.main(["check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "monitoring" / "rules" / "leaks.alerts.yaml").write_text("spec: {}\n", encoding="utf-8")
    (tmp_path / "monitoring" / "rules" / "old.alerts.yaml").write_text("spec: {}\n", encoding="utf-8")
    capsys.readouterr()
    assert render_kubernetes.main(["check", "--folder", str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "leaks.alerts.yaml: not what its source renders" in told
    assert "old.alerts.yaml: no source renders it" in told


def test_a_file_of_rules_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="not a file of groups"):
        render_kubernetes.prometheus_rule("x.yml", "groups: [{name: a, rules: []}]\n", "5s")


def test_a_profile_that_the_runtime_would_read_otherwise_is_refused() -> None:
    rule = {"names": ["bpf"], "action": "SCMP_ACT_ALLOW", "includes": {"caps": ["CAP_BPF"]}}
    with pytest.raises(ValueError, match="caps"):
        render_kubernetes.runtime_profile(
            {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "syscalls": [rule]}
        )


@every_cluster
def test_the_rules_are_ours_each_group_with_the_interval_that_they_are_made_for(name: str) -> None:
    objects = {each["metadata"]["name"]: each for each in of_kind(objects_of(name), "PrometheusRule")}
    assert objects.keys() == {f"soak-{re.sub(r'[._]', '-', path.stem)}" for path in RULES}
    # An operator's own default is 30 s, at which the ranges of these rules hold too few samples.
    default = load(PROMETHEUS / "prometheus.yml")["global"]["evaluation_interval"]
    for path in RULES:
        groups = [{"interval": default, **group} for group in load(path)["groups"]]
        each = objects[f"soak-{re.sub(r'[._]', '-', path.stem)}"]
        assert each["apiVersion"] == "monitoring.coreos.com/v1"
        assert each["spec"] == {"groups": groups}
        # What the operator's own definition of a PrometheusRule knows.
        for group in groups:
            assert group.keys() <= {"name", "interval", "labels", "limit", "query_offset", "rules"}
            for rule in group["rules"]:
                assert rule.keys() <= {
                    "alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations",
                }  # fmt: skip


@every_cluster
def test_promtool_takes_the_rules_as_the_operator_hands_them_to_prometheus(name: str, tmp_path: Path) -> None:
    for each in of_kind(objects_of(name), "PrometheusRule"):
        file = tmp_path / f"{each['metadata']['name']}.yml"
        file.write_text(yaml.safe_dump({"groups": each["spec"]["groups"]}), encoding="utf-8")
    files = sorted(tmp_path.glob("*.yml"))
    done = run_promtool(["promtool", "check", "rules", *files])
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(files) == len(RULES)


def as_prometheus(rule: dict[str, Any]) -> dict[str, Any]:
    """A relabeling of a PodMonitor in the words of prometheus.yml."""
    return {
        {"sourceLabels": "source_labels", "targetLabel": "target_label"}.get(key, key): rule[key]
        for key in rule
    }


def scrape_config(job: str) -> dict[str, Any]:
    (found,) = [
        each for each in load(PROMETHEUS / "prometheus.yml")["scrape_configs"] if each["job_name"] == job
    ]
    return found  # type: ignore[no-any-return]


LIMITS = {
    "bodySizeLimit": "body_size_limit",
    "sampleLimit": "sample_limit",
    "labelLimit": "label_limit",
    "labelNameLengthLimit": "label_name_length_limit",
    "labelValueLengthLimit": "label_value_length_limit",
}
MONITORS = [
    ("written", "exporter", "exporter"),
    ("written", "agents", "exporter"),
    ("stack", "exporter", "exporter"),
    ("example", "agents", "exporter"),
    ("agents-tls", "agents", "exporter"),
    ("router-metrics", "router", "router"),
]


@pytest.mark.parametrize(("name", "monitor", "job"), MONITORS)
def test_a_pod_monitor_scrapes_as_prometheus_yml_does(name: str, monitor: str, job: str) -> None:
    spec = named(objects_of(name), "PodMonitor", monitor)["spec"]
    (endpoint,) = spec["podMetricsEndpoints"]
    settings = load(PROMETHEUS / "prometheus.yml")["global"]
    config = scrape_config(job)
    assert (endpoint["interval"], endpoint["scrapeTimeout"]) == (
        settings["scrape_interval"],
        settings["scrape_timeout"],
    )
    assert endpoint["path"] == config.get("metrics_path", "/metrics")
    assert {LIMITS[key]: spec[key] for key in LIMITS} == {key: config[key] for key in LIMITS.values()}
    assert [as_prometheus(rule) for rule in endpoint["metricRelabelings"]] == [
        {key: rule[key] for key in rule} for rule in config["metric_relabel_configs"]
    ]
    assert not endpoint.get("honorLabels")
    # What the operator's own definition knows of it.
    assert spec.keys() <= {*LIMITS, "selector", "namespaceSelector", "podMetricsEndpoints"}
    assert endpoint.keys() <= {
        "port", "path", "scheme", "interval", "scrapeTimeout", "relabelings", "metricRelabelings",
        "tlsConfig", "basicAuth", "authorization",
    }  # fmt: skip


def relabelled(labels: dict[str, str], rules: list[dict[str, Any]]) -> dict[str, str]:
    """What Prometheus makes of a target's labels; of the actions replace and labeldrop."""
    for rule in rules:
        action = rule.get("action", "replace")
        regex = re.compile(rf"(?:{rule.get('regex', '(.*)')})\Z")
        if action == "labeldrop":
            labels = {key: labels[key] for key in labels if not regex.match(key)}
            continue
        assert action == "replace"
        joined = ";".join(labels.get(key, "") for key in rule.get("sourceLabels", []))
        if found := regex.match(joined):
            value = found.expand(re.sub(r"\$(\d)", r"\\\1", rule.get("replacement", "$1")))
            labels = {**labels, rule["targetLabel"]: value}
    return labels


@pytest.mark.parametrize(
    ("name", "monitor", "labels"),
    [
        ("written", "agents", {"job": "exporter", "instance": "gpu-1", "node": "gpu-1", "role": "node"}),
        ("example", "agents", {"job": "exporter", "instance": "gpu-1", "node": "gpu-1", "role": "node"}),
        ("written", "exporter", {"job": "exporter", "instance": "exporter:9877"}),
        ("example", "exporter", {"job": "exporter", "instance": "exporter:9877"}),
        ("router-metrics", "router", {"job": "router"}),
    ],
)
def test_series_have_the_labels_that_rules_dashboards_and_runs_go_by(
    name: str, monitor: str, labels: dict[str, str]
) -> None:
    (endpoint,) = named(objects_of(name), "PodMonitor", monitor)["spec"]["podMetricsEndpoints"]
    found = relabelled({**META, **ADDED}, endpoint["relabelings"])
    assert {key: found[key] for key in found if not key.startswith("__")} == labels


def test_a_run_finds_its_own_series_by_the_name_that_it_has_for_its_exporter() -> None:
    (endpoint,) = named(AS_WRITTEN, "PodMonitor", "exporter")["spec"]["podMetricsEndpoints"]
    instance = relabelled({**META, **ADDED}, endpoint["relabelings"])["instance"]
    _, spec = pods(AS_WRITTEN)["Job/soak"]
    (url,) = [arg.partition("=")[2] for arg in spec["containers"][0]["args"] if arg.startswith("--exporter=")]
    assert urlsplit(url).netloc == instance


@every_cluster
def test_every_dashboard_is_a_config_map_that_the_sidecar_finds(name: str) -> None:
    folder = KUBERNETES.parents[1] / "grafana" / "dashboards"
    found = {}
    for each in of_kind(objects_of(name), "ConfigMap"):
        if each["metadata"].get("labels", {}).get("grafana_dashboard") != "1":
            continue
        ((file, text),) = each["data"].items()
        # The name stays when the content changes: the sidecar then replaces the file.
        assert each["metadata"]["name"] == f"soak-dashboard-{file.removesuffix('.json')}"
        found[file] = json.loads(text)
        size = len(json.dumps(each).encode())
        assert size < CLIENT_SIDE_BYTES, f"{file}: {size} bytes"
    assert found == {
        path.name: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")
    }
    assert len(found) == 6


def test_the_profile_allows_what_composes_allows() -> None:
    docker = json.loads((KUBERNETES.parents[1] / "compose" / "seccomp.json").read_text(encoding="utf-8"))
    profile = json.loads((KUBERNETES / "seccomp" / "llm-router-soak.json").read_text(encoding="utf-8"))
    assert (profile["defaultAction"], profile["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 1)
    # Docker's own words: containerd takes what it does not know for nothing, and the rule for unconditional.
    assert profile.keys() == {"defaultAction", "defaultErrnoRet", "syscalls"}
    for rule in profile["syscalls"]:
        assert {"names", "action"} <= rule.keys() <= {"names", "action", "args", "errnoRet"}

    def of(rules: list[dict[str, Any]]) -> list[Any]:
        return [(rule["names"], rule["action"], rule.get("args"), rule.get("errnoRet")) for rule in rules]

    assert of(profile["syscalls"]) == of(docker["syscalls"])
