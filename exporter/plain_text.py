"""Text of others as it may be shown: nothing in it acts on a terminal. Standard library only.

What acts are control characters (C0, DEL, C1), line separators, changes of the writing direction, what has no
width, and halves of surrogate pairs, which no encoder takes.
"""

import re

_HIDDEN = (
    "\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f"
)
_ACTING = re.compile(f"[\x00-\x1f\x7f-\x9f{_HIDDEN}\ud800-\udfff]")
_BETWEEN = "\t\n"


def one_line(text: str) -> str:
    """`text` on one line: in the place of what acts stands a space, or U+FFFD."""
    return _ACTING.sub(lambda found: " " if found[0].isspace() else "\ufffd", text)


def plain_lines(text: str) -> str:
    """`text` with its own lines and tabs; in the place of anything else that acts stands U+FFFD."""
    return _ACTING.sub(lambda found: found[0] if found[0] in _BETWEEN else "\ufffd", text)


def plain_json(text: str) -> str:
    """The same JSON, in which what acts stands as its escape; line ends between values stay."""
    return _ACTING.sub(lambda found: found[0] if found[0] in _BETWEEN else _json_escapes(found[0]), text)


def _json_escapes(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
