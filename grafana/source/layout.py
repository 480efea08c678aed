"""The grid that panels stand on: 24 columns, rows of panels, sections of rows."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
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


def lay_out(dashboard: build.Dashboard, sections: Sequence[Section]) -> None:
    """Place the sections one under the other, without gaps, and number the panels from 1.

    Raises ValueError for a row that does not fill the width.
    """
    y, number = 0, 0
    for section in sections:
        if section.title is not None:
            number += 1
            place = model.GridPos(x=0, y=y, w=GRID_COLUMNS, h=1)
            dashboard.with_row(build.Row(section.title).id(number).grid_pos(place))
            y += 1
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
                built.grid_pos = model.GridPos(x=x, y=y, w=width, h=height)
                built.field_config = built.field_config or model.FieldConfigSource()
                shown = built.field_config.defaults
                shown.no_value = shown.no_value or section.no_value
                dashboard.with_panel(panel)
                x += width
            y += height
