"""Throughput of the streaming engine and of its peers at one nginx, in turns: streams, and plain JSON."""

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nginx_target import STREAM_ENDPOINT, STREAM_EVENTS
from peer_loads import LoadAsked, PeerRun, run_of
from peers import Peer
from stream_load import StreamRun, run_streams
from table import Row

from exporter.errors import SoakError

CONNECTIONS = 50
ROUNDS = 3
SECONDS = 10
PLAIN_BODY = '{"model":"gpt-oss:20b","messages":[{"role":"user","content":"ping"}],"stream":false}'
MIN_RATIOS: Mapping[bool, Mapping[str, float]] = {
    True: {"aiperf": 8.0, "guidellm": 3.0},
    False: {"aiperf": 10.0, "locust": 2.0},
}
"""by whether streams are asked for, of each peer that can ask for them"""


@dataclass(frozen=True)
class Turn:
    """One load of each, one right after the other."""

    own: StreamRun
    peers: dict[str, PeerRun]
    problems: dict[str, str] = field(default_factory=dict)
    """of the peers whose load failed"""


def run_turns(
    asked: LoadAsked, peers: Sequence[Peer], rounds: int, hub: dict[str, str], folder: Path
) -> list[Turn]:
    """`rounds` of them, every second one backwards: what drifts on the machine then falls on all alike."""
    chosen = [peer for peer in peers if peer.name in MIN_RATIOS[asked.streams]]
    turns = []
    for number in range(rounds):
        found: dict[str, Any] = {}
        problems: dict[str, str] = {}
        order: list[Peer | None] = [None, *chosen]
        for peer in order if number % 2 == 0 else reversed(order):
            kind, name = "stream" if asked.streams else "plain", peer.name if peer else "own"
            place = folder / f"{kind}-{number}-{name}"
            place.mkdir()
            if peer is None:
                found["own"] = _own(asked, place)
                continue
            try:
                found[peer.name] = run_of(peer, asked, hub, place)
            except SoakError as error:
                problems[peer.name] = str(error)
        turns.append(Turn(found.pop("own"), found, problems))
        print(_line(number + 1, rounds, turns[-1], asked.streams), file=sys.stderr, flush=True)
    return turns


def _own(asked: LoadAsked, folder: Path) -> StreamRun:
    if asked.streams:
        options = ("--endpoint", STREAM_ENDPOINT)
    else:
        body = folder / "body.json"
        body.write_text(PLAIN_BODY, encoding="ascii")
        options = ("--body", str(body))
    return run_streams(asked.url, folder, asked.seconds, "--connections", str(asked.connections), *options)


def _line(number: int, rounds: int, turn: Turn, streams: bool) -> str:
    events = STREAM_EVENTS if streams else 1
    unit = "events/s" if streams else "requests/s"
    peers = [f"{name} {run.requests_per_second * events:,.0f}" for name, run in turn.peers.items()]
    peers += [f"{name}: {why}" for name, why in turn.problems.items()]
    own = f"stream {turn.own.throughput * events:,.0f}"
    return f"  round {number}/{rounds}, {unit}: {'; '.join([own, *peers])}"


def speed_rows(turns: Sequence[Turn], streams: bool, missing: Mapping[str, str]) -> list[Row]:
    """The table's rows: events (or requests) a second, and how many times as many as each peer."""
    events = STREAM_EVENTS if streams else 1
    what = f"server-sent events, {events} a stream" if streams else "plain JSON"
    own = [turn.own.throughput * events for turn in turns]
    unit = "events/s" if streams else "requests/s"
    rows = [
        Row(f"stream engine, one worker, {what}, -c{CONNECTIONS}", f"{statistics.median(own):,.0f} {unit}")
    ]
    for name, least in MIN_RATIOS[streams].items():
        title, wanted = f"  as many times as {name}", f">= {least:g}"
        pairs = [(turn.own, turn.peers[name]) for turn in turns if name in turn.peers]
        if not pairs:
            why = missing.get(name) or turns[0].problems[name]
            rows.append(Row(title, f"not measured: {why}", wanted))
            continue
        ratios = [ours.throughput / theirs.requests_per_second for ours, theirs in pairs]
        theirs = statistics.median(run.requests_per_second for _, run in pairs) * events
        figure = statistics.median(ratios)
        measured = f"{figure:.1f} ({min(ratios):.1f} to {max(ratios):.1f}; {theirs:,.0f} {unit})"
        rows.append(Row(title, measured, wanted, figure >= least))
        rows += _first_token_row(name, pairs)
    return rows


def _first_token_row(name: str, pairs: Sequence[tuple[StreamRun, PeerRun]]) -> list[Row]:
    known = [(ours, theirs.first_token_seconds) for ours, theirs in pairs]
    told = [(ours, theirs) for ours, theirs in known if theirs is not None]
    if not told:
        return []
    ours = statistics.median(run.seconds("time_to_first_token_seconds", "0.5") for run, _ in told)
    theirs = statistics.median(seconds for _, seconds in told)
    return [
        Row(f"  median first token that it says, {name}'s", f"{ours * 1e3:.2f} ms, {theirs * 1e3:.1f} ms")
    ]
