"""What is shown of a command: shell words, with a variable in the place of every secret.

`--header "Authorization: $SECRET_AUTHORIZATION"` can be typed again once the variable is set.
"""

import re
import shlex
from collections.abc import Iterable

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
_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_QUERY = re.compile(r"(?<=[?&])([^=&#\s]+)=([^&#\s]+)")


def is_secret(name: str, value: str) -> bool:
    """Whether a header or parameter looks like a secret, by its name or by its value."""
    return bool(value) and bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value.strip()))


def header_word(header: str) -> str:
    """`Name: value` as a shell word."""
    match = _HEADER.fullmatch(header)
    if match and is_secret(match[1], match[3]):
        return f'"{_escaped(match[1] + match[2])}{_variable(match[1])}"'
    return shell_word(header)


def url_word(url: str) -> str:
    """A URL or a path as a shell word: without a user's password, and without a query's keys."""
    found: list[str] = []

    def user(_match: re.Match[str]) -> str:
        found.append("USER")
        return "\0"

    def query(match: re.Match[str]) -> str:
        if not is_secret(match[1], match[2]):
            return match[0]
        found.append(match[1])
        return f"{match[1]}=\0"

    public = _QUERY.sub(query, _USER.sub(user, url))
    if not found:
        return shell_word(url)
    pieces = [_escaped(piece) for piece in public.split("\0")]
    names = [_variable(name) for name in found]
    return '"' + pieces[0] + "".join(name + rest for name, rest in zip(names, pieces[1:], strict=True)) + '"'


def shell_word(text: str) -> str:
    """Text as one word of a shell, on one line: what cannot be printed is `$'\\x1b'`."""
    if text.isprintable():
        return shlex.quote(text)
    letters = (each if each.isprintable() and each not in "\\'" else _byte_escapes(each) for each in text)
    return f"$'{''.join(letters)}'"


def shell_line(command: Iterable[str]) -> str:
    """A command as one line, as it can be typed again; headers and URLs in it show no secret."""
    words: list[str] = []
    before = ""
    for word in command:
        words.append(header_word(word) if before in ("-H", "--header") else url_word(word))
        before = word
    return " ".join(words)


def _variable(name: str) -> str:
    return "${SECRET_" + re.sub(r"[^0-9A-Z]+", "_", name.upper()).strip("_") + "}"


def _escaped(text: str) -> str:
    """Inside double quotes."""
    return re.sub(r'([\\$"`])', r"\\\1", "".join(each if each.isprintable() else "?" for each in text))


def _byte_escapes(letter: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape"))
