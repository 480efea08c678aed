"""A proof in the terminal: a table redrawn in place, or a line for each event where it is none."""

import time

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from .proof import Act, Proof, Row

REDRAW_SECONDS = 0.5


class TerminalView:
    """While entered it shows a proof; events stay above the table."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = self._drawn = time.monotonic()
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )

    def __enter__(self) -> "TerminalView":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        seconds = int(time.monotonic() - self._began)
        self._console.print(
            Text(f"{seconds // 60:2}:{seconds % 60:02}  {text}"), soft_wrap=True, highlight=False
        )

    def update(self, proof: Proof) -> None:
        """The table as it is now."""
        now = time.monotonic()
        if self._live is not None and now - self._drawn >= REDRAW_SECONDS:
            self._drawn = now
            self._live.update(table_of(proof, now), refresh=True)


def table_of(proof: Proof, now: float) -> Table:
    """A row for each expected alert: where it is from, how long it took, what else came."""
    table = Table(box=None, pad_edge=False)
    for heading in ("scene", "alert", "labels", "to webhook", "wanted", "to resolved", "unexpected"):
        table.add_column(heading, overflow="fold")
    for act in proof.acts:
        unexpected = [episode.alert for scene, episode in proof.unexpected if scene == act.scene.name]
        others = Text(", ".join(unexpected) or "none", style="bold red" if unexpected else "")
        if not act.rows:
            table.add_row(act.scene.name, "none", "", _state(act, now), "", "", others)
        for row in act.rows:
            came, wanted = row.webhook_seconds, row.expected.within
            table.add_row(
                act.scene.name,
                row.expected.alert,
                _labels(row),
                _seconds(came, now - act.began, act.ended is not None, came is not None and came > wanted),
                f"≤ {wanted:.0f} s",
                _resolved(row, now),
                others,
            )
    return table


def _labels(row: Row) -> str:
    shown = {
        name: value for name, value in row.labels.items() if name not in ("alertname", "job", "instance")
    }
    return " ".join(f"{name}={value}" for name, value in sorted(shown.items()))


def _state(act: Act, now: float) -> Text:
    return Text(f"{(act.ended or now) - act.began:.0f} s", style="" if act.ended else "dim")


def _resolved(row: Row, now: float) -> Text:
    act = row.act
    if act.ended is None or row.episode is None:
        return Text("")
    return _seconds(row.resolved_seconds, now - act.ended, act.over is not None, False)


def _seconds(seconds: float | None, waited: float, given_up: bool, late: bool) -> Text:
    if seconds is not None:
        return Text(f"{seconds:.1f} s", style="bold red" if late else "green")
    return Text("never", style="bold red") if given_up else Text(f"{waited:.0f} s …", style="dim")
