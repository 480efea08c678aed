"""The proof end to end in its short form: real Prometheus and Alertmanager, faults, and what a webhook is told."""

from tests.conftest import need

from .fault_proof.findings import broken
from .fault_proof.proof import Proof
from .fault_proof.scenes import short_form
from .fault_proof.stage import Stage

SCALE = 0.02
"""of the leak rules: 27 minutes are 32 seconds"""


class Diary:
    """What has happened, a line each, for a test that fails."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def update(self, proof: Proof) -> None:
        pass


def test_each_fault_is_told_to_a_webhook_with_its_labels_and_resolves_and_nothing_else_is_told() -> None:
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
