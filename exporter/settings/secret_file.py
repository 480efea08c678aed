"""Reads YAML files that hold secrets: strictly, and without ever showing what stands in them."""

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from exporter.errors import ConfigurationError
from exporter.settings.exporter_config import first_problem

MOST_BYTES = 1 << 20
M = TypeVar("M", bound=BaseModel)


class _DoubledKeyError(yaml.MarkedYAMLError):
    """A key that is given twice: the second would silently win."""


class _StrictLoader(yaml.SafeLoader):
    """YAML without tags of Python's own and without doubled keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen = []
        for key, _ in node.value:
            if key.value in seen:
                raise _DoubledKeyError(problem_mark=key.start_mark)
            seen.append(key.value)
        return super().construct_mapping(node, deep)


def read_text(path: Path, what: str) -> str:
    """The text of a file; raises ConfigurationError naming it and `what` asked for it."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read ({error.strerror}); check {what}") from error
    if len(data) > MOST_BYTES:
        raise ConfigurationError(f"{path}: longer than {MOST_BYTES} bytes; check {what}")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: not UTF-8 text; check {what}") from error


def load_secret_yaml(path: Path, model: type[M], option: str) -> M:
    """A YAML file as `model`; an empty one is a model without anything given.

    Raises ConfigurationError naming file and key, or line and column. PyYAML's own message would quote the
    line, and pydantic's cause the value, either of which may be a password: neither is passed on.
    """
    text = read_text(path, option)
    try:
        document: Any = yaml.load(text, _StrictLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        what = "key given twice" if isinstance(error, _DoubledKeyError) else "not valid YAML"
        raise ConfigurationError(f"{path}: {what}{where}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):
        raise ConfigurationError(f"{path}: not valid YAML") from None
    try:
        return model.model_validate({} if document is None else document)
    except ValidationError as error:
        raise ConfigurationError(f"{path}: {first_problem(error)}") from None
