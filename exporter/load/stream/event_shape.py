"""Events that are known without parsing them: shapes, learnt from events that were parsed in full.

The events of a stream are alike but for their text, their ids and their times. A shape is the bytes of one
event (`event`, `id` and comment lines, the one `data` line, the blank line) as a regular expression in which

- a string that is not empty stands for any JSON string that is not empty,
- a number stands for any number, an array of numbers for any such array that is not empty, and the `index`
  of a choice that is not the first for that of any other which is not,
- the value of an `id` line, a `retry` line or a comment stands for any,

and all else is to the letter: keys and their order, spaces, brackets, null, true, false, empty strings, the
values of LITERAL_KEYS (apis.py), the `event` line. What matches it is JSON, and means what the parsed event
means; text that looks like a key, a finish or another event is inside a string, and so cannot mislead.

A shape is made when it has been seen twice. Where ever more are seen (keys in another order each time), no
more are made, and such events are parsed, which is faster then.
"""

import re
from dataclasses import dataclass, replace

from exporter.load.stream.apis import LITERAL_KEYS, Meaning
from exporter.load.stream.sse import event_of

MAX_SHAPES = 32
MAX_REPLACED = 128
"""shapes that make room for others, until no more are made"""
_KEPT = 8
"""those that were last of use, once no more are made"""
_MAX_SEEN_ONCE = 64
_MAX_UNREPEATED = 256
"""events of a shape not seen before, one after the other, until no more are looked at"""
MAX_LEARNT_BYTES = 4096
"""a longer event is no delta that comes again and again"""
MAX_MATCHED_BYTES = 65_536
"""a longer event is parsed"""

_TEXT = rb'[^"\\\x00-\x1f]*+'
"""possessive: where the event is of another shape, nothing of it is tried again"""
_ANY_STRING = rb'"(?!")' + _TEXT + rb'(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})' + _TEXT + rb')*"'
_ANY_NUMBER = rb"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?"
_ANY_NUMBERS = rb"\[[ \t]*" + _ANY_NUMBER + rb"(?:[ \t]*,[ \t]*" + _ANY_NUMBER + rb")*[ \t]*\]"
_LATER_INDEX = re.compile(rb"[1-9][0-9]{0,8}")
_ANY_VALUE = rb"[^\r\n]*+"
_PART = re.compile(
    rb"(?P<space>[ \t]+)|(?P<numbers>" + _ANY_NUMBERS + rb")|(?P<number>" + _ANY_NUMBER + rb")"
    rb'|(?P<key>"[^"\\\x00-\x1f]*"(?=[ \t]*:))|(?P<empty>"")|(?P<string>' + _ANY_STRING + rb")"
    rb"|(?P<word>true|false|null)|(?P<mark>[{}\[\]:,])"
)
_IS_KEY = re.compile(rb"[ \t]*:")
_LINE = re.compile(rb"([^\r\n:]*)(:?)([^\r\n]*)(\r\n|\n|\r)")


@dataclass(slots=True)
class EventShape:
    """Events of the same meaning that differ in their text alone, and in the number of their answer."""

    pattern: re.Pattern[bytes]
    """its groups are the numbers of answers but the first"""
    meaning: Meaning
    """of one of them; `choices` are those that are the same in all"""

    @property
    def is_numbered(self) -> bool:
        """Whether answers differ in it."""
        return self.pattern.groups > 0

    def choices_of(self, found: re.Match[bytes]) -> frozenset[int]:
        """The answers of one event."""
        return self.meaning.choices.union(map(int, found.groups()))


class EventShapes:
    """The shapes of one API's events, learnt from what its streams bring; streams of a worker share them."""

    def __init__(self) -> None:
        self.known: list[EventShape] = []
        """the one that was last of use comes first"""
        self._seen_once: dict[bytes, None] = {}
        self._unrepeated = self._replaced = 0

    def learn(self, block: bytes, meaning: Meaning) -> None:
        """Take note of an event that matches no known shape, and of its meaning (of a plain event alone)."""
        if self._learns_no_more or not meaning.is_plain or len(block) > MAX_LEARNT_BYTES:
            return
        pattern = pattern_of(block)
        if pattern is None:
            return
        if pattern not in self._seen_once:
            self._unrepeated += 1
            if len(self._seen_once) >= _MAX_SEEN_ONCE:
                del self._seen_once[next(iter(self._seen_once))]
            self._seen_once[pattern] = None
            return
        del self._seen_once[pattern]
        shape = _shape_of(pattern, block, meaning)
        if shape is None:
            return
        self._unrepeated = 0
        if len(self.known) == MAX_SHAPES:
            self._replaced += 1
            del self.known[_KEPT if self._learns_no_more else MAX_SHAPES - 1 :]
        self.known.insert(0, shape)

    @property
    def _learns_no_more(self) -> bool:
        return self._unrepeated >= _MAX_UNREPEATED or self._replaced >= MAX_REPLACED

    def match(self, buffer: bytes, start: int) -> tuple[EventShape, re.Match[bytes]] | None:
        """The shape of the event that begins at `start`, and where it lies."""
        for place, shape in enumerate(self.known):
            found = shape.pattern.match(buffer, start, start + MAX_MATCHED_BYTES)
            if found:
                if place:
                    self.known.insert(0, self.known.pop(place))
                return shape, found
        return None


def _shape_of(pattern: bytes, block: bytes, meaning: Meaning) -> EventShape | None:
    """None where the numbers of answers are not those of the parse, as with a key that is there twice."""
    compiled = re.compile(pattern)
    found = compiled.match(block)
    assert found is not None
    numbers = [int(number) for number in found.groups()]
    if len(numbers) != len(meaning.choices - {0}) or not meaning.choices.issuperset(numbers):
        return None
    return EventShape(compiled, replace(meaning, choices=meaning.choices.difference(numbers)))


def pattern_of(block: bytes) -> bytes | None:
    """The regular expression of the shape of an event; None where it has none (two data lines, no JSON)."""
    lines, place, data_lines = [], 0, 0
    while place < len(block):
        line = _LINE.match(block, place)
        if line is None:
            return None
        place = line.end()
        name, colon, value, end = line.groups()
        if name == b"data" and colon:
            data_lines += 1
            space = value[: len(value) - len(value.lstrip(b" \t"))]
            shape = _pattern_of_json(value[len(space) :])
            if shape is None:
                return None
            lines.append(re.escape(name + colon + space) + shape + re.escape(end))
        elif colon and name in (b"id", b"retry", b""):
            lines.append(re.escape(name + colon) + _ANY_VALUE + re.escape(end))
        else:
            lines.append(re.escape(line.group()))
    return b"".join(lines) if data_lines == 1 and event_of(block) is not None else None


def _pattern_of_json(text: bytes) -> bytes | None:
    parts: list[bytes] = []
    place, key = 0, ""
    within: list[str] = []
    """the key of each object and array that is open"""
    while place < len(text):
        part = _PART.match(text, place)
        if part is None:
            return None
        place = part.end()
        kind, raw = part.lastgroup, part.group()
        if kind == "key":
            key = raw[1:-1].decode("utf-8", "replace")
        elif kind == "string" and _IS_KEY.match(text, place):
            return None  # a key with an escape: it may be any
        elif raw in (b"{", b"["):
            within.append(key)
        elif raw in (b"}", b"]") and within:
            within.pop()
        numbered = kind == "number" and key == "index" and _is_choice(within)
        if numbered and raw != b"0" and not _LATER_INDEX.fullmatch(raw):
            return None
        parts.append(_index(raw) if numbered else _any_of(kind, raw, key))
    return b"".join(parts)


def _index(number: bytes) -> bytes:
    return number if number == b"0" else b"(" + _LATER_INDEX.pattern + b")"


def _any_of(kind: str | None, raw: bytes, key: str) -> bytes:
    any_value = {"string": _ANY_STRING, "number": _ANY_NUMBER, "numbers": _ANY_NUMBERS}.get(kind or "")
    return any_value if any_value and key not in LITERAL_KEYS else re.escape(raw)


def _is_choice(within: list[str]) -> bool:
    """Whether what is open is an object in the array `choices` at the top."""
    return len(within) == 3 and within[1] == "choices"
