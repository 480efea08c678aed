"""Valid things made wrong, drawn by hypothesis: bytes, lines of text and JSON documents."""

import copy
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from hypothesis import strategies as st

ACTING = (
    "\"\\'{}[]#,=:;%<>&$`| \t\n\r\v\f\0\x1b\x7f\x85\x9b\xa0\u2028\u202e\u200b\ufeff\U000e0041"
    "\u00e9\u540d\U0001f600"
)
"""letters that mean something to somebody"""
LETTERS = st.characters() | st.sampled_from(ACTING)
TEXTS = st.text(LETTERS, max_size=20)
"""of all letters, halves of surrogate pairs too"""
WRITABLE = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from(ACTING), max_size=20)
"""what UTF-8 can hold"""
WORDS = st.sampled_from(
    [b"\0", b"\xff", b"\x80", b"\x7f\xff\xff\xff", b"\xff" * 4, b"\xff" * 8, bytes(8), bytes(6) + b"\xf8\x7f"]
)
"""zeros, ones, the largest and NaN"""
NUMBERS = st.sampled_from(
    [
        "",
        *["0", "-1", "1e5", "1e999", "0x1f", "1_0", "NaN", "inf", "007", "1,5", ".5", "5.", "+1", "١٢"],
        "9" * 30,
    ]
) | st.integers(-(2**70), 2**70).map(str)
WHOLE = (0, 1, -1, 2**31, 2**53, 2**63, 2**64, 10**400)
ODD: tuple[Any, ...] = ("", "1", "true", "x" * 200, "\0", "\ud800", "\u202e", "\x9b", [], {}, [[]], [0])
SCALARS: st.SearchStrategy[Any] = TEXTS | st.sampled_from(
    [None, True, False, 1.5, -0.0, 1e308, 1e-320, math.nan, math.inf, *WHOLE, *ODD]
)


def repeated(*pieces: bytes, most: int = 9999) -> st.SearchStrategy[bytes]:
    """One of the pieces, many times."""
    return st.builds(lambda piece, times: piece * times, st.sampled_from(pieces), st.integers(1, most))


@st.composite
def mutated_bytes(draw: st.DrawFn, valid: st.SearchStrategy[bytes], most: int = 6) -> bytes:
    """Up to `most` changes of what `valid` draws."""
    data = bytearray(draw(valid))
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, len(data)))
        end = draw(st.integers(at, min(len(data), at + 16)))
        match draw(st.sampled_from(["flip", "word", "insert", "cut", "double", "end"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "word":
                word = draw(WORDS)
                data[at : at + len(word)] = word
            case "insert":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "cut":
                del data[at:end]
            case "double":
                data[at:at] = data[at:end]
            case _:
                del data[at:]
    return bytes(data)


@st.composite
def mutated_lines(draw: st.DrawFn, texts: Sequence[str], most: int = 5) -> str:
    """Up to `most` changes of one of the texts: lines, numbers and letters; also very long ones."""
    lines = draw(st.sampled_from(texts)).splitlines(keepends=True)
    for _ in range(draw(st.integers(1, most))):
        at = draw(st.integers(0, max(len(lines) - 1, 0)))
        kind = draw(st.sampled_from(["drop", "double", "swap", "number", "letters", "other", "long", "end"]))
        if not lines or kind == "other":
            lines[at:at] = draw(st.sampled_from(texts)).splitlines(keepends=True)[at : at + 3]
        elif kind == "drop":
            del lines[at]
        elif kind == "double":
            lines[at:at] = [lines[at]] * draw(st.integers(1, 3))
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        elif kind == "number":
            found = [*re.finditer(r"[0-9]+", lines[at])]
            if found:
                place = draw(st.sampled_from(found))
                lines[at] = lines[at][: place.start()] + draw(NUMBERS) + lines[at][place.end() :]
        elif kind == "letters":
            place_at = draw(st.integers(0, len(lines[at])))
            lines[at] = lines[at][:place_at] + draw(TEXTS) + lines[at][place_at:]
        elif kind == "long":
            start = draw(st.integers(0, len(lines[at])))
            piece = lines[at][start : start + draw(st.integers(1, 30))]
            lines[at] = lines[at][:start] + piece * draw(st.integers(1, 20_000 // max(len(piece), 1)))
        else:
            lines = lines[:at]
    return "".join(lines)


@st.composite
def mutated_json(draw: st.DrawFn, documents: st.SearchStrategy[Any], most: int = 3) -> bytes:
    """Up to `most` changes of a document, written as JSON, which may be none in the end."""
    document = [copy.deepcopy(draw(documents))]
    for _ in range(draw(st.integers(1, most))):
        holder, key = draw(st.sampled_from([*_places(document)]))
        kind = draw(st.sampled_from(["replace", "replace", "drop", "add", "nest", "copy"]))
        if kind == "drop" and holder is not document:
            del holder[key]
        elif kind == "add" and isinstance(holder, dict):
            holder[draw(TEXTS)] = draw(SCALARS)
        elif kind == "add" and holder is not document:
            holder.insert(key, draw(SCALARS))
        elif kind == "nest":
            holder[key] = [holder[key]] if draw(st.booleans()) else {draw(TEXTS): holder[key]}
        elif kind == "copy":
            other, name = draw(st.sampled_from([*_places(document)]))
            holder[key] = copy.deepcopy(other[name])
        else:
            holder[key] = draw(SCALARS)
    text = json.dumps(document[0], ensure_ascii=draw(st.booleans()))
    if draw(st.integers(0, 9)) == 0:
        # A key twice, an end too early, a value too many, a mark in front.
        twice = text.replace("{", '{"run":1,', 1)
        text = draw(st.sampled_from([twice, text[:-1], text + text, "\ufeff" + text]))
    return text.encode(draw(st.sampled_from(["utf-8"] * 8 + ["utf-16", "utf-32"])), "surrogatepass")


def _places(holder: Any) -> Iterator[tuple[Any, Any]]:
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    for key in keys:
        yield holder, key
        if isinstance(holder[key], dict | list):
            yield from _places(holder[key])
