"""Colours and what takes them: thresholds, value mappings, overrides.

Distinct with every common colour blindness (Okabe and Ito, "Color Universal Design", 2008). The red is for
failures alone, the green for "well" alone, and each of the two also has a text or a place of its own.
"""

from collections.abc import Mapping
from typing import Literal

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.models import dashboard as model

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
ORANGE = "#E69F00"
YELLOW = "#F0E442"
PURPLE = "#CC79A7"
GREY = "#999999"
FAILURE = "#D55E00"

ROUTES = {"local": BLUE, "openai": ORANGE, "google": SKY, "anthropic": PURPLE}
"""a route has its colour on every dashboard"""

States = Mapping[str, tuple[str, str]]
"""a value as text -> what is shown for it, and its colour"""

UP_OR_DOWN: States = {"0": ("down", FAILURE), "1": ("up", GREEN)}
OK_OR_FAILING: States = {"0": ("failing", FAILURE), "1": ("ok", GREEN)}


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


def without_value(text: str) -> model.ValueMapping:
    """What stands for 0/0, which a stat panel would show as "NaN"."""
    result = model.ValueMappingResult(text=text, color=GREY)
    match = model.SpecialValueMatch.NULL_AND_NAN
    return model.SpecialValueMap(model.DashboardSpecialValueMapOptions(match=match, result=result))


def from_one(text: str, hue: str) -> model.ValueMapping:
    """One text for every count from 1."""
    result = model.ValueMappingResult(text=text, color=hue, index=1)
    return model.RangeMap(model.DashboardRangeMapOptions(from_val=1, to=1e9, result=result))


def colour(hue: str, *, mode: Literal["fixed", "shades"] = "fixed") -> model.DynamicConfigValue:
    """The colour of an override: one for all of its series, or shades of one where they are many."""
    return model.DynamicConfigValue(id_val="color", value={"mode": mode, "fixedColor": hue})


def dashed() -> model.DynamicConfigValue:
    """A dashed line, for what is a bound or a context rather than the finding."""
    return model.DynamicConfigValue(id_val="custom.lineStyle", value={"fill": "dash", "dash": [8, 6]})


def unit_of(unit: str) -> model.DynamicConfigValue:
    """The unit of a column."""
    return model.DynamicConfigValue(id_val="unit", value=unit)
