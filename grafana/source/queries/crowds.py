"""Of a crowd the few that say most: curves of hundreds of hosts, GPUs or processes say nothing together.

Which these are is asked once, of all that is shown, so that a curve does not come and go; and before they are
put together, so that a Prometheus of a hundred hosts does that with a few at each point of a curve.
"""

import re

CURVES = 8
"""of one query in a panel; as many as there are colours for what is numbered, and GPUs in a host"""
CURVES_OF_ALL = 12
"""of all queries of a panel"""
BANDS = 12
"""of states in a panel: they stand under one another, each with its name"""


class Crowd(str):
    """A query with a series for each of what there may be hundreds of, as the worst of its exporters says."""

    inner: str
    by: str
    of: str
    always: str
    """the part of `inner` that is always drawn; may be empty"""

    def __new__(cls, inner: str, by: str, of: str = "max", always: str = "") -> "Crowd":
        """`of` (max or min) of `inner` by these labels."""
        made = super().__new__(cls, f"{of} by ({by}) ({inner})")
        made.inner, made.by, made.of, made.always = inner, by, of, always
        return made

    def few(self, these: str) -> str:
        """Of `these`, a vector by the same labels, alone."""
        drawn = f"({self.inner}) and on ({self.by}) {these}"
        return f"{self.of} by ({self.by}) ({drawn}{f' or {self.always}' if self.always else ''})"


def over_range(how: str, selector: str, by: str) -> str:
    """What the samples of all that is shown come to (`how`: max, min, avg), by these labels the greatest."""
    return f"max by ({by}) ({how}_over_time({selector}[$__range] @ end()))"


def each_step(selector: str, by: str, of: str = "max") -> Crowd:
    """The worst of each step, so that what lasts for seconds is seen in a range of days.

    A step as short as a scrape may lie between two: then the sample before it.
    """
    # Without its name, as what is before it: the two are one series.
    return Crowd(f"{of}_over_time({selector}[$__interval]) or {selector} + 0", by, of)


def highest(expr: str, number: int) -> str:
    """Of these series those that were highest within the time range."""
    return _few(expr, f"topk({number}, RANK(max_over_time))")


def lowest(expr: str, number: int) -> str:
    """Those that were lowest."""
    return _few(expr, f"bottomk({number}, RANK(min_over_time))")


def longest_down(expr: str, number: int) -> str:
    """Of series of 0 and 1 those that were 0 for longest."""
    return _few(expr, f"bottomk({number}, RANK(avg_over_time))")


def on_average(expr: str, number: int) -> str:
    """Those that were highest on average: of slopes those that have grown most."""
    return _few(expr, f"topk({number}, RANK(avg_over_time))")


def moved(expr: str, number: int) -> str:
    """Those that moved most: what grows, among what is large."""
    return _few(expr, f"topk({number}, RANK(max_over_time) - RANK(min_over_time))")


# A metric with its matchers, whose samples are read as they are. Of everything else points are computed, at
# steps as long as the window of its rates, so that nothing lies between two of them.
_SELECTOR = re.compile(r"[\w:]+\{[^}]*\}")


def _few(expr: str, these: str) -> str:
    # A query that picks its few by itself is not asked twice.
    if "topk(" in expr:
        return expr
    crowd = expr if isinstance(expr, Crowd) else None
    inner = crowd.inner if crowd else expr
    span = "$__range" if _SELECTOR.fullmatch(inner) else "$__range:$__rate_interval"
    selected = inner if _SELECTOR.fullmatch(inner) else f"({inner})"

    def rank(found: re.Match[str]) -> str:
        over = f"{found[1]}({selected}[{span}] @ end())"
        return f"{crowd.of} by ({crowd.by}) ({over})" if crowd else over

    chosen = re.sub(r"RANK\((\w+)\)", rank, these)
    return crowd.few(chosen) if crowd else f"({expr}) and {chosen}"
