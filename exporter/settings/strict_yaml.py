"""What people write: YAML files, secrets and durations, read strictly; errors show no secret."""

import os
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from exporter.errors import ConfigurationError
from exporter.regular_file import read_regular

MAX_BYTES = 1 << 20
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*|[a-z_]+", re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)


class Model(BaseModel):
    """Base of all configuration: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


M = TypeVar("M", bound=Model)


class _RefusedError(yaml.MarkedYAMLError):
    """YAML that is valid and not taken; `problem` says why."""


class _StrictLoader(yaml.SafeLoader):
    """YAML without tags of Python's own, without what no text has, and without repeated keys.

    Of two the second would silently win.
    """

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        value = super().construct_scalar(node)
        if _NO_TEXT.search(value):
            raise _RefusedError(problem="a NUL or half a surrogate pair", problem_mark=node.start_mark)
        return value

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = set()
        for key, _ in node.value:
            # Other keys than scalars are refused when they are constructed.
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise _RefusedError(problem="key given twice", problem_mark=key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def read_bytes(path: Path, what: str) -> bytes:
    """A file's bytes; raises ConfigurationError naming it and `what`, the option or key that names it."""
    try:
        return read_regular(path, MAX_BYTES)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check {what}") from error


def read_text(path: Path, what: str) -> str:
    """The text of a file; raises ConfigurationError as `read_bytes` does, and where it is not UTF-8."""
    try:
        return read_bytes(path, what).decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text; check {what}") from error


def load_yaml(path: Path, model: type[M], option: str) -> M:
    """A YAML file as `model`; an empty one is a model without anything given.

    Raises ConfigurationError naming file and key, or line and column. PyYAML's own message quotes the line,
    pydantic's the value: either may be a password, so neither is passed on.
    """
    document = read_yaml(path, option)
    try:
        return model.model_validate({} if document is None else document)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_problem(error)}") from None


def read_yaml(path: Path, option: str) -> Any:
    """What a YAML file holds, None where it is empty; raises ConfigurationError as `load_yaml` does."""
    text = read_text(path, option)
    try:
        return yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = error.problem if isinstance(error, _RefusedError) else "not valid YAML"
        raise ConfigurationError(f"{path}: {what}{where}") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
        # PyYAML raises any of these where a tag (`!!bool x`) and its value do not agree.
        raise ConfigurationError(f"{path}: not valid YAML") from None


_SHAPES = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type"), "should be a list"),
    **dict.fromkeys(("model_type", "dict_type", "dataclass_type"), "should be keys with their values"),
}
"""what pydantic says with the names of Python's types, by its kind"""


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic as `key.path: what is wrong`."""
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{key}: unknown key; remove it or correct its name"
    if problem["type"] in _SHAPES:
        return f"{key}: {_SHAPES[problem['type']]}" if key else _SHAPES[problem["type"]]
    message = problem["msg"].removeprefix("Value error, ")
    return f"{key}: {message}" if key else message


def read_secret(env_name: str | None, file: Path | None, what: str = "API key") -> str | None:
    """A secret from the named environment variable or file, or None where neither is named.

    The variable is taken out of this process's environment, so that no child is handed it. Raises
    ConfigurationError where it is missing or empty; the secret itself is never shown.
    """
    if env_name is not None and file is not None:
        raise ConfigurationError(
            f"an {what} is named twice: give the environment variable or the file, not both"
        )
    if env_name is not None:
        value = os.environ.pop(env_name, "").strip()
        if not value:
            # In the place of the name somebody may have given the key.
            shown = f" {env_name}" if _VARIABLE.fullmatch(env_name) else ""
            raise ConfigurationError(
                f"environment variable{shown}: empty or not set; it should hold the {what}"
            )
        return value
    if file is None:
        return None
    value = read_text(file, f"the {what} file").strip()
    if not value:
        raise ConfigurationError(f"{file}: the {what} file is empty")
    return value


def parse_duration(text: str, option: str) -> int:
    """Whole seconds of `30s`, `45m`, `1h30m`; raises ConfigurationError naming the option."""
    if text.isascii() and text.isdecimal():
        raise ConfigurationError(f"{option}: {text!r}: seconds or minutes? write {text}s or {text}m")
    match = _DURATION.fullmatch(text)
    hours, minutes, seconds = (int(part or 0) for part in (match.groups() if match else ("", "", "")))
    total = 3600 * hours + 60 * minutes + seconds
    if not 1 <= total <= 7 * 24 * 3600:
        raise ConfigurationError(
            f"{option}: {text!r} is not a duration like 30s, 45m or 1h30m (a week at most)"
        )
    return total
