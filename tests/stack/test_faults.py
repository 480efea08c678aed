"""The short proof end to end, with real Prometheus and Alertmanager; and that a proof can fail."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

import pytest
import requests

from tests.support.waiting import need

from .fault_proof.findings import broken, late
from .fault_proof.load import Kind
from .fault_proof.proof import Proof
from .fault_proof.scenes import FAILS_RUN, Expected, Fault, Scene, nothing, short_form
from .fault_proof.stage import Stage
from .fault_proof.webhook import Episode, Webhook

SCALE = 0.02
"""of the leak rules: 24 minutes are 29 seconds"""


class Diary:
    """What has happened, a line each, for a test that fails."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, proof: Proof) -> None:
        pass


def test_each_fault_is_sent_to_a_webhook_with_its_labels_and_resolves_and_nothing_else_is() -> None:
    need("wrk", "gcc", "prometheus", "prometheus-alertmanager")
    diary = Diary()
    # This machine's disks and memory are not what is tested.
    with Stage(SCALE, host=False) as stage:
        proof = Proof(stage, short_form(SCALE), diary)
        proof.run()
        evidence = stage.end_clean_load()
    assert broken(proof) == [], "\n".join(diary.lines)
    assert {row.expected.alert for row in proof.rows} == {
        "ProcessMemoryLeak",
        "ProcessFdLeak",
        "GpuMemoryLeak",
        "NodeOffline",
        "BenchmarkDisconnects",
        "RouterDown",
    }
    assert evidence["requests"]["2xx"] > 0
    assert sum(evidence["requests"].values()) == evidence["requests"]["2xx"]
    assert sum(evidence["failures"].values()) == 0


class EmptyStage:
    """A stage without a stack, whose faults tell the webhook themselves."""

    names = {"instance": "one:9877"}  # noqa: RUF012

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook

    def is_clean(self, episode: Episode) -> bool:
        return episode.labels.get("instance") == "clean:9877"

    def renew_load(self, kind: Kind) -> None:
        pass

    def check(self) -> None:
        pass

    def tell(self, status: str, alert: str, **labels: str) -> None:
        """As Alertmanager would."""
        body = {
            "labels": {"alertname": alert, **labels},
            "annotations": {"summary": "text"},
            "status": status,
        }
        headers = {"Authorization": f"Bearer {self.webhook.token}"}
        answer = requests.post(self.webhook.url, json={"alerts": [body]}, headers=headers, timeout=5)
        assert answer.status_code == 200


@pytest.fixture
def stage() -> Iterator[EmptyStage]:
    with Webhook() as webhook:
        yield EmptyStage(webhook)


AFTER = Scene("after", "", Fault(nothing), lasts_seconds=0.2)


def played(
    stage: EmptyStage,
    *labels: dict[str, str],
    resolves: bool = True,
    within: float = 0.2,
    after: Scene = AFTER,
    expected: Mapping[str, str] = MappingProxyType({}),
) -> Proof:
    """A scene that is to raise `Lost` of one:9877 and may raise `Slow`; what it tells of has these labels."""

    def begin(_stage: object) -> None:
        for each in labels:
            stage.tell("firing", **each)

    def end(_stage: object) -> None:
        for each in labels if resolves else ():
            stage.tell("resolved", **each)

    lost = Expected("Lost", {"instance": "{instance}", **expected}, within)
    scene = Scene("scene", "", Fault(begin, end), (lost,), frozenset({"Slow"}), resolves_within=0.3)
    proof = Proof(stage, ((scene,), (after,)), Diary())  # type: ignore[arg-type]
    proof.run()
    return proof


LOST = {"alert": "Lost", "instance": "one:9877"}
SLOW = {"alert": "Slow", "instance": "one:9877"}


def test_an_alert_that_comes_and_resolves_is_no_finding_and_neither_is_one_that_follows(
    stage: EmptyStage,
) -> None:
    proof = played(stage, LOST, SLOW)
    assert broken(proof) == []
    [row] = proof.rows
    assert row.webhook_seconds is not None
    assert row.resolved_seconds is not None


@pytest.mark.parametrize("fails", [True, False])
def test_a_run_that_fails_says_so_where_the_scene_fails_it_and_nowhere_else(
    stage: EmptyStage, fails: bool
) -> None:
    said = {"alert": "BenchmarkRunFailed", "instance": "one:9877", "check": "answers"}
    lost = {**LOST, **(FAILS_RUN if fails else {})}
    proof = played(stage, lost, said, expected=FAILS_RUN if fails else {})
    assert broken(proof) == (
        []
        if fails
        else [
            "scene: BenchmarkRunFailed was not expected: text {'alertname': 'BenchmarkRunFailed', "
            "'instance': 'one:9877', 'check': 'answers'}"
        ]
    )


def test_an_alert_with_other_labels_did_not_come_and_was_not_expected(stage: EmptyStage) -> None:
    assert broken(played(stage, {**LOST, "instance": "other:9877"})) == [
        "scene: Lost did not come",
        "scene: Lost was not expected: text {'alertname': 'Lost', 'instance': 'other:9877'}",
    ]


def test_an_alert_that_stays_did_not_resolve(stage: EmptyStage) -> None:
    assert broken(played(stage, LOST, resolves=False)) == ["scene: Lost did not resolve"]


def test_an_alert_about_what_is_left_in_peace_was_not_expected_even_if_it_could_follow(
    stage: EmptyStage,
) -> None:
    assert broken(played(stage, LOST, {**SLOW, "instance": "clean:9877"})) == [
        "scene: Slow was not expected: text {'alertname': 'Slow', 'instance': 'clean:9877'}"
    ]


def test_an_alert_that_came_later_than_it_may_is_late_and_not_broken(stage: EmptyStage) -> None:
    proof = played(stage, LOST, within=0.0)
    assert broken(proof) == []
    [line] = late(proof)
    assert line.startswith("scene: Lost came after 0.")
    assert line.endswith(" s, not within 0 s")


def test_an_alert_that_fires_again_after_it_resolved_was_not_expected(stage: EmptyStage) -> None:
    again = Scene("again", "", Fault(lambda _: stage.tell("firing", **LOST)), lasts_seconds=0.2)
    assert broken(played(stage, LOST, after=again)) == [
        "again: Lost was not expected: text {'alertname': 'Lost', 'instance': 'one:9877'}"
    ]


def test_the_webhook_listens_to_nobody_without_the_token(stage: EmptyStage) -> None:
    body = {"alerts": [{"status": "firing", "labels": {"alertname": "Lost"}, "annotations": {"summary": ""}}]}
    assert requests.post(stage.webhook.url, json=body, timeout=5).status_code == 401
    assert stage.webhook.episodes == []
