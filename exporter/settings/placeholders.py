"""What is shown of a command: shell words, with a variable in the place of every secret.

`--header "X-Tenant: ${SECRET_X_TENANT}"` can be typed again once the variable is set.
"""

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

_SECRET_NAME = re.compile(
    r"auth(?!ors?$)|cookie|token|secret|passw|credential|signature|session|api.?key|(^|[-_])(key|sig|sid|pwd|pass)($|[-_])",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"^(bearer|basic|digest|token)\s|^(sk|pk|rk|gh[a-z]|xox[a-z])[-_]|^AIza|^eyJ|"
    # Long, of letters and digits without a word in it: a key of a kind that has no mark.
    r"^(?=\S*[0-9])(?=\S*[A-Za-z])[A-Za-z0-9+/=_~.-]{24,}$",
    re.IGNORECASE,
)
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)(:\s*)(.*)", re.DOTALL)
_SECRET_PLACE = re.compile(
    # A password may have a / in it: then what stands before that is no port.
    r"(?<=://)(?:[^/?#@\s]+|[^/?#@\s]*:(?!\d*(?:[/?#\s'\"]|$))[^\s'\"]*)(?=@)|"
    r"(?<![^\s'\"(=])[^\s@:/'\"]+:[^\s@/'\"]+(?=@)|"
    r"(?<=[?&])(?P<name>[^=&#\s]+)=(?P<value>[^&#\s]+?(?=['\"]?[,;:)]?(?:[&#\s]|$)))"
)
MARKED_KEY = re.compile(r"\b(?:(?:sk|pk|rk|gh[a-z]|xox[a-z])[-_][\w-]{8,}|AIza[\w-]{8,}|eyJ[\w.-]{8,})")
"""by their marks"""


def is_secret(name: str, value: str) -> bool:
    """Whether a parameter looks like a secret, by its name or by its value."""
    return bool(value) and bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value.strip()))


@dataclass(frozen=True)
class Shown:
    """A text in pieces: every second one is the name of a variable that stands for a secret."""

    pieces: tuple[str, ...]

    @property
    def plain(self) -> str:
        """For people: `Cookie: ${SECRET_COOKIE}`."""
        return "".join(piece if each % 2 == 0 else _variable(piece) for each, piece in enumerate(self.pieces))

    @property
    def word(self) -> str:
        """For a shell, on one line."""
        if len(self.pieces) == 1:
            return shell_word(self.pieces[0])
        quoted = [
            _escaped(piece) if each % 2 == 0 else _variable(piece) for each, piece in enumerate(self.pieces)
        ]
        return f'"{"".join(quoted)}"'


def shown_header(header: str) -> Shown:
    """`Name: value`. No name tells which value is a secret, so none is shown."""
    match = _HEADER.fullmatch(header)
    if match is None:
        return Shown(("", "HEADER", ""))
    return Shown((match[1] + match[2], match[1], "") if match[3] else (header,))


def shown_url(url: str) -> Shown:
    """A URL, a path, or anything else: without a user's password, and without a query's keys."""
    pieces, end = [""], 0
    for match in _SECRET_PLACE.finditer(url):
        name, value = match["name"] or "USER", match["value"]
        if match["name"] and not is_secret(name, value):
            continue
        start = match.start("value") if match["name"] else match.start()
        pieces[-1] += url[end:start]
        pieces += [name, ""]
        end = match.end()
    pieces[-1] += url[end:]
    return Shown(tuple(pieces))


def redacted(text: str) -> str:
    """Any text: without what `shown_url` hides in a URL, and without what is marked as a key."""
    return MARKED_KEY.sub("…", shown_url(text).plain)


def shell_word(text: str) -> str:
    """Text as one word of a shell, on one line: what cannot be printed is `$'\\x1b'`."""
    if text.isprintable():
        return shlex.quote(text)
    letters = (each if each.isprintable() and each not in "\\'" else _byte_escapes(each) for each in text)
    return f"$'{''.join(letters)}'"


def shown_command(command: Iterable[str]) -> Iterator[Shown]:
    """The words of an engine's command: no engine gets headers there."""
    return map(shown_url, command)


def _variable(name: str) -> str:
    return "${SECRET_" + re.sub(r"[^0-9A-Z]+", "_", name.upper()).strip("_") + "}"


def _escaped(text: str) -> str:
    """Inside double quotes."""
    return re.sub(r'([\\$"`])', r"\\\1", "".join(each if each.isprintable() else "?" for each in text))


def _byte_escapes(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
