"""Which engine sends the load where none is named, and why."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass

STREAM = "stream"


@dataclass(frozen=True)
class EngineChoice:
    """An engine by its name."""

    name: str
    why: str | None
    """None: it was named"""


def choose_engine(
    named: str | None,
    *,
    is_demo: bool = False,
    stream_option: str | None = None,
    has_script: bool = False,
    has_secrets: bool = False,
    found: Callable[[str], object] = shutil.which,
) -> EngineChoice:
    """The named one, else by what was asked and by what is installed.

    `stream_option` is an option that was given and that the streaming engine alone has; `has_secrets`: there
    are headers, or a key in the endpoint. `found` is false for a program that is not installed.
    """
    if named is not None:
        return EngineChoice(named, None)
    if has_script:
        name, reason = "wrk", "--script is a wrk script"
    elif stream_option is not None:
        name, reason = STREAM, f"{stream_option} is an option of it alone"
    elif is_demo:
        name, reason = STREAM, "what an LLM router carries"
    elif found("wrk"):
        name, reason = "wrk", "it is installed; --engine stream measures streams"
    elif not found("hey"):
        name, reason = STREAM, "neither wrk nor hey is installed"
    elif has_secrets:
        name, reason = STREAM, "wrk is not installed, and hey takes no headers, no keys"
    else:
        name, reason = "hey", "wrk is not installed; --engine stream measures streams"
    return EngineChoice(name, reason)
