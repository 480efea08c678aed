"""A dashboard as text, to be read in review: what stands where, and what it asks.

Soak  soak · now-15m · every 5s
  variables  datasource job instance route …
== Requests
  0  8 12x8  timeseries  Success RPS [reqps]  1 query
"""

from collections.abc import Iterator

from dashboard_json import Json


def outline(dashboard: Json) -> Iterator[str]:
    """The lines of one dashboard: its head, then each panel at its column, row, width and height."""
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
