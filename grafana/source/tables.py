"""Panels made of rows: tables, and charts whose horizontal axis is a column."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from grafana_foundation_sdk.builders import common, table, timeseries, xychart
from grafana_foundation_sdk.models import common as sdk
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.xychart import SeriesMapping, XYShowMode
from palette import GREY, ROUTES, SKY, colour, coloured, unit_of
from panels import P, Series, letter, lines, listed, target, titled

# Grafana's own in URLs: the time range and all variables as they are now.
KEEPING_ALL = "${__url_time_range}&${__all_variables}"


MIN_COLUMN_WIDTH = 60
"""in pixels; Grafana's own is 150, and what does not fit is cut off"""
EMPTY_CELL = "–"
"""where a row has no value; the sentence for nothing at all would stand in every empty cell"""


class Column(NamedTuple):
    """A column by the name that is shown; `unit` and `link` where the text itself is not all."""

    name: str
    unit: str | None = None
    link: tuple[str, str] | None = None
    """title and URL of what a click opens"""
    width: int | None = None
    """in pixels; without one it takes its share of what is left"""
    states: Sequence[model.ValueMapping] = ()
    """texts, on their colours"""
    decimals: int | None = None
    bar: bool = False
    """the value is a share of one, and a bar"""
    right: bool = False
    """a number that is written as a text"""
    hidden: bool = False
    """only a link reads it"""


def labels(*names: str) -> dict[str, Column]:
    """Columns of labels under their own names."""
    return {name: Column(name) for name in names}


def rows(
    title: str,
    description: str,
    unit: str,
    series: Sequence[Series],
    columns: Mapping[str, Column],
    *,
    first: str | Sequence[str],
    no_value: str | None = None,
) -> table.Panel:
    """A table: these labels and values in this order; an absent one leaves no column.

    The value of a single query is called "Value", those of several "Value #A", "Value #B" … The greatest of
    the column `first` is on top: the newest, or the worst; of equal ones that of the next column.
    """
    panel = titled(table.Panel(), title, description, unit, no_value).show_header(True)
    for number, each in enumerate(series):
        panel.with_target(target(number, each, instant=True, form=PromQueryFormat.TABLE))
    if len(series) > 1:
        panel.with_transformation(MERGED)
    transform(panel, *kept({key: column.name for key, column in columns.items()}))
    panel.min_width(MIN_COLUMN_WIDTH)
    ordered = [first] if isinstance(first, str) else first
    panel.sort_by([common.TableSortByFieldState().display_name(name).desc(True) for name in ordered])
    panel.override_by_regexp("/.*/", [model.DynamicConfigValue(id_val="noValue", value=EMPTY_CELL)])
    for column in columns.values():
        properties = _properties(column)
        if properties:
            panel.override_by_name(column.name, properties)
    return panel


def _properties(column: Column) -> list[model.DynamicConfigValue]:
    found = []
    if column.unit is not None:
        found.append(unit_of(column.unit))
    if column.decimals is not None:
        found.append(model.DynamicConfigValue(id_val="decimals", value=column.decimals))
    if column.link is not None:
        link = {"title": column.link[0], "url": column.link[1]}
        found.append(model.DynamicConfigValue(id_val="links", value=[link]))
    if column.width is not None:
        found.append(model.DynamicConfigValue(id_val="custom.width", value=column.width))
    if column.states:
        found += coloured(column.states)
    if column.bar:
        found += [
            model.DynamicConfigValue(id_val="custom.cellOptions", value={"type": "gauge", "mode": "basic"}),
            model.DynamicConfigValue(id_val="min", value=0),
            model.DynamicConfigValue(id_val="max", value=1),
            colour(SKY),
        ]
    if column.hidden:
        found.append(model.DynamicConfigValue(id_val="custom.hidden", value=True))
    if column.right:
        found.append(model.DynamicConfigValue(id_val="custom.align", value="right"))
    return found


MERGED = model.DataTransformerConfig(id_val="merge", options={})


def transform(panel: P, *steps: model.DataTransformerConfig) -> None:
    """Take these steps between the panel's queries and what it shows."""
    for step in steps:
        panel.with_transformation(step)


def kept(columns: Mapping[str, str]) -> tuple[model.DataTransformerConfig, model.DataTransformerConfig]:
    """Keep these columns, in this order and under these names, whichever labels a series brings."""
    chosen = {"include": {"names": list(columns)}}
    options = {
        "excludeByName": {},
        "indexByName": {name: index for index, name in enumerate(columns)},
        "renameByName": dict(columns),
    }
    return (
        model.DataTransformerConfig(id_val="filterFieldsByName", options=chosen),
        model.DataTransformerConfig(id_val="organize", options=options),
    )


def _converted(column: str, kind: str) -> model.DataTransformerConfig:
    conversion = {"targetField": column, "destinationType": kind}
    options = {"conversions": [conversion], "fields": {}}
    return model.DataTransformerConfig(id_val="convertFieldType", options=options)


def _sorted(column: str) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val="sortBy", options={"fields": {}, "sort": [{"field": column}]})


def _split(column: str) -> model.DataTransformerConfig:
    """A line for each value of a column."""
    options = {"fields": [column], "keepFields": False, "naming": {"asLabels": True}}
    return model.DataTransformerConfig(id_val="partitionByValues", options=options)


def by_date(title: str, description: str, unit: str, when: Series, *values: Series) -> timeseries.Panel:
    """Values at a moment of their own, in ms, not that of their scrape; a line for each `label`."""
    panel = lines(title, description, unit, beside=True)
    for number, each in enumerate((when, *values)):
        panel.with_target(target(number, each, instant=True, form=PromQueryFormat.TABLE))
    shown = {f"Value #{letter(number)}": each.legend for number, each in enumerate(values, start=1)}
    columns = {"Value #A": "time", **shown, "label": "label"}
    transform(panel, MERGED, _converted("Value #A", "time"), *kept(columns), _sorted("time"), _split("label"))
    for each in values:
        # Split by label, the values of all of them have one name.
        name = "${__field.labels.label}" + (f" {each.legend}" if len(values) > 1 else "")
        look = [colour(each.hue, mode="shades"), model.DynamicConfigValue(id_val="displayName", value=name)]
        panel.override_by_regexp(f"/^{each.legend}/", look)
    # A run is one point; the line between two says only which run came next.
    return panel.show_points(sdk.VisibilityMode.ALWAYS).point_size(7).span_nulls(True).fill_opacity(0)


def curve(title: str, description: str, unit: str, series: Series) -> xychart.Panel:
    """Values against the label `connections`, which is a number, a line for each label `scale`."""
    panel = titled(xychart.Panel(), title, description, unit)
    panel.mapping(SeriesMapping.AUTO).show(XYShowMode.POINTS_AND_LINES)
    panel.point_size(xychart.XychartFieldConfigPointSize().fixed(7)).line_width(1).min(0)
    panel.scale_distribution(common.ScaleDistributionConfig().type(sdk.ScaleDistribution.LINEAR))
    listed(panel)
    panel.with_target(target(0, series, instant=True, form=PromQueryFormat.TABLE))
    # The chart takes the first number of each frame as x and the others as y.
    x = "connections"
    columns = {x: x, "Value": series.legend, "scale": "scale"}
    transform(panel, _converted(x, "number"), *kept(columns), _sorted(x), _split("scale"))
    panel.override_by_regexp("/.*/", [colour(GREY)])
    for name, hue in ROUTES.items():
        panel.override_by_regexp(f"/{name}/", [colour(hue)])
    return panel.override_by_name(x, [unit_of("short")])
