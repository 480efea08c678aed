"""The JSON Schemas of docs/schemas, held against what is written."""

import json
from functools import cache
from importlib.util import find_spec
from typing import Any

from tests.support.checkout import CHECKOUT


def check_document(document: Any, name: str = "run") -> None:
    """Raise ValidationError where a document is not of its schema, or says more than that has."""
    _validator(name).validate(document)


def check_where_possible(document: Any) -> None:
    """The same of any run.json that a test comes by; without jsonschema test_schemas.py fails."""
    if find_spec("jsonschema"):
        check_document(document)


@cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator

    text = (CHECKOUT / "docs" / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(_closed(schema))


def _closed(schema: Any) -> Any:
    """The schema that takes no field beside its own: for users it does, as a release may add some."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed
