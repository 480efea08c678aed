"""The shape of a stream load: what is asked, how often, and when the client goes away."""

import random
from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import accumulate
from typing import NamedTuple

from exporter.live.message import Pair
from exporter.load.stream.apis import Api
from exporter.load.stream.goodput import Goodput
from exporter.load.stream.schedule import Arrivals

DEFAULT_TIMEOUT_SECONDS = 600.0
MAX_WORKERS = 16
MAX_ABORT_EVENTS = 20
"""an aborted stream is left after 1 to so many events with tokens"""


@dataclass(frozen=True)
class Asked:
    """One kind of request of the load."""

    pair: int
    """the place of its route and model in `StreamShape.pairs`"""
    endpoint: str
    body: bytes = field(repr=False)
    weight: float
    """its share of the requests, relative to the others"""
    api: Api
    stream: bool
    """whether the body asks for a stream"""
    choices: int
    """answers that it asks for at once (`n`)"""
    direct_endpoint: str | None = None
    """its path at the node of `StreamShape.direct`"""


@dataclass(frozen=True)
class StreamShape:
    """All that the streaming engine is asked beside a LoadPlan; nothing of it is a secret but the bodies."""

    asked: tuple[Asked, ...]
    pairs: tuple[Pair, ...]
    """routes and models, in the order of RunInfo.pairs"""
    rate: float | None = None
    """requests/s that are sent whatever becomes of them (open load); None: closed load"""
    arrivals: Arrivals = Arrivals.CONSTANT
    seed: int = 0
    """of arrivals, of the choice among `asked`, and of aborts"""
    abort_ratio: float = 0.0
    """share of the streams that the client leaves in their midst"""
    workers: int = 1
    """processes"""
    complete_on_done: bool = False
    """`[DONE]` alone completes a stream of chat completions or completions, for a server without reasons"""
    direct: str | None = None
    """scheme, host and port of a node behind the router, for paired requests"""
    hold_model: str | None = None
    """a model that holds silent streams, for the ladder of silences"""
    goodput: Goodput | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    """of a whole attempt"""
    check_every: int = 1000
    """one in so many events is parsed in full, to check the scan"""


class Draw(NamedTuple):
    """What one request of the load is."""

    asked: Asked
    abort_after: int | None
    """leave the stream after so many events with tokens; None: read it to its end"""


def events_before_leaving(drawn: int, usual: int | None) -> int:
    """After how many events with tokens a stream is left; `usual`: how many such a stream has, if known.

    A stream that is shorter than what was drawn would end first, and the share of those that are left be
    less than was asked for.
    """
    if usual is None:
        return drawn
    return 1 + (drawn - 1) * min(max(usual - 1, 0), MAX_ABORT_EVENTS) // MAX_ABORT_EVENTS


class Draws:
    """The requests of one worker, in order, by the seed of the shape.

    As with its due times (schedule.py) a worker's n-th request is the (n · workers + worker)-th of the
    whole load, so the number of workers changes nothing of what all of them send.
    """

    def __init__(self, shape: StreamShape, worker: int = 0) -> None:
        if not 0 <= worker < shape.workers:
            raise ValueError(f"worker {worker} of {shape.workers}")
        self._asked = shape.asked
        self._abort_ratio = shape.abort_ratio
        self._only = Draw(shape.asked[0], None) if len(shape.asked) == 1 and not shape.abort_ratio else None
        self._bounds = tuple(accumulate(each.weight for each in shape.asked))
        self._chance = random.Random(f"requests {shape.seed}")
        self._skipped_first = worker
        self._skipped_between = shape.workers - 1
        self._has_begun = False

    def next(self) -> Draw:
        """The next request of this worker."""
        if self._only is not None:
            return self._only
        for _ in range(self._skipped_between if self._has_begun else self._skipped_first):
            self._draw()
        self._has_begun = True
        return self._draw()

    def _draw(self) -> Draw:
        # Three figures each time, so that the ratio of aborts does not change what is asked.
        which, whether, when = self._chance.random(), self._chance.random(), self._chance.random()
        place = bisect_right(self._bounds, which * self._bounds[-1], hi=len(self._bounds) - 1)
        aborts = self._asked[place].stream and whether < self._abort_ratio
        return Draw(self._asked[place], 1 + int(when * MAX_ABORT_EVENTS) if aborts else None)
