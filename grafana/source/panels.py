"""What all panels share: datasource, units, legends; one function a kind of panel.

Each takes what it shows as `Series`, gives them the letters A, B, C … and colours them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from grafana_foundation_sdk.builders import (
    common,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    table,
    timeseries,
    xychart,
)
from grafana_foundation_sdk.models import common as sdk
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from palette import BLUE, FAILURE, GREY, States, at_least, bounding, by_number, colour, mapped, unit_of
from queries import crowds

DATASOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")

SECONDS = "s"
RATE = "reqps"
PER_SECOND = "cps"
BYTES = "bytes"
BYTES_PER_SECOND = "Bps"
RATIO = "percentunit"
COUNT = "short"
TEXT = "string"
DATE_MS = "dateTimeAsIso"
AGE_MS = "dateTimeFromNow"
CELSIUS = "celsius"
WATTS = "watt"
HERTZ = "hertz"

NO_RUN = "no run: soak run begins one"
NOT_WATCHED = "no process is watched: name it in the exporter's configuration"
NO_HOST = "no host data: an exporter on the host gives it"
NO_GPU = "no GPU is watched: gpu: auto in the exporter's configuration, and NVIDIA's driver"


class Series(NamedTuple):
    """A query, how its series are called, and their colour: shades of it where they may be many."""

    expr: str
    legend: str
    hue: str = BLUE
    many: bool = False
    bound: bool = False
    """dashed: a bound or a context rather than the finding"""
    few: Callable[[str, int], str] = crowds.highest
    """which of a crowd are drawn"""

    @property
    def is_crowd(self) -> bool:
        """Whether there may be hundreds: one for every host, node, process, GPU or exporter."""
        return any(
            f"{{{{{each}}}}}" in self.legend for each in ("host", "node", "process", "gpu", "instance")
        )

    def fewer(self, number: int) -> "Series":
        """Of a crowd as many as that."""
        return self._replace(expr=self.few(self.expr, number)) if self.is_crowd else self


def target(
    number: int, series: Series, *, instant: bool = False, form: PromQueryFormat = PromQueryFormat.TIME_SERIES
) -> prometheus.Dataquery:
    """One query; `instant` asks for the newest value alone."""
    query = prometheus.Dataquery().ref_id(letter(number)).expr(series.expr).legend_format(series.legend)
    query.datasource(DATASOURCE).format(form)
    return query.instant() if instant else query.range()


def letter(number: int) -> str:
    """The name of a panel's query."""
    return "ABCDEFGHIJ"[number]


# A query without an answer leaves a frame without fields. Of one alone Grafana shows the panel's own words;
# of several it says "Data is missing a number field" (PanelDataErrorView). This step drops what has no field.
WITHOUT_EMPTY = model.DataTransformerConfig(
    id_val="filterFieldsByName", options={"include": {"pattern": "/.*/"}}
)

P = TypeVar(
    "P",
    heatmap.Panel,
    stat.Panel,
    statetimeline.Panel,
    table.Panel,
    timeseries.Panel,
    xychart.Panel,
)


def titled(panel: P, title: str, description: str, unit: str, no_value: str | None = None) -> P:
    """The panel with what every panel has to say; without `no_value` it shows its section's."""
    panel.title(title).description(description).datasource(DATASOURCE).unit(unit)
    return panel if no_value is None else panel.no_value(no_value)


def lines(
    title: str,
    description: str,
    unit: str,
    *series: Series,
    no_value: str | None = None,
    named: Mapping[str, str] | None = None,
    beside: bool = False,
    stack: bool = False,
    max_value: float | None = None,
    up_to: float | None = None,
) -> timeseries.Panel:
    """Lines over time that start at zero and show gaps as gaps.

    `named` has colours by a regular expression on the legend, `beside` puts the names to the right (for more
    than six lines, in panels of half the width), `stack` adds the lines up, the scale ends at `max_value`,
    and reaches to `up_to` at least (of nothing but zeros Grafana makes one to 100, or 10,000 %).
    Only what stands alone or is stacked is filled: areas over one another make mud. Of what there may be
    hundreds of (hosts, GPUs, processes, nodes) a query draws eight, several queries twelve in all.
    """
    panel = titled(timeseries.Panel(), title, description, unit, no_value).axis_soft_min(0)
    placement = sdk.LegendPlacement.RIGHT if beside else sdk.LegendPlacement.BOTTOM
    # Names alone: a table takes half of a small panel. One of the full width gets it in lay_out.
    legend = common.VizLegendOptions().display_mode(sdk.LegendDisplayMode.LIST).placement(placement)
    panel.legend(legend.show_legend(True).calcs([]))
    tooltip = common.VizTooltipOptions().mode(sdk.TooltipDisplayMode.MULTI).sort(sdk.SortOrder.DESCENDING)
    panel.tooltip(tooltip).draw_style(sdk.GraphDrawStyle.LINE).line_width(1)
    panel.line_interpolation(sdk.LineInterpolation.LINEAR)
    # A gap is a finding (nothing answered, nothing scraped), so it is never bridged.
    alone = len([each for each in series if not each.bound]) == 1 and "{{" not in series[0].legend
    panel.fill_opacity(40 if stack else 10 if alone else 0)
    panel.show_points(sdk.VisibilityMode.AUTO).span_nulls(False)
    if stack:
        panel.stacking(common.StackingConfig().mode(sdk.StackingMode.NORMAL).group("A"))
    if max_value is not None:
        panel.min(0).max(max_value)
    if up_to is not None:
        panel.axis_soft_max(up_to)
    if len(series) > 1:
        panel.with_transformation(WITHOUT_EMPTY)
    most = min(crowds.CURVES, crowds.CURVES_OF_ALL // max(1, sum(each.is_crowd for each in series)))
    for number, each in enumerate(series):
        panel.with_target(target(number, each.fewer(most)))
        look = [colour(each.hue, mode="shades" if each.many else "fixed")]
        panel.override_by_query(letter(number), [*look, *bounding()] if each.bound else look)
    numbered = [each.legend for each in series if each.many and each.hue != FAILURE]
    # All families of a panel have the same numbers.
    if numbered:
        for pattern, hue in by_number(numbered[0]):
            panel.override_by_regexp(pattern, [colour(hue)])
    for pattern, hue in (named or {}).items():
        panel.override_by_regexp(f"/{pattern}/", [colour(hue)])
    return panel


def figures(title: str, description: str, *series: "Figure", no_value: str) -> stat.Panel:
    """A few big figures side by side with their names; each in its own unit, coloured by its thresholds.

    None has its course behind it: digits on a curve are read by nobody.
    """
    panel = titled(stat.Panel(), title, description, COUNT, no_value).reduce_options(newest())
    panel.thresholds(at_least((None, GREY))).color_mode(sdk.BigValueColorMode.VALUE)
    panel.graph_mode(sdk.BigValueGraphMode.NONE).text_mode(sdk.BigValueTextMode.VALUE_AND_NAME)
    panel.orientation(sdk.VizOrientation.VERTICAL)
    panel.text(common.VizTextDisplayOptions().title_size(13).value_size(24))
    for number, each in enumerate(series):
        panel.with_target(target(number, Series(each.expr, each.name), instant=True))
        look = [unit_of(each.unit), model.DynamicConfigValue(id_val="mappings", value=list(each.mappings))]
        if each.decimals is not None:
            look.append(model.DynamicConfigValue(id_val="decimals", value=each.decimals))
        steps = at_least(*(each.steps or ((None, TEXT_COLOUR),)))
        look.append(model.DynamicConfigValue(id_val="thresholds", value=steps.build()))
        panel.override_by_query(letter(number), look)
    return panel


TEXT_COLOUR = "text"
"""that of the theme: dark on light, light on dark"""


class Figure(NamedTuple):
    """A query whose newest value is one of several big figures."""

    expr: str
    name: str
    unit: str
    steps: Sequence[tuple[float | None, str]] = ()
    mappings: Sequence[model.ValueMapping] = ()
    decimals: int | None = None


def states(
    title: str,
    description: str,
    mappings: Sequence[model.ValueMapping],
    *series: Series,
    no_value: str | None = None,
) -> stat.Panel:
    """A coloured tile for each series, with its text; its name too where there may be several."""
    panel = titled(stat.Panel(), title, description, COUNT, no_value).reduce_options(newest())
    panel.mappings(list(mappings)).thresholds(at_least((None, GREY)))
    panel.color_mode(sdk.BigValueColorMode.BACKGROUND).graph_mode(sdk.BigValueGraphMode.NONE)
    several = any("{{" in each.legend for each in series)
    panel.text_mode(sdk.BigValueTextMode.VALUE_AND_NAME if several else sdk.BigValueTextMode.VALUE)
    for number, each in enumerate(series):
        panel.with_target(target(number, each, instant=True))
    return panel


def names(title: str, description: str, series: Series, *, nothing: str, no_value: str) -> stat.Panel:
    """The legend as text: for labels, whose value says nothing.

    Of nothing there is no name: what is said then is the legend of the query `nothing`.
    """
    panel = titled(stat.Panel(), title, description, TEXT, no_value).reduce_options(newest())
    panel.thresholds(at_least((None, GREY))).text_mode(sdk.BigValueTextMode.NAME)
    panel.color_mode(sdk.BigValueColorMode.NONE).graph_mode(sdk.BigValueGraphMode.NONE)
    panel.text(common.VizTextDisplayOptions().value_size(17))
    for number, each in enumerate((series, Series(nothing, no_value))):
        panel.with_target(target(number, each, instant=True))
    return panel


def timeline(
    title: str, description: str, shown: States, series: Series, *, no_value: str | None = None
) -> statetimeline.Panel:
    """A band for each series, coloured by state; of a crowd twelve."""
    panel = titled(statetimeline.Panel(), title, description, COUNT, no_value)
    panel.mappings([mapped(shown)]).thresholds(at_least((None, GREY))).show_value(sdk.VisibilityMode.NEVER)
    panel.merge_values(True).row_height(0.8).line_width(0).fill_opacity(80).per_page(crowds.BANDS)
    listed(panel)
    panel.with_transformation(WITHOUT_EMPTY)
    return panel.with_target(target(0, series.fewer(crowds.BANDS)))


L = TypeVar("L", statetimeline.Panel, xychart.Panel)


def listed(panel: L) -> None:
    """A legend of names alone, below, and a tooltip of the one series that is pointed at."""
    legend = common.VizLegendOptions().display_mode(sdk.LegendDisplayMode.LIST).show_legend(True)
    panel.legend(legend.placement(sdk.LegendPlacement.BOTTOM))
    panel.tooltip(common.VizTooltipOptions().mode(sdk.TooltipDisplayMode.SINGLE).sort(sdk.SortOrder.NONE))


def buckets(
    title: str, description: str, unit: str, series: Series, counted: str = "requests"
) -> heatmap.Panel:
    """A histogram over time of what is `counted`: a column is one moment, the darkest cells the most."""
    panel = titled(heatmap.Panel(), title, description, COUNT).calculate(False)
    hues = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Blues").steps(64)
    panel.color(hues.fill(BLUE).scale(HeatmapColorScale.EXPONENTIAL).exponent(0.5).reverse(False))
    # Buckets are named by their upper bounds.
    panel.rows_frame(heatmap.RowsHeatmapOptions().layout(sdk.HeatmapCellLayout.AUTO).value(counted))
    panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(sdk.AxisPlacement.LEFT).reverse(False))
    panel.cell_gap(0).filter_values(heatmap.FilterValueRange().le(1e-9)).show_legend()
    # A row a bucket, and these are as many a decade: the axis is logarithmic by itself.
    panel.scale_distribution(common.ScaleDistributionConfig().type(sdk.ScaleDistribution.LINEAR))
    panel.mode(sdk.TooltipDisplayMode.SINGLE).show_y_histogram()
    return panel.with_target(target(0, series, form=PromQueryFormat.HEATMAP))


def newest() -> common.ReduceDataOptions:
    """The newest value; not the newest that was a number, which would show a past run as the present."""
    return common.ReduceDataOptions().calcs(["last"]).values(False)
