"""What speaks against the alerts after a proof."""

from .proof import Proof


def broken(proof: Proof) -> list[str]:
    """What is wrong however slow the machine is, a line each.

    An alert that did not come, one that did not resolve, and one that was not expected.
    """
    found = []
    for row in proof.rows:
        name = f"{row.act.scene.name}: {row.expected.alert}"
        if row.webhook_seconds is None:
            found.append(f"{name} did not come")
        elif row.resolved_seconds is None:
            found.append(f"{name} did not resolve")
    for scene, episode in proof.unexpected:
        found.append(f"{scene}: {episode.alert} was not expected: {episode.summary} {episode.labels}")
    return found


def late(proof: Proof) -> list[str]:
    """Alerts that came later than they should, a line each."""
    return [
        f"{row.act.scene.name}: {row.expected.alert} came after {row.webhook_seconds:.1f} s, not within "
        f"{row.expected.within:.0f} s"
        for row in proof.rows
        if row.webhook_seconds is not None and row.webhook_seconds > row.expected.within
    ]
