"""Colours and what takes them: thresholds, value mappings, overrides.

Distinct with every common colour blindness (Okabe and Ito, "Color Universal Design", 2008, without its
yellow, which nobody sees on white; three of Paul Tol's "muted" for what is numbered). The red is for
failures alone, the green for "well" alone, and each of the two also has a text or a place of its own.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
PURPLE = "#CC79A7"
WINE = "#882255"
TEAL = "#44AA99"
OLIVE = "#999933"
GREY = "#999999"
FAILURE = "#D55E00"

ROUTES = {"local": BLUE, "openai": ORANGE, "google": SKY, "anthropic": PURPLE}
"""a route has its colour on every dashboard"""

NUMBERED = (BLUE, ORANGE, PURPLE, SKY, GREY, TEAL, WINE, OLIVE)
"""a GPU, a node or a process has the colour of its number on every dashboard; the ninth is as the first"""

States = Mapping[str, tuple[str, str]]
"""a value as text -> what is shown for it, and its colour"""

UP_OR_DOWN: States = {"0": ("down", FAILURE), "1": ("up", GREEN)}
OUTCOMES: States = {
    "-1": ("not judged", GREY),
    "0": ("pass", GREEN),
    "1": ("warning", ORANGE),
    "2": ("inconclusive", ORANGE),
    "3": ("fail", FAILURE),
}
"""of a check, as the queries number them: the worst is the greatest"""
OK_OR_FAILING: States = {"0": ("failing", FAILURE), "1": ("ok", GREEN)}


def by_number(legend: str) -> Iterator[tuple[str, str]]:
    """(regular expression on the legend, colour) for each number that a GPU has, or that a name ends in."""
    before = "GPU " if "GPU {{gpu}}" in legend else "[A-Za-z -]"
    for number in range(len(NUMBERED) + 1):
        yield f"/{before}{number}( |$)/", NUMBERED[number % len(NUMBERED)]


def at_least(*steps: tuple[float | None, str]) -> build.ThresholdsConfig:
    """The colour from each value upwards; the first step has no value and is the colour below all others."""
    thresholds = [model.Threshold(value=value, color=hue) for value, hue in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(thresholds)


def mapped(states: States) -> model.ValueMapping:
    """Values to texts and colours."""
    return model.ValueMap(
        {
            value: model.ValueMappingResult(text=text, color=hue, index=index)
            for index, (value, (text, hue)) in enumerate(states.items())
        }
    )


def between(low: float, high: float, text: str, hue: str, index: int) -> model.ValueMapping:
    """One text for all values from `low` to `high`."""
    result = model.ValueMappingResult(text=text, color=hue, index=index)
    return model.RangeMap(model.DashboardRangeMapOptions(from_val=low, to=high, result=result))


def from_none(text: str, hue: str) -> model.ValueMapping:
    """One text for none."""
    return model.ValueMap({"0": model.ValueMappingResult(text=text, color=hue, index=0)})


def from_one(text: str, hue: str) -> model.ValueMapping:
    """One text, or with an empty one the count itself, for every count from 1."""
    result = model.ValueMappingResult(text=text or None, color=hue, index=1)
    return model.RangeMap(model.DashboardRangeMapOptions(from_val=1, to=1e9, result=result))


def colour(hue: str, *, mode: Literal["fixed", "shades"] = "fixed") -> model.DynamicConfigValue:
    """The colour of an override: one for all of its series, or shades of one where they are many."""
    return model.DynamicConfigValue(id_val="color", value={"mode": mode, "fixedColor": hue})


def bounding() -> list[model.DynamicConfigValue]:
    """The look of a bound, which frames what was measured: thin, dashed, and never filled."""
    return [
        model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]}),
        model.DynamicConfigValue(id_val="custom.lineWidth", value=1),
        model.DynamicConfigValue(id_val="custom.fillOpacity", value=0),
    ]


def unit_of(unit: str) -> model.DynamicConfigValue:
    """The unit of a column."""
    return model.DynamicConfigValue(id_val="unit", value=unit)


def coloured(mappings: Sequence[model.ValueMapping]) -> list[model.DynamicConfigValue]:
    """A column whose cells are texts on their colours; one without a value has none (Grafana has green)."""
    return [
        model.DynamicConfigValue(id_val="mappings", value=list(mappings)),
        model.DynamicConfigValue(id_val="thresholds", value=at_least((None, "transparent")).build()),
        model.DynamicConfigValue(
            id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}
        ),
    ]
