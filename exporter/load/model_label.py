"""The model that a run's metrics are labelled with, and where that is known from."""

import re
from enum import StrEnum

from exporter.live.message import Route, route_of

UNKNOWN_MODEL = "unknown"
_NAMED = re.compile(r"""model\\?"?\s*[=:]\s*\\?["']([^"'\\%]+)["'\\]""", re.IGNORECASE)
"""as in scripts/benchmarks/run_wrk.sh"""
_COMMENT = re.compile(r"^\s*--.*$", re.MULTILINE)
_REPLACES_THE_BODY = re.compile(
    r"""\bbody\b["'\]\s]*=(?!=)|\brequest\b|\bwrk\.format\b|\b(?:dofile|load\w*|require)\b"""
)


class ModelSource(StrEnum):
    """What says which model is asked."""

    OPTION = "option"
    BODY = "body"
    SCRIPT = "script"
    SCRIPT_FIRST = "script_first"
    PROMPTS = "prompts"
    SCENARIO = "scenario"
    DEFAULT = "default"
    UNKNOWN = "unknown"

    @property
    def text(self) -> str:
        """For a user, behind the model's name."""
        return {
            ModelSource.OPTION: "given by --model",
            ModelSource.BODY: "read from --body",
            ModelSource.SCRIPT: "read from --script",
            ModelSource.SCRIPT_FIRST: "the first of several in --script",
            ModelSource.PROMPTS: "the first of --prompts",
            ModelSource.SCENARIO: "of --scenario",
            ModelSource.DEFAULT: "the default",
            ModelSource.UNKNOWN: "--script decides what is sent and names none; say it with --model",
        }[self]


def model_in_script(text: str, model: str, source: ModelSource) -> tuple[str, ModelSource]:
    """What a wrk script asks, by its text; `model` and `source` are of the body that it is given.

    A script that names no model and does not touch the body sends that body. Of one that does, nothing is
    known but the route of `--scenario`.
    """
    text = _COMMENT.sub("", text)
    named = list(dict.fromkeys(_NAMED.findall(text)))
    if named:
        return named[0], ModelSource.SCRIPT if len(named) == 1 else ModelSource.SCRIPT_FIRST
    if not _REPLACES_THE_BODY.search(text):
        return model, source
    route = route_of(model) if source == ModelSource.SCENARIO else Route.LOCAL
    return UNKNOWN_MODEL if route == Route.LOCAL else f"{route.value}:{UNKNOWN_MODEL}", ModelSource.UNKNOWN
