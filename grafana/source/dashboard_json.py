"""A rendered dashboard read back: its panels, its queries, its grid."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def panels_of(dashboard: Json) -> Iterator[Json]:
    """Every panel, those inside collapsed rows too; the rows themselves are headings and left out."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def queries_of(dashboard: Json) -> list[tuple[str, str]]:
    """(panel title, expression) of every target, in the order of the panels, variables not yet replaced."""
    return [(panel["title"], target["expr"]) for panel in panels_of(dashboard) for target in panel["targets"]]


def annotation_queries_of(dashboard: Json) -> list[tuple[str, str]]:
    """(name, expression) of every annotation that asks Prometheus."""
    return [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"] if "expr" in note]


def variable_queries_of(dashboard: Json) -> list[tuple[str, str]]:
    """(name, query) of every variable that is filled by a query."""
    return [
        (variable["name"], variable["query"]["query"])
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
