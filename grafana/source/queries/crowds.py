"""Of a crowd the few that say most: curves of hundreds of hosts, GPUs or processes say nothing together.

Which these are is asked once, of all that is shown, so that a curve does not come and go.
"""

CURVES = 8
"""of one query in a panel; as many as there are colours for what is numbered, and GPUs in a host"""
CURVES_OF_ALL = 12
"""of all queries of a panel"""
BANDS = 12
"""of states in a panel: they stand under one another, each with its name"""


def highest(expr: str, number: int) -> str:
    """Of these series those that were highest within the time range."""
    return _few(f"topk({number}, max_over_time({_SHOWN}))", expr)


def lowest(expr: str, number: int) -> str:
    """Of these series those that were lowest within the time range."""
    return _few(f"bottomk({number}, min_over_time({_SHOWN}))", expr)


def moved(expr: str, number: int) -> str:
    """Of these series those that moved most within the time range: what grows, among what is large."""
    return _few(f"topk({number}, max_over_time({_SHOWN}) - min_over_time({_SHOWN}))", expr)


def highest_of(selector: str, by: str, number: int) -> str:
    """By these labels, the series of a selector that were highest: cheaper than of a query, of thousands."""
    return f"topk({number}, max by ({by}) (max_over_time({selector}[$__range] @ end())))"


def moved_of(selector: str, by: str, number: int) -> str:
    """Those that moved most."""
    moved = f"max_over_time({selector}[$__range] @ end()) - min_over_time({selector}[$__range] @ end())"
    return f"topk({number}, max by ({by}) ({moved}))"


_SHOWN = "(EXPR)[$__range:$__interval] @ end()"


def _few(these: str, expr: str) -> str:
    # A query that picks its few by itself is not asked twice.
    return expr if "topk(" in expr else f"({expr}) and {these.replace('EXPR', expr)}"
