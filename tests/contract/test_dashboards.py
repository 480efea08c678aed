"""The committed dashboards and Grafana's provisioning, held against their source and against the contract."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
GRAFANA = ROOT / "grafana"
# The folder is no installed package: its files import each other as scripts do.
sys.path.insert(0, str(GRAFANA / "source"))

dashboard_json = importlib.import_module("dashboard_json")
panels_module = importlib.import_module("panels")
queries = importlib.import_module("queries")
render = importlib.import_module("render")

FILES = sorted((GRAFANA / "dashboards").glob("*.json"))
DASHBOARDS = [pytest.param(json.loads(path.read_text(encoding="utf-8")), id=path.stem) for path in FILES]
every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS)

PANELS_AT_MOST = 25
QUERIES_AT_MOST = 60
CONTRACT_METRICS = {
    "benchmark_connections",
    "benchmark_in_flight_requests",
    "benchmark_request_duration_quantile_seconds",
    "benchmark_request_duration_seconds_bucket",
    "benchmark_request_failures_total",
    "benchmark_requests_total",
    "benchmark_run_active",
    "benchmark_run_info",
    "benchmark_run_planned_duration_seconds",
    "benchmark_run_start_timestamp_seconds",
    "exporter_collector_duration_seconds",
    "exporter_collector_success",
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_netstat_TcpExt_ListenDrops",
    "node_netstat_Tcp_RetransSegs",
    "observed_process_anonymous_memory_bytes",
    "observed_process_connections",
    "observed_process_cpu_seconds_total",
    "observed_process_open_fds",
    "observed_process_resident_memory_bytes",
    "observed_process_swap_bytes",
    "observed_process_threads",
    "observed_process_up",
    "router_up",
    # Prometheus's own
    "ALERTS",
    "ALERTS_FOR_STATE",
    "scrape_duration_seconds",
    "up",
}
# A name before "(" is a function or an operator, one in braces a label, one in brackets a duration.
NOT_METRICS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"}


def recorded_series() -> set[str]:
    """The names that the recording rules make, so that a panel may read them."""
    names = set()
    for path in sorted((ROOT / "prometheus" / "rules").glob("*.yml")):
        for group in yaml.safe_load(path.read_text(encoding="utf-8")).get("groups", []):
            names |= {rule["record"] for rule in group["rules"] if "record" in rule}
    return names


def metrics_in(expr: str) -> set[str]:
    """The metric names that a query reads."""
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", bare)
    return set(re.findall(r"\b([A-Za-z_:][\w:]*)\b(?!\s*\()", bare)) - NOT_METRICS


def constants(prefix: str | None = None) -> dict[str, str]:
    """The query constants by name: those of a prefix, or those of panels."""
    named = {
        name: value for name, value in vars(queries).items() if name.isupper() and isinstance(value, str)
    }
    public = {name: value for name, value in named.items() if not name.startswith("_")}
    if prefix is None:
        return {
            name: value for name, value in public.items() if not name.startswith(("VARIABLE_", "ANNOTATION_"))
        }
    return {name: value for name, value in public.items() if name.startswith(prefix)}


def all_queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """Panels and annotations; variables are no PromQL but Grafana's `label_values`."""
    return dashboard_json.queries_of(dashboard) + dashboard_json.annotation_queries_of(dashboard)


def test_what_is_committed_is_what_the_source_renders() -> None:
    assert render.drifted(GRAFANA / "dashboards") == []


def test_the_check_names_what_has_drifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main(["--folder", str(tmp_path)]) == 0
    assert render.main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "soak.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "stray.json").write_text("{}\n", encoding="utf-8")
    capsys.readouterr()
    assert render.main(["--check", "--folder", str(tmp_path)]) == 1
    complaints = capsys.readouterr().err
    assert f"{tmp_path / 'soak.json'}: not what its source renders" in complaints
    assert f"{tmp_path / 'stray.json'}: no source renders it" in complaints
    (tmp_path / "soak.json").unlink()
    assert render.main(["--check", "--folder", str(tmp_path)]) == 1
    assert f"{tmp_path / 'soak.json'}: missing" in capsys.readouterr().err


def test_a_row_of_the_wrong_width_is_refused() -> None:
    narrow = panels_module.stat_panel("p", "d", "short", "-")
    section = panels_module.Section("Half", [(4, [(12, narrow)])])
    with pytest.raises(ValueError, match="Half: a row is 12 wide, not 24"):
        panels_module.lay_out(panels_module.build.Dashboard("d"), [section])


def test_there_is_a_dashboard_called_soak_with_a_fixed_uid() -> None:
    soak = json.loads((GRAFANA / "dashboards" / "soak.json").read_text(encoding="utf-8"))
    assert (soak["uid"], soak["title"]) == ("soak", "Soak")
    assert (soak["refresh"], soak["time"]["from"]) == ("5s", "now-15m")


@every_dashboard
def test_the_schema_is_the_classic_one_that_file_provisioning_takes(dashboard: dict[str, Any]) -> None:
    assert dashboard["schemaVersion"] <= 42
    assert not {"elements", "layout", "apiVersion", "spec"} & set(dashboard)
    assert "id" not in dashboard, "a numeric id belongs to one Grafana"
    kinds = {panel["type"] for panel in dashboard["panels"]}
    assert kinds <= {"row", "timeseries", "stat", "gauge", "table", "bargauge"}


@every_dashboard
def test_panels_stand_on_24_columns_without_overlap_or_holes(dashboard: dict[str, Any]) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies over {taken[(x, y)]}"
                taken[(x, y)] = panel["title"]
    height = 1 + max(y for _, y in taken)
    holes = [(x, y) for y in range(height) for x in range(24) if (x, y) not in taken]
    assert holes == []


@every_dashboard
def test_panels_are_few_and_numbered_once(dashboard: dict[str, Any]) -> None:
    panels = list(dashboard_json.panels_of(dashboard))
    assert len(panels) <= PANELS_AT_MOST
    assert len(dashboard_json.queries_of(dashboard)) <= QUERIES_AT_MOST
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    titles = [panel["title"] for panel in panels]
    assert len(set(titles)) == len(titles)


@every_dashboard
def test_every_panel_says_what_it_shows_in_which_unit_and_when_there_is_nothing(
    dashboard: dict[str, Any],
) -> None:
    for panel in dashboard_json.panels_of(dashboard):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"].strip()
        assert len(panel["description"]) > 20, panel["title"]
        assert defaults.get("unit"), panel["title"]
        assert defaults.get("noValue"), panel["title"]


@every_dashboard
def test_every_target_asks_the_chosen_datasource_under_a_ref_of_its_own(dashboard: dict[str, Any]) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in dashboard_json.panels_of(dashboard):
        refs = [target["refId"] for target in panel["targets"]]
        assert refs and len(set(refs)) == len(refs), panel["title"]
        assert panel["datasource"] == chosen, panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == chosen, panel["title"]
            assert target["instant"] != target["range"], panel["title"]
    for note in dashboard["annotations"]["list"]:
        assert note["datasource"] == chosen, note["name"]


@every_dashboard
def test_overrides_by_query_name_a_query_of_their_panel(dashboard: dict[str, Any]) -> None:
    for panel in dashboard_json.panels_of(dashboard):
        refs = {target["refId"] for target in panel["targets"]}
        for override in panel["fieldConfig"]["overrides"]:
            if override["matcher"]["id"] == "byFrameRefID":
                assert override["matcher"]["options"] in refs, panel["title"]


@every_dashboard
def test_red_is_for_failures_alone(dashboard: dict[str, Any]) -> None:
    bad = re.compile("down|failing|disconnect|5xx|unanswered|stalled|drop|fail|alert", re.IGNORECASE)
    for panel in dashboard_json.panels_of(dashboard):
        for override in panel["fieldConfig"]["overrides"]:
            if panels_module.FAILURE not in json.dumps(override["properties"]):
                continue
            named = override["matcher"]["options"]
            legends = [t["legendFormat"] for t in panel["targets"] if t["refId"] == named]
            assert bad.search(" ".join([named, *legends])), f"{panel['title']}: {named}"


@every_dashboard
def test_every_query_is_a_constant_of_queries_py(dashboard: dict[str, Any]) -> None:
    known = set(constants().values())
    assert [found for found in dashboard_json.queries_of(dashboard) if found[1] not in known] == []
    notes = set(constants("ANNOTATION_").values())
    assert {expr for _, expr in dashboard_json.annotation_queries_of(dashboard)} <= notes
    lists = set(constants("VARIABLE_").values())
    assert {expr for _, expr in dashboard_json.variable_queries_of(dashboard)} <= lists


def test_every_constant_of_queries_py_is_used_and_there_once() -> None:
    used: set[str] = set()
    for parameter in DASHBOARDS:
        dashboard = parameter.values[0]
        assert isinstance(dashboard, dict)
        used |= {expr for _, expr in all_queries(dashboard)}
        used |= {expr for _, expr in dashboard_json.variable_queries_of(dashboard)}
    named = constants() | constants("ANNOTATION_") | constants("VARIABLE_")
    assert [name for name, expr in named.items() if expr not in used] == []
    doubled = [name for name, expr in named.items() if list(named.values()).count(expr) > 1]
    assert doubled == []


@every_dashboard
def test_queries_read_only_metrics_of_the_contract_or_of_recording_rules(dashboard: dict[str, Any]) -> None:
    known = CONTRACT_METRICS | recorded_series()
    for title, expr in all_queries(dashboard):
        names = metrics_in(queries.substitute(expr))
        assert names, f"{title}: no metric found in {expr}"
        assert names <= known, f"{title}: {sorted(names - known)}"
    for name, query in dashboard_json.variable_queries_of(dashboard):
        found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query)
        assert found and found[1] in known and found[2] == name, query


@every_dashboard
def test_missing_is_not_zero_and_rates_follow_the_zoom(dashboard: dict[str, Any]) -> None:
    for title, expr in all_queries(dashboard):
        assert "vector(0)" not in expr, title
        assert set(re.findall(r"\[([^\]]*)\]", expr)) <= {"$__rate_interval"}, title


@every_dashboard
def test_variables_match_everything_unless_something_is_chosen(dashboard: dict[str, Any]) -> None:
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert list(variables) == ["datasource", "route", "model", "process"]
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    for name in ("route", "model", "process"):
        variable = variables[name]
        assert variable["multi"] and variable["includeAll"] and variable["allValue"] == ".*", name
        assert variable["current"]["value"] == ["$__all"], name
    for title, expr in all_queries(dashboard):
        # Several values become a|b, which only a regular expression understands.
        for found in re.finditer(r'(\S{1,2})"\$\{?(?:route|model|process)\b', expr):
            assert found[1] == "=~", title
        assert "$" not in queries.substitute(expr), title


def test_an_unknown_variable_is_not_replaced_by_nothing() -> None:
    assert queries.substitute('rate(m{a=~"$route"}[${__rate_interval}])') == 'rate(m{a=~".*"}[20s])'
    assert queries.substitute("m{$x}", {"x": "y"}) == "m{y}"
    with pytest.raises(KeyError, match="unknown"):
        queries.substitute("m{$unknown}")


@every_dashboard
def test_promtool_parses_every_query(dashboard: dict[str, Any], tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    rules = [
        {"record": f"dashboard:query:{number}", "expr": queries.substitute(expr), "labels": {"panel": title}}
        for number, (title, expr) in enumerate(all_queries(dashboard))
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_the_datasource_is_provisioned_under_a_fixed_uid() -> None:
    text = (GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["apiVersion"] == 1
    (source,) = document["datasources"]
    assert (source["uid"], source["type"], source["isDefault"]) == ("prometheus", "prometheus", True)
    assert source["url"] == "$PROMETHEUS_URL"
    scrape = yaml.safe_load((ROOT / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
    assert source["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    assert source["jsonData"]["httpMethod"] == "POST"


def test_the_dashboards_are_provisioned_from_a_folder_that_the_environment_names() -> None:
    text = (GRAFANA / "provisioning" / "dashboards" / "dashboards.yml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    assert document["apiVersion"] == 1
    (provider,) = document["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "$GRAFANA_DASHBOARDS_PATH"
    assert provider["allowUiUpdates"] is False
