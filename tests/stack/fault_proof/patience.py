"""Waiting, and what is said where it was in vain."""

import time
from collections.abc import Callable

POLL_SECONDS = 0.1


class ProofError(Exception):
    """What the proof rests on is missing or broke: no figure is better than a false one."""


def wait_until(what: str, probe: Callable[[], bool], seconds: float = 90.0) -> None:
    """Poll until `probe` is true; raises ProofError naming `what` where it does not become so."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            raise ProofError(f"not within {seconds:.0f} s: {what}")
        time.sleep(POLL_SECONDS)
