"""The proof: plays the scenes, and holds what the webhook is told against what was expected."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from .patience import POLL_SECONDS
from .scenes import Expected, Scene
from .stage import Stage
from .webhook import Episode

PATIENCE = 5.0
"""an alert is waited for until it is this many times as late as it may be"""
FOLLOWS_SECONDS = 120.0
"""what follows may come this much later than the alerts resolve: a rate of a minute, and group_interval"""


class View(Protocol):
    """Who is told how it goes."""

    def say(self, text: str) -> None:
        """Something has happened."""
        ...

    def update(self, proof: "Proof") -> None:
        """Time has passed."""
        ...


@dataclass
class Act:
    """A scene that is being played, or was; times are monotonic seconds."""

    scene: Scene
    began: float
    ended: float | None = None
    over: float | None = None
    """when its alerts had resolved, or were given up"""
    rows: list["Row"] = field(default_factory=list)
    followers: list[Episode] = field(default_factory=list)

    @property
    def arrived(self) -> bool:
        """Whether all of its alerts have come."""
        return all(row.episode is not None for row in self.rows)

    @property
    def resolved(self) -> bool:
        """Whether those that came have resolved."""
        return all(row.episode is None or row.episode.resolved_at is not None for row in self.rows)

    @property
    def firing(self) -> list[Episode]:
        """What has come of it and has not resolved."""
        came = [row.episode for row in self.rows if row.episode is not None] + self.followers
        return [episode for episode in came if episode.resolved_at is None]

    def is_given_up(self, now: float) -> bool:
        """Whether it had its time to resolve."""
        return self.ended is not None and now - self.ended > self.scene.resolves_within


@dataclass
class Row:
    """An expected alert and what became of it."""

    act: Act
    expected: Expected
    labels: dict[str, str]
    episode: Episode | None = None

    @property
    def webhook_seconds(self) -> float | None:
        """From the fault to the webhook; None where it has not come."""
        return None if self.episode is None else self.episode.fired_at - self.act.began

    @property
    def resolved_seconds(self) -> float | None:
        """From the end of the fault to the word that it has resolved; None where that has not come."""
        if self.act.ended is None or self.episode is None or self.episode.resolved_at is None:
            return None
        return self.episode.resolved_at - self.act.ended


VERDICT = "BenchmarkRunFailed"


class Proof:
    """Plays steps of scenes on a stage.

    The scenes of a step begin together, and each ends when its alerts have come. The next step begins when
    they have resolved; those that linger are waited for at the end.
    """

    def __init__(self, stage: Stage, steps: Sequence[Sequence[Scene]], view: View) -> None:
        self._stage = stage
        self._steps = steps
        self._view = view
        self._seen = 0
        self.acts: list[Act] = []
        self.unexpected: list[tuple[str, Episode]] = []
        """the scene in which it came, and the alert"""

    @property
    def rows(self) -> list[Row]:
        """All expected alerts of the scenes begun so far."""
        return [row for act in self.acts for row in act.rows]

    def run(self) -> None:
        """Play them all, and wait until everything has resolved. Raises ProofError where the load breaks."""
        for step in self._steps:
            self._wait(partial(self._quiet, step))
            self._stage.renew_load(step[0].load)
            for scene in step:
                self._begin(scene)
            self._wait(self._may_go_on)
        self._wait(lambda: all(act.over for act in self.acts))

    def _quiet(self, step: Sequence[Scene]) -> bool:
        """Whether none of the alerts that the scenes are to raise fires already."""
        names = {expected.alert for scene in step for expected in scene.expected}
        now = time.monotonic()
        waited_for = [act for act in self.acts if not act.is_given_up(now)]
        return not any(episode.alert in names for act in waited_for for episode in act.firing)

    def _may_go_on(self) -> bool:
        return all(act.over or (act.ended and act.scene.lingers) for act in self.acts)

    def _begin(self, scene: Scene) -> None:
        self._view.say(f"{scene.name}: {scene.what}")
        # Before it is done: the seconds to the webhook are at most those that are told.
        act = Act(scene, time.monotonic())
        for expected in scene.expected:
            labels = {name: value.format(**self._stage.names) for name, value in expected.labels.items()}
            labels["alertname"] = expected.alert
            act.rows.append(Row(act, expected, labels))
        self.acts.append(act)
        scene.fault.begin(self._stage)

    def _wait(self, until: Callable[[], bool]) -> None:
        """Until it is so; every act has a bound of its own, so it comes to be so."""
        while True:
            now = time.monotonic()
            self._take_in(now)
            for act in self.acts:
                self._see_to(act, now)
            self._view.update(self)
            if until():
                return
            self._stage.check()
            time.sleep(POLL_SECONDS)

    def _see_to(self, act: Act, now: float) -> None:
        """End the fault when its alerts have come; close the act when they have resolved; or give up."""
        scene = act.scene
        if act.ended is None:
            patience = max((PATIENCE * expected.within for expected in scene.expected), default=0.0)
            lasted = now - act.began >= scene.lasts_seconds
            if lasted and (act.arrived or now - act.began > patience):
                act.ended = now
                scene.fault.end(self._stage)
        elif act.over is None and (act.resolved or act.is_given_up(now)):
            act.over = now

    def _take_in(self, now: float) -> None:
        episodes = self._stage.webhook.episodes
        for episode in episodes[self._seen :]:
            self._place(episode, now)
        self._seen = len(episodes)

    def _place(self, episode: Episode, now: float) -> None:
        """Find who expected it; the last act first."""
        for act in reversed(self.acts):
            if self._stage.is_clean(episode):
                break
            for row in act.rows:
                if row.labels == episode.labels and row.episode is None:
                    row.episode = episode
                    self._view.say(f"  {episode.alert} after {episode.fired_at - act.began:.1f} s")
                    return
            if episode.alert == VERDICT and act.scene.fails_run:
                # The run goes on with what has failed, and says so for each check, at its end too.
                self._view.say(f"  {episode.alert}: {episode.labels.get('check')}")
                return
            if episode.alert in act.scene.follows and (act.over is None or now - act.over < FOLLOWS_SECONDS):
                act.followers.append(episode)
                self._view.say(f"  {episode.alert} follows: {episode.summary}")
                return
        scene = self.acts[-1].scene.name if self.acts else "start"
        self.unexpected.append((scene, episode))
        self._view.say(f"  UNEXPECTED {episode.alert}: {episode.summary} {episode.labels}")
