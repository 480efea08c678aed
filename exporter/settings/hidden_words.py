"""Another program's command line as it may be kept: without the secrets in it, whichever tool it is.

What looks like a secret by its name (`--api-key`, `OPENAI_API_KEY=`, `Authorization:`) or by its value is
replaced. A name that only speaks of tokens as a number or of a file does not name one.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from exporter.settings.placeholders import MARKED_KEY, is_secret, shown_header, shown_url

MIN_SECRET = 6
"""letters of a secret that is looked for in what the program prints: less would black out its text"""
_NOT_SECRET = re.compile(
    r"tokens|tokeni[sz]|max[-_]?token|token[-_]?(count|len|mean|std|min|max)|[-_](file|path|env)$",
    re.IGNORECASE,
)
_PAIR = re.compile(
    r"(?<![A-Za-z0-9_.])(?P<name>[A-Za-z_][\w.-]{0,63})(?P<between>[\"']?\s*[:=]\s*[\"']?)"
    r"(?P<value>(?:(?:bearer|basic|digest|token)\s+)?[^\s\"',;&}]+)",
    re.IGNORECASE,
)
"""`NAME=value`, `Name: value`, `"name": "value"`, also in the midst of a word"""
_ASSIGNED = re.compile(r"[A-Za-z_-][\w.-]*=.")
_VARIABLE = re.compile(r"(\$\{SECRET_\w*\})")
_HEADER_OPTIONS = ("-H", "--header", "--headers")
_USER_OPTIONS = ("-u", "--user", "--basic-auth", "--proxy-user", "-a")


@dataclass(frozen=True)
class HiddenWords:
    """A command line without its secrets, and these, to be taken out of what the program prints."""

    words: tuple[str, ...]
    secrets: tuple[bytes, ...]

    def hide(self, text: bytes) -> bytes:
        """A text of the program without the secrets of its command line."""
        for secret in self.secrets:
            text = text.replace(secret, b"***")
        return text


def hidden_words(command: Sequence[str]) -> HiddenWords:
    """The words of a command as they may be shown and kept."""
    found = _Found()
    words = [found.word(before, word) for before, word in zip(("", *command), command, strict=False)]
    by_length = sorted(found.secrets, key=len, reverse=True)
    return HiddenWords(
        tuple(_without(by_length, word) for word in words),
        tuple(each.encode("utf-8", "surrogateescape") for each in by_length),
    )


class _Found:
    def __init__(self) -> None:
        self.secrets: set[str] = set()

    def word(self, before: str, word: str) -> str:
        """One word of it, by the word before it."""
        option = before.lstrip("-") if before.startswith("-") and "=" not in before else ""
        if option and not word.startswith("-") and _names_secret(option, word):
            return self._hidden(option, word)
        if before in _HEADER_OPTIONS and ":" in word and "://" not in word:
            shown = shown_header(word)
            self._note(word.partition(":")[2].strip())
            return shown.plain
        if before in _USER_OPTIONS and ":" in word and "://" not in word:
            user, _, password = word.partition(":")
            return f"{user}:{self._hidden('PASSWORD', password)}"
        if is_secret("", word) and not _ASSIGNED.match(word):
            return self._hidden("WORD", word)
        shown_plain = shown_url(word).plain
        for lost in _lost(word, shown_plain):
            self._note_all((lost, lost.rpartition(":")[2]))
        return MARKED_KEY.sub(self._key, _PAIR.sub(self._pair, shown_plain))

    def _key(self, match: re.Match[str]) -> str:
        """A key by its mark, wherever in a word: of a shell's, say. One without a digit is a name."""
        return self._hidden("WORD", match[0]) if re.search(r"\d", match[0]) else match[0]

    def _pair(self, match: re.Match[str]) -> str:
        name, value = match["name"], match["value"]
        if value.startswith(("${SECRET_", "//")) or not _names_secret(name, value):
            return match[0]
        return f"{name}{match['between']}{self._hidden(name, value)}"

    def _hidden(self, name: str, value: str) -> str:
        self._note(value)
        return "${SECRET_" + re.sub(r"[^0-9A-Z]+", "_", name.upper()).strip("_") + "}"

    def _note(self, value: str) -> None:
        """What is hidden; of `Bearer KEY` the key alone too."""
        self._note_all((value, *value.split()[-1:]))

    def _note_all(self, values: Iterable[str]) -> None:
        self.secrets.update(value for value in values if len(value) >= MIN_SECRET)


def _without(secrets: Iterable[str], word: str) -> str:
    """What one word names as a secret may be said by another that gives it no name."""
    pieces = _VARIABLE.split(word)
    for secret in secrets:
        pieces[::2] = [piece.replace(secret, "***") for piece in pieces[::2]]
    return "".join(pieces)


def _names_secret(name: str, value: str) -> bool:
    return is_secret("", value) or (is_secret(name, value) and not _NOT_SECRET.search(name))


def _lost(word: str, shown: str) -> Iterator[str]:
    """The parts of a word that are not in what is shown of it."""
    if word == shown:
        return
    rest = word
    for piece in _VARIABLE.split(shown)[::2]:
        if piece and piece in rest:
            before, _, rest = rest.partition(piece)
            if before:
                yield before
    if rest:
        yield rest
