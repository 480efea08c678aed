"""The grid that panels stand on: 24 columns, rows of panels, sections of rows."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as sdk
from grafana_foundation_sdk.models import dashboard as model

GRID_COLUMNS = 24


class Row(NamedTuple):
    """Panels from left to right, as wide as each other where no widths are given."""

    height: int
    panels: Sequence[Builder[model.Panel]]
    widths: Sequence[int] = ()


class Section(NamedTuple):
    """Rows of panels under one heading; the first section of a dashboard needs none."""

    title: str | None
    no_value: str
    """what its panels show where there is nothing, unless a panel has a text of its own"""
    rows: Sequence[Row]
    collapsed: bool = False
    """for what most have no data of: its panels ask for nothing before somebody opens it"""


def lay_out(dashboard: build.Dashboard, sections: Sequence[Section]) -> None:
    """Place the sections one under the other, without gaps, and number the panels from 1.

    The panels of a collapsed section are in its heading; they stand where they are once it is opened. Raises
    ValueError for a row that does not fill the width.
    """
    y, number = 0, 0
    for section in sections:
        heading = None
        if section.title is not None:
            number += 1
            place = model.GridPos(x=0, y=y, w=GRID_COLUMNS, h=1)
            heading = build.Row(section.title).id(number).grid_pos(place).collapsed(section.collapsed)
            if not section.collapsed:
                dashboard.with_row(heading)
            y += 1
        below = y
        for height, panels, given in section.rows:
            widths = given or [GRID_COLUMNS // len(panels)] * len(panels)
            if sum(widths) != GRID_COLUMNS:
                where = section.title or "header"
                raise ValueError(f"{where}: a row is {sum(widths)} wide, not {GRID_COLUMNS}")
            x = 0
            for width, panel in zip(widths, panels, strict=True):
                number += 1
                built = panel.build()
                built.id_val = number
                built.grid_pos = model.GridPos(x=x, y=below, w=width, h=height)
                built.field_config = built.field_config or model.FieldConfigSource()
                shown = built.field_config.defaults
                shown.no_value = shown.no_value or section.no_value
                if width == GRID_COLUMNS:
                    _with_legend_table(built)
                if heading is not None and section.collapsed:
                    heading.with_panel(panel)
                else:
                    dashboard.with_panel(panel)
                x += width
            below += height
        if section.collapsed and heading is not None:
            dashboard.with_row(heading)
        else:
            y = below


def _with_legend_table(panel: model.Panel) -> None:
    """Beside lines over the full width there is room for the newest value and the greatest."""
    legend = getattr(panel.options, "legend", None)
    if panel.type_val == "timeseries" and legend is not None:
        legend.display_mode = sdk.LegendDisplayMode.TABLE
        legend.placement = sdk.LegendPlacement.RIGHT
        legend.calcs = ["lastNotNull", "max"]
