"""What all panels share: the datasource, the colours, the legends, and the grid they stand on."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from grafana_foundation_sdk.builders import common, gauge, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    BigValueTextMode,
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
GRID_COLUMNS = 24

# Told apart with every common colour blindness (Okabe and Ito, "Color Universal Design", 2008). The red is
# for failures alone, the green for "well" alone, and each of the two also has a text or a place of its own.
BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
YELLOW = "#F0E442"
PURPLE = "#CC79A7"
GREY = "#999999"
FAILURE = "#D55E00"

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


def target(
    ref_id: str, expr: str, legend: str, *, instant: bool = False, rows: bool = False
) -> prometheus.Dataquery:
    """One query; `instant` asks for the newest value only, `rows` for a table with a column a label."""
    query = prometheus.Dataquery().ref_id(ref_id).expr(expr).legend_format(legend).datasource(DATASOURCE)
    if instant:
        query.instant()
    else:
        query.range()
    return query.format(PromQueryFormat.TABLE if rows else PromQueryFormat.TIME_SERIES)


def timeseries_panel(title: str, description: str, unit: str, no_value: str) -> timeseries.Panel:
    """Lines over time that start at zero and show gaps as gaps."""
    legend = common.VizLegendOptions().display_mode(LegendDisplayMode.TABLE).placement(LegendPlacement.BOTTOM)
    legend.show_legend(True).calcs(["lastNotNull", "max"])
    tooltip = common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
    panel = timeseries.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).no_value(no_value).legend(legend).tooltip(tooltip).axis_soft_min(0)
    panel.draw_style(GraphDrawStyle.LINE).line_interpolation(LineInterpolation.LINEAR).line_width(1)
    # A gap is a finding (nothing answered, nothing scraped), so it is never bridged.
    return panel.fill_opacity(10).show_points(VisibilityMode.AUTO).span_nulls(False)


def stat_panel(title: str, description: str, unit: str, no_value: str) -> stat.Panel:
    """One big figure, the newest."""
    panel = stat.Panel().title(title).description(description).datasource(DATASOURCE)
    panel.unit(unit).no_value(no_value).reduce_options(newest())
    panel.thresholds(at_least((None, GREY))).color_mode(BigValueColorMode.VALUE)
    return panel.graph_mode(BigValueGraphMode.AREA).text_mode(BigValueTextMode.VALUE)


def gauge_panel(title: str, description: str, unit: str, no_value: str) -> gauge.Panel:
    """One figure on a dial, the newest."""
    panel = gauge.Panel().title(title).description(description).datasource(DATASOURCE)
    return panel.unit(unit).no_value(no_value).reduce_options(newest())


def table_panel(title: str, description: str, unit: str, no_value: str) -> table.Panel:
    """Rows of labels with one value, whose unit is given."""
    panel = table.Panel().title(title).description(description).datasource(DATASOURCE)
    return panel.unit(unit).no_value(no_value).show_header(True)


def newest() -> common.ReduceDataOptions:
    """The newest value; not the newest that was a number, which would show a past run as the present."""
    return common.ReduceDataOptions().calcs(["last"]).values(False)


def at_least(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    """The colour from each value upwards; the first step has no value and is the colour below all others."""
    thresholds = [model.Threshold(value=value, color=hue) for value, hue in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(thresholds)


def mapped(texts: Mapping[str, tuple[str, str]], *, nothing: str | None = None) -> model.ValueMapping:
    """Values to (text, colour); or, with `nothing`, what stands for an absent value or 0/0."""
    if nothing is not None:
        result = model.ValueMappingResult(text=nothing, color=GREY)
        return model.SpecialValueMap(
            model.DashboardSpecialValueMapOptions(match=model.SpecialValueMatch.NULL_AND_NAN, result=result)
        )
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=hue, index=index)
            for index, (value, (text, hue)) in enumerate(texts.items())
        }
    )


def colour(hue: str, *, mode: Literal["fixed", "shades"] = "fixed") -> model.DynamicConfigValue:
    """The colour of an override: one for all of its series, or shades of one where they are many."""
    return model.DynamicConfigValue(id_val="color", value={"mode": mode, "fixedColor": hue})


def shades(hue: str) -> build.FieldColor:
    """Shades of one colour: series that nobody can name beforehand differ in lightness, whoever looks."""
    return build.FieldColor().mode(model.FieldColorModeId.SHADES).fixed_color(hue)


def dashed() -> model.DynamicConfigValue:
    """A dashed line, for what is a bound or a context rather than the finding."""
    return model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]})


def stacked(mode: StackingMode) -> common.StackingConfig:
    """Series of a panel added up."""
    return common.StackingConfig().mode(mode).group("A")


def as_table(columns: Mapping[str, str]) -> model.DataTransformerConfig:
    """Keep these labels, in this order and under these names; an absent one leaves no column."""
    order = {name: index for index, name in enumerate(columns)}
    # `includeByName` hides all others, whichever labels an alert brings.
    options = {
        "includeByName": dict.fromkeys(columns, True),
        "indexByName": order,
        "renameByName": dict(columns),
    }
    return model.DataTransformerConfig(id_val="organize", options=options)
