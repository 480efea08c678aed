"""State files of earlier releases, one JSON document each, as the lines of today's (state_file.py)."""

import json
from typing import Any

from exporter.live.histogram import BUCKETS, COUNT_BITS, STATUS_END, Histogram
from exporter.live.message import UNTIMED
from exporter.live.totals import LARGEST_RESTORED, Totals

VERSIONS = (1, 2)


def lines_of(document: Any) -> list[str]:
    """The lines of a document of one of VERSIONS; raises LookupError, TypeError or ValueError otherwise.

    Version 1 had the responses that were not timed behind the counts, and its runs have no token, so that no
    message can be known to be theirs: they are over.
    """
    models, runs, ended = document["models"], document["runs"], document["ended"]
    if document["version"] == 1:
        ended = [*ended, *(entry["info"]["run"] for entry in runs)]
        models = [{**entry, "totals": _totals_of_version_1(entry["totals"])} for entry in models]
        runs = []
    head = {"version": 4, "models": len(models), "runs": len(runs), "ended": ended}
    models = [{**entry, "totals": _with_pages(entry["totals"])} for entry in models]
    runs = [{**entry, "totals": [_with_pages(each) for each in entry["totals"]]} for entry in runs]
    return [json.dumps(each) for each in (head, *models, *runs)]


def _with_pages(document: Any) -> dict[str, Any]:
    totals, counts = Totals(), dict(document["counts"])
    if len(counts) != len(document["counts"]):
        raise ValueError("a count is there twice")
    for index, count in counts.items():
        if type(index) is not int or type(count) is not int:
            raise ValueError(f"count {count} at {index} is none")
        if not 0 <= index < STATUS_END or not 0 <= count <= LARGEST_RESTORED:
            raise ValueError(f"count {count} at {index} is out of range")
        page, offset = divmod(index, BUCKETS)
        totals.pages[page] += count << COUNT_BITS * offset
    others = {name: each for name, each in document.items() if name != "counts"}
    return {"pages": totals.packed(), **others}


def _totals_of_version_1(document: Any) -> dict[str, Any]:
    counts = document["counts"]
    return {
        "counts": [(index, count) for index, count in counts if index < STATUS_END],
        "sums_us": {Histogram.DURATION.name.lower(): document["sum_us"]},
        "failures": document["failures"],
        "counters": {UNTIMED[index - STATUS_END]: count for index, count in counts if index >= STATUS_END},
    }
