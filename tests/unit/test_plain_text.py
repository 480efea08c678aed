"""exporter.plain_text: what becomes of what acts, and what stays."""

import json

from exporter.plain_text import one_line, plain_json, plain_lines


def test_on_one_line_blanks_become_spaces_and_the_rest_is_replaced() -> None:
    assert one_line("a\tb\r\nc\x1b[1md\u2028e\u202ef\ud800") == "a b  c\ufffd[1md e\ufffdf\ufffd"


def test_lines_and_tabs_of_a_text_stay() -> None:
    assert plain_lines("a\tb\r\nc\x85d") == "a\tb\ufffd\nc\ufffdd"


def test_json_is_the_same_with_escapes() -> None:
    value = {"a": "\x7f\u202e\U000e0041\ud800日本"}
    text = plain_json(json.dumps(value, ensure_ascii=False, indent=1))
    assert text == '{\n "a": "\\u007f\\u202e\\udb40\\udc41\\ud800日本"\n}'
    assert json.loads(text) == value
