"""The buckets of a histogram that a heatmap shows: those in use.

Sixty buckets reach from half a millisecond to ten minutes, and an axis that shows them all leaves a sixth for
what was measured.
"""

# Of the exporter's ten a decade every other: of twice as many rows the labels lie on one another.
_FIVE_A_DECADE = r'le=~"(0|\\.)*(1|1\\.?6|2\\.?5|4|6\\.?3)(0|\\.)*|1e-05|\\+Inf"'


def in_use(buckets: str) -> str:
    """New observations by `le`, cumulative as ever, from the lowest bucket with any to the highest.

    Which these are is asked once, of the whole time range: Grafana takes the difference of neighbours, so
    a row has to be there at every step. The highest is the one whose bound is the largest quantile. Its
    bound is a value there and has to become a label again, which the exporter writes with a decimal point.
    """
    some = _with(buckets, _FIVE_A_DECADE)
    counted = f"sum by (le) (increase({some}[$__rate_interval]))"
    ever = f"sum by (le) (increase({some}[$__range] @ end()))"
    everything = f"""sum(increase({_with(buckets, 'le="+Inf"')}[$__range] @ end()))"""
    highest = f'count_values("le", histogram_quantile(1, {ever}))'
    pointed = f'label_replace({highest}, "le", "$1.0", "le", "([0-9]+)")'
    below = f"{ever} > 0 < on () group_left () (0.999999 * {everything})"
    return f"{counted} and on (le) (({below}) or {pointed})"


def _with(buckets: str, matcher: str) -> str:
    return buckets.replace("{", f"{{{matcher},", 1)
