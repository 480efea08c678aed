"""The committed dashboards: what their source renders, laid out to be read, described, linked."""

import json
import re
from itertools import pairwise
from pathlib import Path

import dashboard_json
import layout
import palette
import panels as panels_module
import pytest
import render
from grafana_foundation_sdk.builders.dashboard import Dashboard as DashboardBuilder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from tests.support.checkout import GOLDEN
from tests.support.dashboards import (
    GRAFANA,
    PAGES,
    Json,
    every_dashboard,
    panels,
    queries_and_notes,
)
from tests.support.golden import compare_golden

SOAK_PANELS_AT_MOST = 24
"""and nine of streams, which are collapsed: a browser asks for what it shows"""
SOAK_QUERIES_AT_MOST = 60
MIN_SIZE = {
    "stat": (4, 4),
    "gauge": (4, 4),
    "timeseries": (8, 8),
    "heatmap": (8, 8),
    "xychart": (8, 8),
    "table": (8, 5),
    "state-timeline": (8, 6),
}
"""width and height below which it cannot be read on a screen of 1,366 pixels (a column is 56, a row 38)"""
MIN_WIDTH_BESIDE = 12
"""for a legend at the side, which takes a third"""
# Of those that grafana-data knows (valueFormats/categories.ts, which dashboard-linter holds units against).
UNITS = {
    *(
        "bytes",
        "Bps",
        "celsius",
        "cps",
        "dateTimeAsIso",
        "dateTimeFromNow",
        "hertz",
        "percentunit",
        "reqps",
        "s",
    ),
    *("short", "string", "watt"),
}


def test_what_is_committed_is_what_the_source_renders() -> None:
    assert render.main(["check", "--folder", str(GRAFANA / "dashboards")]) == 0


def test_the_check_names_what_has_drifted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert render.main(["render", "--folder", str(tmp_path)]) == 0
    assert render.main(["check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "soak.json").write_text("{}\n", encoding="utf-8")
    (tmp_path / "stray.json").write_text("{}\n", encoding="utf-8")
    capsys.readouterr()
    assert render.main(["check", "--folder", str(tmp_path)]) == 1
    complaints = capsys.readouterr().err
    assert f"{tmp_path / 'soak.json'}: not what its source renders" in complaints
    assert f"{tmp_path / 'stray.json'}: no source renders it" in complaints
    (tmp_path / "soak.json").unlink()
    assert render.main(["check", "--folder", str(tmp_path)]) == 1
    assert f"{tmp_path / 'soak.json'}: missing" in capsys.readouterr().err


def test_the_outline_and_the_queries_of_every_dashboard_are_as_they_were_read(
    request: pytest.FixtureRequest,
) -> None:
    lines = []
    for page in PAGES.values():
        queries = [f"  {where}: {expr}" for where, expr in queries_and_notes(page)]
        lines += [*dashboard_json.outline(page), "  == Queries", *queries, ""]
    update = request.config.getoption("--update-golden")
    compare_golden(GOLDEN / "dashboards.txt", "\n".join(lines), update)


def test_a_row_of_the_wrong_width_is_refused() -> None:
    narrow = panels_module.lines("p", "d", "short")
    section = layout.Section("Half", "-", [layout.Row(4, [narrow], [12])])
    with pytest.raises(ValueError, match="Half: a row is 12 wide, not 24"):
        layout.lay_out(DashboardBuilder("d"), [section])


@every_dashboard
def test_the_sdk_reads_back_what_it_wrote(page: Json) -> None:
    # The SDK has no field for what Prometheus annotations have beside the standard ones.
    notes = {"step", "target", "titleFormat", "textFormat", "tagKeys"}
    known = {**page, "annotations": {"list": [_without(note, notes) for note in page["annotations"]["list"]]}}
    assert (
        json.loads(json.dumps(Dashboard.from_json(json.loads(json.dumps(known))), cls=JSONEncoder)) == known
    )


def _without(mapping: Json, keys: set[str]) -> Json:
    return {key: value for key, value in mapping.items() if key not in keys}


def test_the_dashboards_have_fixed_uids_and_soak_is_followed_live() -> None:
    assert {uid: page["title"] for uid, page in PAGES.items()} == {
        "gpu": "GPU",
        "leaks": "Leaks",
        "results": "Results",
        "router-and-nodes": "Router and nodes",
        "soak": "Soak",
        "stack-health": "Stack health",
    }
    assert all(page["uid"] == uid for uid, page in PAGES.items())
    assert (PAGES["soak"]["refresh"], PAGES["soak"]["time"]["from"]) == ("5s", "now-15m")
    asked_at_once = [panel for panel in PAGES["soak"]["panels"] if panel["type"] != "row"]
    assert len(asked_at_once) <= SOAK_PANELS_AT_MOST
    assert sum(len(panel["targets"]) for panel in asked_at_once) <= SOAK_QUERIES_AT_MOST


@every_dashboard
def test_the_schema_is_the_classic_one_that_file_provisioning_takes(page: Json) -> None:
    assert page["schemaVersion"] <= 42
    assert not {"elements", "layout", "apiVersion", "spec"} & set(page)
    assert "id" not in page, "a numeric id belongs to one Grafana"
    assert page["editable"] is False
    assert {panel["type"] for panel in page["panels"]} <= {"row", *MIN_SIZE}


@every_dashboard
def test_panels_stand_on_24_columns_without_overlap_or_holes(page: Json) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in page["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24, panel["title"]
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies over {taken[(x, y)]}"
                taken[(x, y)] = panel["title"]
    height = 1 + max(y for _, y in taken)
    assert [(x, y) for y in range(height) for x in range(24) if (x, y) not in taken] == []


@every_dashboard
def test_panels_are_read_from_left_to_right_and_from_top_to_bottom(page: Json) -> None:
    for together in (page["panels"], *(panel.get("panels", []) for panel in page["panels"])):
        places = [(panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in together]
        assert all(before < after for before, after in pairwise(places))
    everything = [each for panel in page["panels"] for each in (panel, *panel.get("panels", []))]
    assert [panel["id"] for panel in everything] == list(range(1, len(everything) + 1))
    titles = [panel["title"] for panel in everything]
    assert len(set(titles)) == len(titles)


@every_dashboard
def test_no_panel_is_smaller_than_it_can_be_read(page: Json) -> None:
    for panel in panels(page):
        width, height = MIN_SIZE[panel["type"]]
        place = panel["gridPos"]
        assert place["w"] >= width and place["h"] >= height, panel["title"]
        if panel["options"].get("legend", {}).get("placement") == "right":
            assert place["w"] >= MIN_WIDTH_BESIDE, f"{panel['title']}: the legend leaves no room"


@every_dashboard
def test_every_panel_says_what_it_shows_in_which_unit_and_when_there_is_nothing(page: Json) -> None:
    for panel in panels(page):
        defaults = panel["fieldConfig"]["defaults"]
        assert panel["title"].strip()
        assert len(panel["description"]) > 20 and panel["description"][-1] == ".", panel["title"]
        assert defaults["unit"] in UNITS, panel["title"]
        assert defaults["noValue"].strip(), panel["title"]
        for override in panel["fieldConfig"]["overrides"]:
            assert {each["value"] for each in override["properties"] if each["id"] == "unit"} <= UNITS


@every_dashboard
def test_overrides_name_a_query_or_a_legend_of_their_panel(page: Json) -> None:
    for panel in panels(page):
        refs = {target["refId"] for target in panel["targets"]}
        renamed = {
            name
            for step in panel.get("transformations", [])
            for name in step["options"].get("renameByName", {}).values()
        }
        for override in panel["fieldConfig"]["overrides"]:
            matcher = override["matcher"]
            if matcher["id"] == "byFrameRefID":
                assert matcher["options"] in refs, panel["title"]
            elif matcher["id"] == "byName":
                assert matcher["options"] in renamed, panel["title"]
            else:
                assert re.compile(matcher["options"].strip("/")), panel["title"]


@every_dashboard
def test_red_is_for_failures_alone(page: Json) -> None:
    bad = re.compile("down|fail|disconnect|5xx|unanswered|stalled|drop|error|reject|uncorrected|reason", re.I)
    for panel in panels(page):
        for override in panel["fieldConfig"]["overrides"]:
            # A text on its colour says itself what it is.
            lines = [each for each in override["properties"] if each["id"] not in ("mappings", "thresholds")]
            if palette.FAILURE not in json.dumps(lines):
                continue
            named = override["matcher"]["options"]
            legends = [t["legendFormat"] for t in panel["targets"] if t["refId"] == named]
            assert bad.search(" ".join([named, *legends])), f"{panel['title']}: {named}"


@every_dashboard
def test_colours_are_of_the_palette_that_all_eyes_tell_apart(page: Json) -> None:
    hues = {value for name, value in vars(palette).items() if name.isupper() and isinstance(value, str)}
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", json.dumps(page))) <= hues
