"""Figures of a run as JSON has them, with the bounds that hold where they are read back."""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from exporter.live.histogram import QUANTILES, quantiles_seconds


def all_of(keys: Iterable[str]) -> Callable[[dict[Any, Any]], dict[Any, Any]]:
    """A check that a mapping has these keys and no other."""
    wanted = set(keys)

    def check(found: dict[Any, Any]) -> dict[Any, Any]:
        if found.keys() != wanted:
            raise ValueError(f"it has not the keys {', '.join(sorted(wanted))}")
        return found

    return check


Number = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Quantiles = Annotated[dict[str, Seconds | None], AfterValidator(all_of(map(str, QUANTILES)))]
"""seconds by quantile ("0.95"); None where nothing was counted"""


def quantiles_of(counts: Sequence[int]) -> dict[str, float | None]:
    """The published quantiles of one page's counts, in seconds."""
    found = quantiles_seconds(counts, QUANTILES)
    return {str(quantile): value for quantile, value in zip(QUANTILES, found, strict=True)}
