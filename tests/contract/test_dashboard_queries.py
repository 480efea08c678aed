"""The queries of the dashboards: known metrics, one place for each, the rules of dashboard-linter."""

import re
import shutil
import subprocess
from pathlib import Path

import dashboard_json
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from queries import crowds

from tests.support.checkout import GOLDEN
from tests.support.dashboards import (
    PAGES,
    Json,
    every_dashboard,
    panels,
    queries_and_notes,
    queries_of,
    query_constants,
    rules,
    variable_queries_of,
    with_everything,
)

PROMETHEUS_METRICS = {
    "ALERTS",
    "ALERTS_FOR_STATE",
    "up",
    "scrape_duration_seconds",
    "scrape_samples_post_metric_relabeling",
    "prometheus_notifications_dropped_total",
    "prometheus_notifications_sent_total",
    "prometheus_rule_evaluation_failures_total",
    "prometheus_rule_group_interval_seconds",
    "prometheus_rule_group_iterations_missed_total",
    "prometheus_rule_group_last_duration_seconds",
    "prometheus_tsdb_head_chunks",
    "prometheus_tsdb_head_samples_appended_total",
    "prometheus_tsdb_head_series",
    "prometheus_tsdb_storage_blocks_bytes",
    "alertmanager_notifications_failed_total",
    "alertmanager_notifications_total",
}
"""of Prometheus and Alertmanager; the stack test finds each"""
ROUTER_METRICS = {
    "cloud_requests_total",
    *(f"cloud_request_latency_seconds_{kind}" for kind in ("bucket", "count", "sum")),
    *(f"go_gc_duration_seconds_{kind}" for kind in ("count", "sum")),
    *(f"jvm_gc_collection_seconds_{kind}" for kind in ("count", "sum")),
    "python_gc_collections_total",
}
"""of the router itself, scraped by Prometheus"""
FIXED_RANGES = {
    # The worst of each step, however long or short it is.
    "router.NODE_UP": {"$__interval"},
    "gpu.THROTTLED_OVER_TIME": {"$__interval"},
    # What was there within five minutes has not begun, whatever Grafana's step.
    "run.ANNOTATION_RUN_BEGAN": {"5m", "$__interval"},
    "run.ANNOTATION_RUN_ENDED": {"5m"},
    "run.ANNOTATION_PHASE": {"5m"},
    "run.ANNOTATION_RESTART": {"5m"},
    "run.ANNOTATION_ALERT": {"5m"},
    "run.ANNOTATION_ALERT_FAILS_RUN": {"5m"},
    # A run that is over stays on the page, however short the time that is shown.
    **{
        name: {"6h:15s"}
        for name in (
            *(
                "run.RUN_SHOWN",
                "run.NO_RUN_SHOWN",
                "run.RUN_ENDED_MS",
                "run.RUN_ELAPSED_SECONDS",
                "run.RUN_PLANNED_SECONDS",
            ),
            *("run.RUN_PHASE_NUMBER", "run.RUN_SUCCESSES", "run.RUN_FAILURES", "run.RUN_FAILURE_RATIO"),
            *("run.RUN_VERDICT", "run.RUN_CHECKS_SEVERITY", "run.RUN_CHECKS_BOUND"),
            *("run.OBJECTIVE_P99_OF_RUN", "load.RUN_WORST_P50", "load.RUN_WORST_P99"),
            *("leaks.ROUTER_MEMORY_BYTES", "leaks.ROUTER_MEMORY_GROWTH", "leaks.ROUTER_MEMORY_STATE"),
        )
    },
    "load.RUN_SUCCESS_RATE": {"6h:15s", "$__rate_interval"},
    "load.RUN_FAILING_RATIO": {"6h:15s", "$__rate_interval"},
    "run.RUN_CHECKS_SINCE_MS": {"6h", "6h:15s"},
    "leaks.STATES_SINCE_MS": {"6h"},
    "leaks.JUDGED_FROM_MS": {"1h"},
    # as long as the slope that is divided
    "leaks.HANDLES_PER_1000": {"12m"},
    "leaks.MEMORY_BYTES_PER_1000": {"12m"},
    "leaks.GROWTH_PER_1000": {"12m"},
    "leaks.WRITTEN_BYTES_PER_HOUR": {"12m"},
    "leaks.WRITTEN_BYTES_PER_1000": {"12m"},
}
"""everything else is over $__rate_interval, or over $__range where a panel is about the whole of it"""
OF_NO_EXPORTER = {"leak:minute:seconds"}
"""a number that the rules and the dashboards share"""
# A name before "(" is a function or an operator, one in braces a label, one in brackets a duration.
NOT_METRICS = {"and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right"}
SELECTOR = re.compile(r'([A-Za-z_:][\w:]*)(?:\{((?:[^{}"]|"(?:[^"\\]|\\.)*")*)\})?')


def exported() -> dict[str, str]:
    """Every metric that the exporter gives and its type, from the golden files."""
    types: dict[str, str] = {}
    for name in ("exposition.txt", "router-current.txt"):
        for family in text_string_to_metric_families((GOLDEN / name).read_text(encoding="utf-8")):
            types |= {sample.name: family.type for sample in family.samples}
    return types


def selectors(expr: str) -> list[tuple[str, str]]:
    """(metric, matchers) of each selector of a query, in order."""
    bare = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", "", expr)
    bare = re.sub(r"\[[^\]]*\]", "[]", bare)
    bare = re.sub(r"( offset )?\$__\w+", "", bare)
    # Texts outside of braces are arguments.
    pieces = re.split(r'(\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\})', bare)
    bare = "".join(re.sub(r'"(?:[^"\\]|\\.)*"', "", p) if not p.startswith("{") else p for p in pieces)
    found = []
    for match in SELECTOR.finditer(bare):
        called = bare[match.end() :].lstrip().startswith("(")
        if match[1] not in NOT_METRICS and not called:
            found.append((match[1], match[2] or ""))
    return found


COUNTED_FROM_THE_BEGINNING = {"gpu_ecc_errors_total", "gpu_xid_errors_total"}
"""drawn as a count since the time range began: a rate is blind to what comes in a gap"""


def of_few(expr: str) -> set[str]:
    """What panels may make of a query that a crowd answers."""
    ways = (crowds.highest, crowds.lowest, crowds.longest_down, crowds.on_average, crowds.moved)
    return {way(expr, number) for way in ways for number in range(3, 13)}


def test_selectors_are_found_in_a_query() -> None:
    expr = (
        'label_replace(sum by (a) (rate(m_total{b=~"x{1}",c="d"}[5m])) / on (e) group_left () n, "f", "", "")'
    )
    assert selectors(expr) == [("m_total", 'b=~"x{1}",c="d"'), ("n", "")]
    assert selectors("a:b:c > 0 and up") == [("a:b:c", ""), ("up", "")]


@every_dashboard
def test_queries_read_only_what_the_exporter_gives_and_the_rules_record(page: Json) -> None:
    recorded = {rule["record"] for rule in rules("record")}
    known = set(exported()) | recorded | PROMETHEUS_METRICS | ROUTER_METRICS
    for where, expr in queries_and_notes(page):
        names = {name for name, _ in selectors(expr)}
        assert names, f"{where}: no metric found in {expr}"
        assert names <= known, f"{where}: {sorted(names - known)}"
    for name, query in variable_queries_of(page):
        found = re.fullmatch(r"label_values\((\w+)(?:\{.*\})?, (\w+)\)", query)
        # A host is what the label `node` of its exporter's target says.
        assert found and found[1] in known and found[2] == {"host": "node"}.get(name, name), query


def test_the_names_of_other_programs_are_all_used() -> None:
    used = {
        name for page in PAGES.values() for _, expr in queries_and_notes(page) for name, _ in selectors(expr)
    }
    assert (PROMETHEUS_METRICS | ROUTER_METRICS) - used == set()


@every_dashboard
def test_every_query_is_a_constant_of_the_queries(page: Json) -> None:
    known = set(query_constants().values())
    known = known.union(*map(of_few, known))
    assert [found for found in queries_of(page) if found[1] not in known] == []
    notes = known | set(query_constants("ANNOTATION_").values())
    assert {expr for _, expr in dashboard_json.annotation_queries_of(page)} <= notes
    lists = set(query_constants("VARIABLE_").values())
    assert {expr for _, expr in variable_queries_of(page)} <= lists


def test_every_constant_of_the_queries_is_used_and_there_once() -> None:
    used = {expr for page in PAGES.values() for _, expr in queries_and_notes(page)}
    used |= {expr for page in PAGES.values() for _, expr in variable_queries_of(page)}
    named = query_constants() | query_constants("ANNOTATION_") | query_constants("VARIABLE_")
    assert [name for name, expr in named.items() if expr not in used and not used & of_few(expr)] == []
    texts = list(named.values())
    assert [name for name, expr in named.items() if texts.count(expr) > 1] == []


# --- the rules of grafana/dashboard-linter


@every_dashboard
def test_what_an_exporter_gives_is_asked_of_the_chosen_exporters(page: Json) -> None:
    of_exporters = set(exported()) | {rule["record"] for rule in rules("record")}
    for where, expr in queries_and_notes(page):
        for name, matchers in selectors(expr):
            if name in of_exporters - OF_NO_EXPORTER and not matchers.startswith('job="'):
                assert 'job=~"$job"' in matchers and 'instance=~"$instance"' in matchers, f"{where}: {name}"


@every_dashboard
def test_a_range_follows_the_zoom_unless_there_is_a_reason(page: Json) -> None:
    fixed = {
        asked: FIXED_RANGES[name]
        for name, expr in _all_constants().items()
        if name in FIXED_RANGES
        for asked in {expr, *of_few(expr)}
    }
    for where, expr in queries_and_notes(page):
        allowed = {"$__rate_interval", "$__range", "$__range:15s"}
        allowed.add("$__range:$__rate_interval")
        allowed |= fixed.get(expr, set())
        without_texts = re.sub(r'"(?:[^"\\]|\\.)*"', "", expr)
        assert set(re.findall(r"\[([^\]]*)\]", without_texts)) <= allowed, where
        assert "vector(0)" not in expr, f"{where}: missing is not zero"


def test_no_fixed_range_is_excused_in_vain() -> None:
    named = _all_constants()
    for name, ranges in FIXED_RANGES.items():
        assert ranges <= set(re.findall(r"\[([^\]]*)\]", named[name])), name


def _all_constants() -> dict[str, str]:
    return query_constants() | query_constants("ANNOTATION_")


@every_dashboard
def test_counters_are_asked_for_their_rate_and_nothing_else_is(page: Json) -> None:
    types = exported()
    counting = {name for name, kind in types.items() if kind in ("counter", "histogram")}
    counting |= {
        name for name in PROMETHEUS_METRICS | ROUTER_METRICS if re.search("_(total|count|sum|bucket)$", name)
    }
    # node_exporter gives the kernel's counters of /proc/net/snmp and netstat without a type.
    untyped = {name for name, kind in types.items() if kind == "unknown"}
    for where, expr in queries_and_notes(page):
        rated = {
            name for name, _ in selectors(" ".join(re.findall(r"\b(?:rate|increase)\(([^\[]*)\[", expr)))
        }
        asked = {name for name, _ in selectors(expr)}
        asked -= COUNTED_FROM_THE_BEGINNING
        assert asked & counting <= rated, f"{where}: {sorted(asked & counting - rated)} without a rate"
        assert rated <= counting | untyped, f"{where}: a rate of {sorted(rated - counting - untyped)}"


@every_dashboard
def test_every_target_asks_the_chosen_datasource_under_a_letter_and_a_legend_of_its_own(page: Json) -> None:
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels(page):
        refs = [target["refId"] for target in panel["targets"]]
        assert refs and len(set(refs)) == len(refs), panel["title"]
        assert panel["datasource"] == chosen, panel["title"]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(legends) and len(set(legends)) == len(legends), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == chosen, panel["title"]
            assert target["instant"] != target["range"], panel["title"]


@every_dashboard
def test_annotations_ask_in_the_way_of_old_and_new_versions_of_the_datasource(page: Json) -> None:
    for note in page["annotations"]["list"]:
        assert note["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert note["target"]["expr"] == note["expr"], note["name"]
        assert note["target"]["interval"] == note["step"], note["name"]


@every_dashboard
def test_promtool_parses_every_query(page: Json, tmp_path: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    asked = [
        {
            "record": f"dashboard:query:{number}",
            "expr": with_everything(page, expr),
            "labels": {"panel": where},
        }
        for number, (where, expr) in enumerate(queries_and_notes(page))
    ]
    path = tmp_path / "queries.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": asked}]}), encoding="utf-8")
    done = subprocess.run(
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(asked)} rules found" in done.stdout
