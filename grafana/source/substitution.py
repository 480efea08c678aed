"""Dashboard variables put into a query as Grafana does it, for queries that are asked without Grafana.

For the data source Prometheus (grafana-prometheus, `interpolateQueryExpr`): a chosen value is escaped for a
regular expression inside a string, several become `(a|b)`, and the value for "All" is taken as it stands. A
variable without any value has "All" too, since all of ours include it (scenes, `MultiValueVariable`).
"""

import re
from collections.abc import Mapping, Sequence

Chosen = str | Sequence[str]
"""a text that is put in as it stands, or the values that were chosen"""

SCRAPE_INTERVAL_SECONDS = 5
BUILT_IN = {
    "__rate_interval": f"{4 * SCRAPE_INTERVAL_SECONDS}s",
    "__range": "15m",
    "__range_s": "900",
    "__interval": f"{3 * SCRAPE_INTERVAL_SECONDS}s",
}
"""Grafana's own: never less than four scrape intervals; the width of what is shown; the step of a mark"""


def substitute(expr: str, values: Mapping[str, Chosen]) -> str:
    """The query with each `$name` or `${name}` replaced; KeyError for a name without a value."""
    known = {**BUILT_IN, **values}

    def value(found: re.Match[str]) -> str:
        chosen = known[found[1] or found[2]]
        if isinstance(chosen, str):
            return chosen
        escaped = [_escape(each) for each in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"

    # `$1` is of label_replace; no variable of that name is known, so Grafana leaves it alone.
    return re.sub(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", value, expr)


def everything(variables: Sequence[Mapping[str, object]]) -> dict[str, Chosen]:
    """ "All" chosen in each of a dashboard's query variables."""
    return {str(each["name"]): str(each["allValue"]) for each in variables if each["type"] == "query"}


def _escape(value: str) -> str:
    backslashes = value.replace("\\", "\\" * 4)
    return re.sub(r"[$^*{}\[\]+?.()|]", lambda found: "\\\\" + found[0], backslashes)
