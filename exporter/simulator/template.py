"""JSON written once and stamped for each answer with its number and its time."""

import json
from typing import Any

# Lone surrogates become bytes that UTF-8 never has; what a client sent holds none (request_body.clean).
NUMBER = "\udcff"
"""in a text: the place of the answer's number, 12 hexadecimal digits"""
CREATED = "\udcfe"
"""as a value: the place of the time in Unix seconds"""
_NUMBER = b"\xff"
_CREATED = b'"\xfe"'


def written(document: dict[str, Any]) -> bytes:
    """A document as JSON, with its places still to be stamped."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogateescape")


def data_event(document: dict[str, Any]) -> bytes:
    """A document as an event without a name."""
    return b"data: %s\n\n" % written(document)


def named_event(document: dict[str, Any]) -> bytes:
    """A document as an event that has the name of its `type`."""
    return b"event: %s\ndata: %s\n\n" % (document["type"].encode(), written(document))


def stamped(template: bytes, number: int, created: int) -> bytes:
    """A template filled in."""
    return template.replace(_NUMBER, b"%012x" % number).replace(_CREATED, b"%d" % created)
