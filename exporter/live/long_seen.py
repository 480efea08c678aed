"""What a load saw of connections that are silent for long: who closes them, how, and after how many seconds.

These connections are the soak's own probes beside the load: none of their requests is an attempt of it.
"""

from dataclasses import dataclass
from typing import Literal

EndedBy = Literal["router", "nobody"]
"""`router`: whoever is at the other end, the router or what stands before it"""
Closed = Literal["fin", "rst"]
HeldHow = Closed | Literal["truncated", "error"] | None


@dataclass(frozen=True)
class IdleSeen:
    """The idle keep-alive connection, one after the other."""

    seconds: float
    """the shortest silence after which one was closed; where none was, how long the one was silent"""
    ended_by: EndedBy
    how: Closed | None
    """`rst` if one of them was closed so; None where none was closed"""
    closed: int = 0
    """how many were closed while they were idle"""

    def __add__(self, later: "IdleSeen") -> "IdleSeen":
        """Of two loads of a run together."""
        closed = [each for each in (self, later) if each.how is not None]
        if not closed:
            return max(self, later, key=lambda each: each.seconds)
        shortest = min(closed, key=lambda each: each.seconds)
        how: Closed = "rst" if any(each.how == "rst" for each in closed) else "fin"
        return IdleSeen(shortest.seconds, shortest.ended_by, how, self.closed + later.closed)


@dataclass(frozen=True)
class HeldSeen:
    """One stream that was silent for long between its tokens, as far as it is known how that ended."""

    silence_seconds: float
    """asked of the model"""
    survived: bool
    """the silence came, and then the stream's proper end"""
    ended_by: EndedBy
    """`nobody` and not survived: no end came, and no word of one"""
    how: HeldHow
    """what cut it: the closed connection; `truncated`: a clean end without its finish; `error` in the body"""
    after_seconds: float
    """how long it was without a token: the longest such time, or where it was cut, the last one"""
    heartbeats: int
    """arrivals after the first token that brought bytes and no token"""


@dataclass(frozen=True)
class LongSeen:
    """All of a load; what its end cut off is left out."""

    idle: IdleSeen | None
    """None: no connection stayed open after an answer, so none was idle"""
    held: tuple[HeldSeen, ...] = ()
    """by the length of the silence; empty where there was no model that holds streams"""
    not_held: str | None = None
    """why a stream was not held: the first reason, in words, where there was one"""

    def __add__(self, later: "LongSeen") -> "LongSeen":
        """Of two loads of a run together."""
        idle = [each for each in (self.idle, later.idle) if each is not None]
        held = sorted((*self.held, *later.held), key=lambda each: each.silence_seconds)
        both = idle[0] + idle[1] if len(idle) == 2 else next(iter(idle), None)
        return LongSeen(both, tuple(held), None if held else self.not_held or later.not_held)

    @property
    def longest_survived_seconds(self) -> float | None:
        """The longest silence that survived."""
        return max((seen.silence_seconds for seen in self.held if seen.survived), default=None)


def both_seen(first: LongSeen | None, second: LongSeen | None) -> LongSeen | None:
    """Of two loads of a run together, of which either may have seen nothing."""
    if first is None or second is None:
        return first or second
    return first + second
