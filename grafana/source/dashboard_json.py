"""A rendered dashboard read back: its panels, its queries, its outline."""

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


def annotation_queries_of(dashboard: Json) -> list[tuple[str, str]]:
    """(name, expression) of every annotation that asks Prometheus."""
    return [(note["name"], note["expr"]) for note in dashboard["annotations"]["list"] if "expr" in note]


def outline(dashboard: Json) -> Iterator[str]:
    """One dashboard as lines of text, to be read in review: its head, then what stands where and asks what.

    Soak  soak · now-15m · every 5s
      variables  datasource job instance route …
    == Requests
      0  8 12x8  timeseries  Success RPS [reqps]
    """
    shown = dashboard["time"]["from"]
    yield f"{dashboard['title']}  {dashboard['uid']} · {shown} · every {dashboard['refresh']}"
    yield f"  {dashboard['description']}"
    yield f"  variables    {_names(dashboard['templating']['list'])}"
    yield f"  annotations  {_names(dashboard['annotations']['list'])}"
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield f"  == {panel['title']}"
            continue
        place = panel["gridPos"]
        unit = panel["fieldConfig"]["defaults"]["unit"]
        where = f"{place['x']:>2} {place['y']:>3}  {place['w']:>2}x{place['h']}"
        yield f"    {where}  {panel['type']:<14} {panel['title']} [{unit}]"
        for target in panel["targets"]:
            yield f"{'':>20}{target['refId']} {target['legendFormat']}"


def _names(items: list[Json]) -> str:
    return " ".join(item["name"] for item in items)
