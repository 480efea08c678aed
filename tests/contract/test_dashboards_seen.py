"""What a person sees: kinds of mistakes that were seen on the pages in a real Grafana, each held here."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import palette
import pytest
import yaml
from queries import crowds, run
from queries.crowds import Crowd
from substitution import substitute

from tests.support.dashboards import GRAFANA, PAGES, Json, every_dashboard, panels, with_everything
from tests.support.promtool import run_promtool
from tests.support.waiting import need

FIRST_SCREEN_ROWS = 18
"""of 38 pixels, below the bars of a browser and of Grafana on a screen of 1,440 × 900"""
SHOWN = {
    "soak": ["run", "route", "model"],
    "leaks": ["process"],
    "router-and-nodes": ["route", "model", "node", "host"],
    "gpu": ["host", "gpu"],
    "results": ["label"],
    "stack-health": ["instance"],
}
"""what a person changes on each page"""
NOT_SEEN = {
    *("no run", "no GPU says so", "no GPU counts them", "no fan is seen"),
    *("the kernel has no PSI", "no disk is seen", "no file system is seen"),
}
"""of panels that nobody can do anything about, or another says what; none is an all-clear, since it stands
there too where nothing answers"""
COLLAPSED = {
    "Streams (of soak run --engine stream)",
    "Cloud routes: the router's account and the client's",
    "GPU memory (of hosts with NVIDIA's)",
    "Garbage collection (of a router in Go, Python or on a JVM that exposes it)",
}
"""sections that most have no data of"""
FULL_WIDTH = 24


def panel_called(uid: str, title: str) -> Json:
    """The panel of a page by its title."""
    return next(panel for panel in panels(PAGES[uid]) if panel["title"] == title)


def properties(panel: Json, matched: str) -> dict[str, Any]:
    """The properties of an override, by id; of the last one that is about this."""
    found: dict[str, Any] = {}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"]["options"] == matched:
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found


def steps(panel: Json) -> list[str]:
    """What a panel does with its answers before it draws them, by Grafana's names."""
    return [step["id"] for step in panel.get("transformations", [])]


def columns(panel: Json) -> list[str]:
    """The columns of a table under the names that are shown, from left to right."""
    [organized] = [step["options"] for step in panel["transformations"] if step["id"] == "organize"]
    places = organized["indexByName"]
    return [organized["renameByName"][name] for name in sorted(places, key=places.__getitem__)]


# --- marks are edges


@every_dashboard
def test_a_mark_is_an_edge_and_only_those_that_fail_a_run_are_drawn_from_the_start(page: Json) -> None:
    for note in page["annotations"]["list"]:
        assert "offset $__interval" in note["expr"], f"{note['name']} is true at more than one step"
        assert note["enable"] is note["hide"] is (note["name"] != "Other alerts"), note["name"]
    names = [note["name"] for note in page["annotations"]["list"]]
    assert bool(names) == (page["uid"] not in ("results", "stack-health"))
    assert ("Phase" in names) == (page["uid"] == "soak")


def assert_answers(series: Mapping[str, str], asked: Sequence[Json], folder: Path) -> None:
    """That promtool gets these answers (`promql_expr_test`) of these series, a value each 5 s."""
    case = {
        "interval": "5s",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": list(asked),
    }
    file = folder / "asked.test.yml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "5s", "tests": [case]}), encoding="utf-8")
    done = run_promtool(["promtool", "test", "rules", file])
    assert done.returncode == 0, done.stdout + done.stderr


def asked_of(uid: str, title: str, ref: str = "A") -> str:
    """A query of a panel with everything chosen."""
    [expr] = [t["expr"] for t in panel_called(uid, title)["targets"] if t["refId"] == ref]
    return with_everything(PAGES[uid], expr)


@pytest.mark.parametrize("step", ["15s", "1m"])
def test_each_mark_is_drawn_once_whatever_the_step(step: str, tmp_path: Path) -> None:
    need("promtool")
    exporter = 'job="exporter",instance="a"'
    info = f'benchmark_run_info{{{exporter},run="r"}}'
    firing = 'ALERTS{alertstate="firing",alertname="RouterDown"'
    series = {
        info: "_x24 1x120 stale",
        f"benchmark_run_active{{{exporter}}}": "0x24 1x120 0x200",
        f'benchmark_run_phase{{{exporter},phase="load"}}': "_x6 0x2 1x8 stale _x8 0x12 1x108 stale",
        f"benchmark_run_start_timestamp_seconds{{{exporter}}}": "_x6 30x10 stale _x8 120x120 stale",
        f'observed_process_start_time_seconds{{{exporter},role="router",process="router"}}': "0x60 300x280",
        f'{firing},fails_run="true"}}': "_x40 1x30 stale",
        f'{firing},fails_run=""}}': "_x50 1x30 stale",
    }
    marks = {name: text for name, text in vars(run).items() if name.startswith("ANNOTATION_")}
    anything = {"job": ".+", "instance": ".+", "__interval": step}
    # At the steps of twenty minutes, as Grafana asks; how often each was true.
    counts = [
        {
            "expr": f"sum(count_over_time(({substitute(mark, anything)})[20m:{step}]))",
            "eval_time": "20m",
            "exp_samples": [{"labels": "{}", "value": 1}],
        }
        for mark in marks.values()
    ]
    assert_answers(series, counts, tmp_path)
    assert len(marks) == 6


# --- the first screen answers


@pytest.mark.parametrize("uid", SHOWN)
def test_a_page_shows_the_variables_that_a_person_changes_and_hides_the_others(uid: str) -> None:
    lists = PAGES[uid]["templating"]["list"]
    assert [each["name"] for each in lists if each.get("hide", 0) == 0] == SHOWN[uid]
    assert {each["hide"] for each in lists if each["name"] not in SHOWN[uid]} == {2}


def test_the_first_screen_of_soak_says_how_the_run_is_and_why_and_what_it_has_done() -> None:
    seen = [
        panel
        for panel in PAGES["soak"]["panels"]
        if panel["gridPos"]["y"] + panel["gridPos"]["h"] <= FIRST_SCREEN_ROWS and panel["type"] != "row"
    ]
    assert [panel["title"] for panel in seen] == [
        *("Verdict so far", "Run", "How far", "Router, nodes, alerts"),
        *("Requests, now and in this run", "Latency now", "Router memory"),
        *("Checks of the run", "Alerts firing now"),
    ]
    assert columns(panel_called("soak", "Checks of the run")) == ["check", "outcome", "since", "bound"]
    run_label, *_, run_id = panel_called("soak", "Run")["targets"][0]["legendFormat"].split(" · ")
    assert (run_label, run_id) == ("{{label}}", "{{run}}")
    names = [target["legendFormat"] for panel in seen for target in panel["targets"]]
    assert {"2xx in this run", "failed in this run", "failing now", "p50", "p99", "p99 asked for"} <= set(
        names
    )
    assert {"phase", "elapsed", "ended", "growth an hour", "state", "alerts"} <= set(names)


def test_a_run_that_is_over_stays_on_the_first_screen_until_the_next_begins() -> None:
    for title, number in (("Run", 0), ("How far", 3)):
        asked = panel_called("soak", title)["targets"][number]["expr"]
        assert re.search(r"max_over_time\(.*benchmark_run_info.*\[6h:15s\]\)", asked), title
    for title in ("Verdict so far", "Checks of the run"):
        asked = panel_called("soak", title)["targets"][0]["expr"]
        assert "benchmark_run_check" in asked and "benchmark_run_active" not in asked, title


def test_the_first_screen_is_about_one_run_though_another_load_has_slower_answers(tmp_path: Path) -> None:
    need("promtool")
    here, there = ('job="exporter",instance="a"', 'job="exporter",instance="b"')
    mine, other = ('route="local",model="small"', 'route="openai",model="large"')
    mixed, beside = ('route="local",model="second"', 'route="local",model="beside"')
    exact = "benchmark_request_duration_quantile_seconds{quantile="
    series = {
        # At exporter b the run that began last; it asks two models, with its connections at the first.
        # Another load is at the same exporter, and an earlier run at a.
        f'benchmark_run_info{{{there},run="new",{mine}}}': "1x40",
        f"benchmark_run_start_timestamp_seconds{{{there}}}": "100x40",
        f"benchmark_run_active{{{there}}}": "1x40",
        f'benchmark_connections{{state="open",{there},{mine}}}': "10x40",
        f'benchmark_connections{{state="open",{there},{mixed}}}': "0x40",
        f'benchmark_connections{{state="open",{there},{beside}}}': "5x40",
        f'{exact}"0.5",{there},{mine}}}': "0.02x40",
        f'{exact}"0.5",{there},{mixed}}}': "0.03x40",
        f'{exact}"0.5",{there},{beside}}}': "0.9x40",
        f'benchmark_run_requests{{outcome="failure",{there}}}': "7x40",
        f'benchmark_run_objective{{check="objective-p99",{there}}}': "0.25x40",
        f'benchmark_run_info{{{here},run="old",{other}}}': "1x40",
        f"benchmark_run_start_timestamp_seconds{{{here}}}": "50x40",
        f"benchmark_run_active{{{here}}}": "1x40",
        f'benchmark_connections{{state="open",{here},{other}}}': "10x40",
        f'{exact}"0.5",{here},{other}}}': "0.8x40",
        f'benchmark_run_requests{{outcome="failure",{here}}}': "9x40",
        f'benchmark_run_objective{{check="objective-p99",{here}}}': "2x40",
    }
    figures: dict[tuple[str, str], dict[str, float]] = {
        ("Latency now", "p50"): {"new": 0.03, "old": 0.8},
        ("Latency now", "p99 asked for"): {"new": 0.25, "old": 2},
        ("Requests, now and in this run", "failed in this run"): {"new": 7, "old": 9},
    }
    anything = dict.fromkeys(("job", "instance", "route", "model", "run"), ".*")
    asked = []
    for (title, name), values in figures.items():
        [expr] = [t["expr"] for t in panel_called("soak", title)["targets"] if t["legendFormat"] == name]
        # All runs are the one that began last.
        for chosen, run_shown in ((".*", "new"), ("new", "new"), ("old", "old")):
            variables = {**anything, "job": ".+", "instance": ".+", "run": chosen}
            asked.append({
                "expr": f"sum({substitute(expr, variables)})",
                "eval_time": "3m",
                "exp_samples": [{"labels": "{}", "value": values[run_shown]}],
            })  # fmt: skip
    assert_answers(series, asked, tmp_path)


def test_every_figure_of_the_load_on_the_first_screen_is_of_the_run_shown() -> None:
    for title in (
        *("Verdict so far", "How far", "Requests, now and in this run", "Latency now"),
        *("Router memory", "Checks of the run"),
    ):
        for target in panel_called("soak", title)["targets"]:
            assert run.RUN_SHOWN in target["expr"], f"{title}: {target['legendFormat']}"


# --- leaks: no green that is none


def test_everything_that_can_leak_has_a_row_with_its_state_and_when_it_is_judged() -> None:
    first = PAGES["leaks"]["panels"][0]
    assert columns(first) == [
        *("what", "of what", "state", "since", "now", "floor", "growth an hour", "per 1,000 requests"),
        "judged",
    ]
    assert first["options"]["sortBy"] == [{"displayName": "state", "desc": True}]
    shown = json.dumps(properties(first, "state")["mappings"])
    assert all(word in shown for word in ("too young", "flat", "growing", "leak"))
    # Bytes and pieces stand in one column, so the unit is in the text.
    texts = [target["expr"] for target in first["targets"] if "count_values" in target["expr"]]
    units = [re.findall(r"\$1 (\w+)", text) for text in texts]
    assert [each[-1] for each in units] == ["MiB", "MiB", "MiB", "KiB"]


def test_what_a_process_writes_has_a_row_that_is_never_a_leak_and_has_no_time_of_judgement() -> None:
    table = panel_called("leaks", "What can leak, the worst on top")
    asked = {target["legendFormat"]: target["expr"] for target in table["targets"]}
    assert "observed_process_written_files_bytes" in asked["now"]
    assert all('"files written"' in expr for expr in asked.values())
    assert 'resource!="written_files"' in asked["judged"]


def test_of_files_threads_and_connections_those_are_drawn_that_grow() -> None:
    for kind in ("an hour", "per 1,000 requests"):
        [target] = panel_called("leaks", f"Growth {kind}: files, threads, connections")["targets"]
        # Which is decided once, at the end of the range, so that no line comes and goes.
        _, _, fastest = target["expr"].partition(" and on (process, node, resource, state) (topk(5, ")
        assert "[$__range] @ end())" in fastest and "* 3600 >= 1)" in fastest, kind


# --- legends


@every_dashboard
def test_a_legend_is_a_list_of_names_and_a_table_beside_a_panel_of_the_full_width_alone(page: Json) -> None:
    for panel in panels(page):
        legend = panel["options"].get("legend", {})
        if panel["type"] == "timeseries":
            wide = panel["gridPos"]["w"] == FULL_WIDTH
            assert legend["displayMode"] == ("table" if wide else "list"), panel["title"]
            assert bool(legend["calcs"]) == wide, panel["title"]


@every_dashboard
def test_nothing_is_called_by_its_address_but_what_is_asked_by_it(page: Json) -> None:
    legends = [target["legendFormat"] for panel in panels(page) for target in panel["targets"]]
    assert page["uid"] == "stack-health" or [each for each in legends if "{{instance}}" in each] == []


def test_kinds_of_failure_that_never_happened_are_not_listed() -> None:
    for uid, title in (
        ("soak", "Failures by kind"),
        ("soak", "Streams by end"),
        ("gpu", "Memory errors (ECC)"),
    ):
        asked = [t["expr"] for t in panel_called(uid, title)["targets"] if "_total" in t["expr"]]
        assert any(re.search(r" and .* > 0", each) for each in asked), title


@every_dashboard
def test_a_gpu_a_node_and_a_process_have_the_colour_of_their_number_on_every_page(page: Json) -> None:
    hues: dict[str, set[str]] = {}
    for panel in panels(page):
        for override in panel["fieldConfig"]["overrides"]:
            number = re.search(r"(\d)\( \|\$\)", str(override["matcher"]["options"]))
            if number:
                [look] = override["properties"]
                hues.setdefault(number[1], set()).add(look["value"]["fixedColor"])
    for digit, found in hues.items():
        assert found == {palette.NUMBERED[int(digit) % len(palette.NUMBERED)]}


# --- fill


@every_dashboard
def test_only_what_stands_alone_or_is_stacked_is_filled_and_no_bound_is(page: Json) -> None:
    for panel in panels(page):
        if panel["type"] != "timeseries":
            continue
        custom = panel["fieldConfig"]["defaults"]["custom"]
        looks = {t["refId"]: properties(panel, t["refId"]) for t in panel["targets"]}
        bounds = [ref for ref, look in looks.items() if "custom.lineStyle" in look]
        alone = len(looks) - len(bounds) == 1 and "{{" not in panel["targets"][0]["legendFormat"]
        stacked = custom.get("stacking", {}).get("mode") == "normal"
        assert custom["fillOpacity"] == 0 or alone or stacked, panel["title"]
        for ref in bounds:
            assert looks[ref]["custom.fillOpacity"] == 0 and looks[ref]["custom.lineWidth"] == 1, panel[
                "title"
            ]
        for target in panel["targets"]:
            named = re.search(r"total|limit|bound|asked for|in an hour", target["legendFormat"])
            by_date = "merge" in steps(panel)
            assert not named or target["refId"] in bounds or by_date, panel["title"]


# --- heatmaps


@every_dashboard
def test_a_heatmap_shows_the_buckets_in_use_alone(page: Json) -> None:
    for panel in panels(page):
        if panel["type"] == "heatmap":
            [target] = panel["targets"]
            assert 'count_values("le", histogram_quantile(1, ' in target["expr"], panel["title"]
            assert "> 0 < on () group_left ()" in target["expr"], panel["title"]
            # A row that is there at some steps alone is drawn at none: which are in use is asked once.
            counted, _, in_use = target["expr"].partition(" and on (le) ")
            assert "@ end()" not in counted and "[$__rate_interval]" not in in_use, panel["title"]


# --- tables


@every_dashboard
def test_an_empty_cell_is_a_dash_and_a_table_has_its_worst_or_newest_on_top(page: Json) -> None:
    for panel in panels(page):
        if panel["type"] == "table":
            assert properties(panel, "/.*/")["noValue"] == "–", panel["title"]
            order, *_ = panel["options"]["sortBy"]
            assert order["desc"] and order["displayName"] in columns(panel), panel["title"]
            assert panel["fieldConfig"]["defaults"]["custom"]["minWidth"] < 100, panel["title"]


def test_an_alert_says_what_it_is_about_in_one_column() -> None:
    panel = panel_called("soak", "Alerts firing now")
    assert columns(panel) == ["alert", "about", "the run", "since", "page"]
    [target] = panel["targets"]
    for label in ("process", "node", "gpu_name", "route"):
        assert f'"{label}"' in target["expr"]


def test_outcomes_and_states_are_coloured_cells() -> None:
    for uid, title, column in (
        ("soak", "Checks of the run", "outcome"),
        ("leaks", "What can leak, the worst on top", "state"),
        ("gpu", "GPUs now", "held back by"),
        ("results", "Results", "non-2xx"),
    ):
        look = properties(panel_called(uid, title), column)
        assert look["custom.cellOptions"]["type"] == "color-background", title
        assert look["mappings"], title


# --- results, GPUs, doubles, the stack


def test_a_line_of_results_is_called_by_its_label() -> None:
    dates = properties(panel_called("results", "Results"), "began")["links"]
    assert [link["url"].rpartition("&")[2] for link in dates] == ["var-run=${__data.fields.its_run}"]
    for title, values in (("Throughput by date", ["2xx a second"]), ("Latency by date", ["p95", "p99"])):
        for value in values:
            look = properties(panel_called("results", title), f"/^{value}/")
            assert look["displayName"].startswith("${__field.labels.label}"), title


def test_a_gpu_is_one_row_of_what_it_does_and_one_band_of_what_holds_it_back() -> None:
    table = panel_called("gpu", "GPUs now")
    assert table["gridPos"]["y"] == 0
    assert columns(table) == [
        *("GPU", "host", "busy", "memory, of all", "temperature", "power, of limit"),
        *("held back by", "Xid errors"),
    ]
    assert [t["legendFormat"] for t in panel_called("gpu", "Held back by")["targets"]] == [
        "GPU {{gpu}} {{node}}"
    ]
    clocks = [panel_called("gpu", title)["targets"] for title in ("Core clocks", "Memory clock")]
    assert [[("memory" in t["expr"]) for t in targets] for targets in clocks] == [[False], [True]]


@every_dashboard
def test_what_two_exporters_see_is_shown_once(page: Json) -> None:
    # Of the load there is one exporter, and on Stack health each exporter is shown for itself.
    for panel in panels(page):
        for target in panel["targets"]:
            bare = re.match(r"(observed|node|gpu|router|resource)[\w:]*\{", target["expr"])
            assert bare is None or page["uid"] == "stack-health", f"{panel['title']}: {target['expr']}"


def test_the_routers_memory_is_the_routers() -> None:
    for title in ("Router memory", "Router memory over time", "Router CPU"):
        for target in panel_called("soak", title)["targets"]:
            assert 'role="router"' in target["expr"] or "objective" in target["expr"], title


def test_no_time_is_negative_and_no_storage_is_nothing() -> None:
    [age] = panel_called("stack-health", "Since a collector last succeeded")["targets"]
    assert age["expr"].startswith("clamp_min(")
    [blocks] = panel_called("stack-health", "Storage")["targets"]
    assert re.match(r"\(\w+{[^}]*} > 0\)", blocks["expr"])


@every_dashboard
def test_a_coloured_cell_without_a_value_has_no_colour(page: Json) -> None:
    for panel in panels(page):
        for override in panel["fieldConfig"]["overrides"]:
            look = {each["id"]: each["value"] for each in override["properties"]}
            if look.get("custom.cellOptions", {}).get("type") == "color-background":
                assert [step["color"] for step in look["thresholds"]["steps"]] == ["transparent"], panel[
                    "title"
                ]


# --- crowds


@every_dashboard
def test_of_a_crowd_a_panel_draws_the_few_that_say_most(page: Json) -> None:
    most = {"timeseries": crowds.CURVES_OF_ALL, "state-timeline": crowds.BANDS}
    for panel in panels(page):
        crowd = re.compile(r"{{(host|node|process|gpu|instance)}}")
        asked = [each["expr"] for each in panel["targets"] if crowd.search(each["legendFormat"])]
        if panel["type"] in most:
            drawn = [re.findall(r"\b(?:top|bottom)k\((\d+), ", expr) for expr in asked]
            assert all(drawn), f"{panel['title']}: {asked}"
            assert sum(max(map(int, each)) for each in drawn) <= most[panel["type"]], panel["title"]


@pytest.mark.parametrize(
    ("few", "kept"),
    [
        (crowds.highest, ["gpu-2", "gpu-9"]),
        (crowds.lowest, ["gpu-1", "gpu-2"]),
        (crowds.moved, ["gpu-2", "gpu-3"]),
        (crowds.on_average, ["gpu-8", "gpu-9"]),
    ],
    ids=["highest", "lowest", "moved", "on average"],
)
@pytest.mark.parametrize("what", ["busy{}", Crowd("busy{}", "node"), Crowd("busy{} * 2", "node")], ids=repr)
def test_the_few_of_a_crowd_are_those_of_all_that_is_shown(
    what: str, few: Callable[[str, int], str], kept: Sequence[str], tmp_path: Path
) -> None:
    need("promtool")
    # Each at its number. gpu-2 was at 0 once and at 100 once: it is among the few, though it is not now.
    values = {number: f"{number}x120" for number in range(1, 10)}
    values |= {2: "2x20 100x3 2x20 0x3 2x80", 3: "3x60 4x60"}
    series = {f'busy{{node="gpu-{number}"}}': each for number, each in values.items()}
    asked = {
        "expr": f"count by (node) ({substitute(few(what, 2), {})})",
        "eval_time": "10m",
        "exp_samples": [{"labels": f'{{node="{node}"}}', "value": 1} for node in kept],
    }
    assert_answers(series, [asked], tmp_path)


def test_of_nodes_those_are_drawn_that_are_down_and_the_router_beside_any_process(tmp_path: Path) -> None:
    need("promtool")
    exporter = 'job="exporter",instance="a"'
    # Twenty nodes, each away for 20 s; two of them from then on.
    series = {
        f'router_node_up{{node="n{number:02}",{exporter}}}': f"1x{number * 4 + 4} 0x3 "
        + ("0x200" if number in (0, 7) else "1x200")
        for number in range(20)
    }
    series |= {
        f'observed_process_open_fds{{role="node",process="ollama-{number}",{exporter}}}': "10 40 " * 90
        for number in range(9)
    }
    series[f'observed_process_open_fds{{role="router",process="router",{exporter}}}'] = "5x200"
    nodes, files = asked_of("router-and-nodes", "Nodes online"), asked_of("leaks", "Open files")
    asked = [
        {
            "expr": f"sort(({nodes}) == 0)",
            "eval_time": "12m",
            "exp_samples": [{"labels": f'{{node="{name}"}}', "value": 0} for name in ("n00", "n07")],
        },
        {
            "expr": f"count({files})",
            "eval_time": "12m",
            "exp_samples": [{"labels": "{}", "value": 9}],
        },
        {
            "expr": f"sum by (process) ({files}) < 10",
            "eval_time": "12m",
            "exp_samples": [{"labels": '{process="router"}', "value": 5}],
        },
    ]
    assert_answers(series, asked, tmp_path)


def test_a_node_that_is_away_for_seconds_is_seen_at_steps_of_minutes(tmp_path: Path) -> None:
    need("promtool")
    series = {
        'router_node_up{node="n1",job="exporter",instance="a"}': "1x30 0x2 1x100",
        # Of another exporter, which is scraped each 15 s: at most steps there is no sample.
        'router_node_up{node="n1",job="exporter",instance="b"}': "1 _ _ " * 44,
    }
    [nodes] = panel_called("router-and-nodes", "Nodes online")["targets"]
    asked = []
    for interval, at, up in (("2m", "4m", 0), ("2m", "6m", 1), ("5s", "2m40s", 0), ("5s", "2m52s", 1)):
        anything = {"job": ".+", "instance": ".+", "node": ".*", "__interval": interval}
        expected = [{"labels": '{node="n1"}', "value": up}]
        asked.append({
            "expr": substitute(nodes["expr"], anything), "eval_time": at, "exp_samples": expected
        })  # fmt: skip
    assert_answers(series, asked, tmp_path)


def test_a_target_that_gets_another_label_breaks_no_page(tmp_path: Path) -> None:
    need("promtool")
    before, after = 'job="exporter",instance="a"', 'job="exporter",instance="a",node="n"'
    # As a Prometheus that was started anew has it: no mark of an end, so both are there for five minutes.
    samples = {
        'benchmark_run_info{run="r",label="x",': "1",
        "benchmark_run_start_timestamp_seconds{": "0",
        "benchmark_run_active{": "1",
        'benchmark_run_phase{phase="load",': "1",
        'benchmark_run_check{check="answers",outcome="pass",': "1",
        "node_load1{": "2",
        'node_uname_info{nodename="vm",': "1",
    }
    labels = {f"{name}{before}}}": f"{value}x30" for name, value in samples.items()}
    labels |= {f"{name}{after}}}": f"_x20 {value}x200" for name, value in samples.items()}
    labels[f"instance:node_cpus:count{{{before}}}"] = "4x200"
    asked = [
        {"expr": f"count({expr})", "eval_time": when, "exp_samples": expected}
        for when in ("2m", "12m")
        for expr, expected in (
            (asked_of("soak", "Verdict so far"), [{"labels": "{}", "value": 1}]),
            (asked_of("router-and-nodes", "Load per CPU"), [{"labels": "{}", "value": 1}]),
            (with_everything(PAGES["soak"], run.ANNOTATION_PHASE), []),
        )
    ]
    assert_answers(labels, asked, tmp_path)


def test_what_a_crowd_has_is_in_tables() -> None:
    tables = [
        *(("gpu", "GPUs now"), ("router-and-nodes", "Nodes now"), ("router-and-nodes", "Hosts now")),
        *(("leaks", "What can leak, the worst on top"), ("stack-health", "Targets")),
    ]
    assert [panel_called(*each)["type"] for each in tables] == ["table"] * len(tables)


# --- empty rooms, digits, files


def answer(uid: str, title: str, when: str, expected: Mapping[str, float], ref: str = "A") -> Json:
    """A question of a panel, and its answers by their labels."""
    samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
    return {"expr": asked_of(uid, title, ref), "eval_time": when, "exp_samples": samples}


def test_what_is_not_watched_or_away_is_no_all_clear(tmp_path: Path) -> None:
    need("promtool")
    a, b = 'job="exporter",instance="a"', 'job="exporter",instance="b"'
    series = {
        # An Xid error with which an exporter begins, and a GPU whose errors nobody counts.
        f'gpu_xid_errors_total{{gpu="0",xid="79",{a}}}': "_x24 1x100",
        f'gpu_xid:gpu_xid_errors:positive{{gpu="0",xid="79",{a}}}': "_x24 1x100",
        f"process_start_time_seconds{{{a}}}": "_x24 120x100",
        f'gpu_info{{gpu="0",{b}}}': "0x124",
        f'gpu_info{{gpu="1",{b}}}': "0x124",
        f'gpu_xid_errors_total{{gpu="0",xid="79",{b}}}': "0x124",
        # A collector that fails, at an exporter that goes down; one that fails now and then.
        f'exporter_collector_success{{collector="gpu",{a}}}': "0x24 stale",
        f'exporter_collector_success{{collector="gpu",{b}}}': "1x60 1 0 1 1 0 1 1 0 1 1",
        f"up{{{a}}}": "1x24 0x100",
        f"up{{{b}}}": "1x124",
        # A node that the router lists no more.
        f'router_node_up{{node="n1",{b}}}': "1x124",
        f'router_node_up{{node="n2",{b}}}': "1x24 stale",
        # A run of which nothing is judged yet.
        f'benchmark_run_info{{run="r",{b}}}': "1x124",
        f"benchmark_run_start_timestamp_seconds{{{b}}}": "0x124",
        f'benchmark_run_check{{check="answers",outcome="not_judged",{b}}}': "1x124",
    }
    xids, failing = ("gpu", "Xid errors in the time range"), ("stack-health", "Collectors that fail")
    asked = [
        answer(*xids, "1m", {}),
        answer(*xids, "4m", {'{gpu="0",xid="79"}': 1}),
        answer("gpu", "GPUs now", "4m", {'{gpu="0"}': 1}, "F"),
        answer(*failing, "1m", {f'{{collector="gpu",{a}}}': 0}),
        answer(*failing, "4m", {}),
        answer(*failing, "5m25s", {f'{{collector="gpu",{b}}}': 0}),
        answer("stack-health", "Collectors", "5m25s", {'{collector="gpu"}': 0}),
        answer("router-and-nodes", "Nodes now", "4m", {'{node="n1"}': 0, '{node="n2"}': 2}),
        answer("soak", "Verdict so far", "4m", {"{}": -1}),
    ]
    assert_answers(series, asked, tmp_path)


def test_that_there_is_none_is_said_by_what_would_tell_and_not_where_nothing_answers(tmp_path: Path) -> None:
    need("promtool")
    exporter = 'job="exporter",instance="a"'
    load = f'{exporter},route="local",model="small"'
    series = {
        # Another's from the beginning, all of ours from the second minute on.
        'ALERTS{alertstate="firing",alertname="Watchdog",severity="none"}': "1x64",
        'ALERTS_FOR_STATE{alertname="Watchdog",severity="none"}': "7x64",
        'ALERTS{alertstate="firing",alertname="Watchdog",severity="info"}': "_x24 1x40",
        'ALERTS_FOR_STATE{alertname="Watchdog",severity="info"}': "_x24 7x40",
        f'benchmark_requests_total{{status_class="2xx",{load}}}': "_x24 0+5x40",
        f'exporter_collector_success{{collector="host",{exporter}}}': "_x24 1x40",
        f'gpu_xid_errors_total{{gpu="0",xid="0",{exporter}}}': "_x24 0x40",
        f'gpu_ecc_errors_total{{gpu="0",type="corrected",{exporter}}}': "_x24 0x40",
        # Something from the fourth on.
        'ALERTS{alertstate="firing",alertname="RouterDown"}': "_x48 1x16",
        'ALERTS_FOR_STATE{alertname="RouterDown"}': "_x48 8x16",
        f'benchmark_request_failures_total{{reason="read",{load}}}': "_x46 0+1x18",
        f'exporter_collector_success{{collector="gpu",{exporter}}}': "_x48 0x16",
        f'gpu_xid_errors_total{{gpu="0",xid="79",{exporter}}}': "_x42 0 0 1x20",
        f'gpu_xid:gpu_xid_errors:positive{{gpu="0",xid="79",{exporter}}}': "_x44 1x20",
        f'gpu_ecc_errors_total{{gpu="0",type="uncorrected",{exporter}}}': "_x42 0 0 1x20",
        f'gpu_info{{gpu="0",{exporter}}}': "_x24 1x40",
        f"process_start_time_seconds{{{exporter}}}": "_x24 0x40",
    }
    panels_and_labels = {
        ("soak", "Alerts firing now", "A"): ("alertname", "RouterDown"),
        ("soak", "Failures by kind", "A"): ("failure", "read (unanswered)"),
        ("stack-health", "Collectors that fail", "A"): ("collector", "gpu"),
        ("gpu", "Xid errors in the time range", "A"): ("xid", "79"),
        ("gpu", "Memory errors (ECC)", "C"): ("", ""),
    }
    asked = []
    for (uid, title, ref), (label, found) in panels_and_labels.items():
        some = f"count by ({label}) ({asked_of(uid, title, ref)})"
        none = [{"labels": f'{{{label}="none"}}' if label else "{}", "value": 1}]
        said = [{"labels": f'{{{label}="{found}"}}', "value": 1}] if label else []
        for when, expected in (("1m", []), ("3m30s", none), ("5m", said)):
            asked.append({"expr": some, "eval_time": when, "exp_samples": expected})
    assert_answers(series, asked, tmp_path)


def test_what_most_have_no_data_of_is_collapsed_and_says_how_to_get_it() -> None:
    rows = [panel for page in PAGES.values() for panel in page["panels"] if panel["type"] == "row"]
    assert {row["title"] for row in rows if row["collapsed"]} == COLLAPSED
    for row in rows:
        assert bool(row.get("panels")) == row["collapsed"], row["title"]
        for panel in row.get("panels") or []:
            assert len(panel["fieldConfig"]["defaults"]["noValue"].split()) >= 2, panel["title"]


@every_dashboard
def test_a_panel_of_several_queries_without_an_answer_says_its_own_words(page: Json) -> None:
    # Grafana 9.5 does so of one frame without fields; of several "Data is missing a number field".
    for panel in panels(page):
        if panel["type"] == "timeseries" and len(panel["targets"]) > 1:
            assert steps(panel) == ["filterFieldsByName"] or steps(panel)[0] == "merge", panel["title"]
            assert panel["fieldConfig"]["defaults"]["noValue"], panel["title"]


@every_dashboard
def test_an_empty_panel_says_why_and_what_to_do(page: Json) -> None:
    for panel in panels(page):
        said = panel["fieldConfig"]["defaults"]["noValue"]
        why, _, what_to_do = said.partition(": ")
        assert said in NOT_SEEN or (why and re.search(r" |^docs/", what_to_do)), panel["title"]


def test_how_late_the_client_reads_stands_beside_latency() -> None:
    assert "client lag p99" in [t["legendFormat"] for t in panel_called("soak", "Latency")["targets"]]
    places = [
        panel_called("soak", title)["gridPos"]["y"]
        for title in ("First token and time per token", "Client lag and lateness, p99")
    ]
    assert places[0] == places[1]


@every_dashboard
def test_digits_have_no_curve_behind_them(page: Json) -> None:
    for panel in panels(page):
        if panel["type"] == "stat":
            assert panel["options"]["graphMode"] == "none", panel["title"]


def test_a_provisioning_folder_has_only_what_grafana_reads() -> None:
    files = [path for path in (GRAFANA / "provisioning").rglob("*") if path.is_file()]
    assert [path for path in files if path.suffix not in (".yaml", ".yml", ".json")] == []
    assert {path.parent.name for path in files} == {"alerting", "dashboards", "datasources", "plugins"}
    assert all(yaml.safe_load(path.read_text(encoding="utf-8"))["apiVersion"] == 1 for path in files)
