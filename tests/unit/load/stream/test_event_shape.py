"""Shapes: which events are known without parsing them, and which are not."""

import json
import re

import pytest

from exporter.load.stream.apis import Api, Meaning, meaning_of
from exporter.load.stream.event_shape import MAX_SHAPES, EventShapes, pattern_of
from exporter.load.stream.sse import Event

PLAIN = (
    b'data: {"id":"a1","created":17,'
    b'"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":null}]}\n\n'
)
TOKEN = Meaning(token=True, output=True, choices=frozenset({0}))


def learnt(*blocks: bytes) -> EventShapes:
    shapes = EventShapes()
    for block in blocks:
        shapes.learn(block, TOKEN)
        shapes.learn(block, TOKEN)
    return shapes


def knows(shapes: EventShapes, block: bytes) -> bool:
    found = shapes.match(block, 0)
    return found is not None and found[1].end() == len(block)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"hi"', b'" "'),
        (b'"hi"', rb'"say \"finish_reason\":\"stop\" \\"'),
        (b'"hi"', rb'"\u0022,\"error\":{}\n\n"'),
        (b'"hi"', "日本".encode()[:-1].join((b'"', b'"'))),
        (b"17", b"-1.5e+3"),
        (b'"a1"', b'"b2"'),
    ],
)
def test_other_text_and_other_figures_are_the_same_shape(old: bytes, new: bytes) -> None:
    assert knows(learnt(PLAIN), PLAIN.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"hi"', b'""'),
        (b'"hi"', b"null"),
        (b'"hi"', b'["hi"]'),
        (b'"hi"', b'"a","finish_reason":"stop"'),
        (b'"hi"', b'"a"},"error":{"x":"b"'),
        (b'"hi"', rb'"\x"'),
        (b'"hi"', b'"a\tb"'),
        (b"null", b'"stop"'),
        (b'"index":0', b'"index":1'),
        (b'"content"', b'"reasoning"'),
        (b":17", b":017"),
        (b":17", b": 17"),
        (b"data: ", b"data:"),
        (b"data: ", b"event: error\ndata: "),
        (b"\n\n", b"\ndata: x\n\n"),
        (b"\n\n", b"\n"),
        (b"\n\n", b"\r\n\r\n"),
    ],
)
def test_anything_else_is_another_shape(old: bytes, new: bytes) -> None:
    assert not knows(learnt(PLAIN), PLAIN.replace(old, new))


def test_ids_and_comments_may_say_anything() -> None:
    block = b": note\r\nid: 1\r\nevent: delta\r\n" + PLAIN.replace(b"\n", b"\r\n")

    assert knows(learnt(block), block.replace(b"note", b"").replace(b"id: 1", b"id:x-22"))
    assert not knows(learnt(block), block.replace(b"delta\r\n", b"error\r\n"))


def test_arrays_of_figures_may_have_any_length_but_none() -> None:
    block = b'data: {"bytes":[104, 105],"x":1}\n\n'

    assert knows(learnt(block), b'data: {"bytes":[3],"x":2}\n\n')
    assert not knows(learnt(block), b'data: {"bytes":[],"x":2}\n\n')
    assert not knows(learnt(block), b'data: {"bytes":["a"],"x":2}\n\n')


@pytest.mark.parametrize(
    "block",
    [
        b'data: {"a":1,\ndata: "b":2}\n\n',
        b"data: ping\n\n",
        rb'data: {"a\"b":1}' + b"\n\n",
        b": only a comment\n\n",
        b'data: {"a":"\x01"}\n\n',
    ],
)
def test_what_has_no_shape(block: bytes) -> None:
    assert pattern_of(block) is None


def test_an_event_that_decides_is_never_learnt() -> None:
    shapes = EventShapes()
    decide = (
        *(Meaning(usage=True), Meaning(in_band=True), Meaning(done=True), Meaning(terminal=True)),
        *(Meaning(broken=True), Meaning(finished=frozenset({0}))),
    )
    for meaning in decide * 3:
        shapes.learn(PLAIN, meaning)

    assert shapes.known == []


def test_shapes_are_bounded_and_the_ones_in_use_stay() -> None:
    shapes = learnt(PLAIN)
    for number in range(3 * MAX_SHAPES):
        block = b'data: {"key%d":1}\n\n' % number
        shapes.learn(block, TOKEN)
        shapes.learn(block, TOKEN)
        assert knows(shapes, PLAIN)

    assert len(shapes.known) == MAX_SHAPES


def test_where_ever_more_shapes_come_again_no_more_are_made() -> None:
    shapes = EventShapes()
    blocks = [b'data: {"key%d":1}\n\n' % number for number in range(50)]
    for block in blocks * 20:
        if shapes.match(block, 0) is None:
            shapes.learn(block, TOKEN)

    before = list(shapes.known)
    assert 0 < len(before) < MAX_SHAPES
    for _ in range(3):
        shapes.learn(b'data: {"other":1}\n\n', TOKEN)
    assert shapes.known == before


def test_the_number_of_an_answer_is_read_from_each_event() -> None:
    second = PLAIN.replace(b'"index":0', b'"index":1')
    shapes = EventShapes()
    for _ in range(2):
        shapes.learn(second, Meaning(token=True, choices=frozenset({1})))

    assert not knows(shapes, PLAIN)
    for number in (1, 7, 127):
        found = shapes.match(PLAIN.replace(b'"index":0', b'"index":%d' % number), 0)
        assert found is not None
        assert found[0].choices_of(found[1]) == {number}
    assert len(shapes.known) == 1


def test_other_numbers_called_index_are_as_any() -> None:
    block = b'data: {"index":3,"choices":[{"index":0,"delta":{"tool_calls":[{"index":2,"id":"a"}]}}]}\n\n'
    shapes = learnt(block)

    assert knows(shapes, block.replace(b'"index":3', b'"index":0').replace(b'"index":2', b'"index":5'))
    found = shapes.match(block, 0)
    assert found is not None
    assert found[0].choices_of(found[1]) == {0}


@pytest.mark.parametrize("index", [b"-1", b"1.5"])
def test_an_odd_number_of_an_answer_has_no_shape(index: bytes) -> None:
    assert pattern_of(PLAIN.replace(b'"index":0', b'"index":' + index)) is None


@pytest.mark.parametrize("twice", [b'"index":1,"index":1', b'"index":2,"index":1', b'"index":1,"index":0'])
def test_a_number_that_is_there_twice_is_not_learnt(twice: bytes) -> None:
    block = PLAIN.replace(b'"index":0', twice)
    shapes = EventShapes()
    for _ in range(4):
        shapes.learn(block, meaning_of(Api.CHAT, Event("", block[6:].decode())))

    assert shapes.known == []


def test_where_no_shape_comes_again_no_more_are_made() -> None:
    shapes = EventShapes()
    for number in range(300):
        shapes.learn(b'data: {"key%d":1}\n\n' % number, TOKEN)
    for _ in range(3):
        shapes.learn(PLAIN, TOKEN)

    assert shapes.known == []


def test_a_pattern_takes_the_whole_event_and_no_more() -> None:
    pattern = pattern_of(PLAIN)
    assert pattern is not None
    found = re.compile(pattern).match(PLAIN + PLAIN)
    assert found is not None
    assert found.end() == len(PLAIN)
    assert json.loads(found.group()[6:])["id"] == "a1"
