"""The grid that panels stand on: 24 columns, rows of panels, sections of rows."""

from collections.abc import Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model

GRID_COLUMNS = 24

Row = tuple[int, Sequence[tuple[int, Builder[model.Panel]]]]
"""Height, and the panels from left to right with their widths, which fill the 24 columns."""


class Section(NamedTuple):
    """Rows of panels under one heading; the first section of a dashboard needs none."""

    title: str | None
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
        for height, panels in section.rows:
            width_total = sum(width for width, _ in panels)
            if width_total != GRID_COLUMNS:
                raise ValueError(
                    f"{section.title or 'header'}: a row is {width_total} wide, not {GRID_COLUMNS}"
                )
            x = 0
            for width, panel in panels:
                number += 1
                built = panel.build()
                built.id_val = number
                built.grid_pos = model.GridPos(x=x, y=y, w=width, h=height)
                dashboard.with_panel(panel)
                x += width
            y += height
