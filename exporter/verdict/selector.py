"""Which scraped series an objective is about, as PromQL has it: `vllm:num_requests_waiting{engine="0"}`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from exporter.errors import ConfigurationError

_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)\s*(?:\{(?P<labels>.*)\})?", re.ASCII)
_MATCHER = re.compile(
    r"\s*(?P<label>[a-zA-Z_][a-zA-Z0-9_]*)\s*(?P<sign>=~|!~|!=|=)\s*\"(?P<value>(?:[^\"\\]|\\.)*)\"\s*(?:,|$)",
    re.ASCII,
)
_ESCAPED = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Matcher:
    """What a label has to be; one that is not there is empty, as in PromQL."""

    label: str
    sign: str
    """`=`, `!=`, `=~`, `!~`"""
    value: str

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels are so."""
        found = labels.get(self.label, "")
        if self.sign in ("=", "!="):
            return (found == self.value) == (self.sign == "=")
        return (re.fullmatch(self.value, found) is not None) == (self.sign == "=~")


@dataclass(frozen=True)
class Selector:
    """The series of one name whose labels are as asked."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def takes(self, labels: Mapping[str, str]) -> bool:
        """Whether it is one of these."""
        return all(each.takes(labels) for each in self.matchers)


def read_selector(text: str) -> Selector:
    """The selector of a text; raises ConfigurationError saying what is wrong."""
    match = _SELECTOR.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(f'{text!r}: not the name of a series, like up or x{{label="y"}}')
    labels, at, matchers = match["labels"] or "", 0, []
    while at < len(labels.rstrip()):
        found = _MATCHER.match(labels, at)
        if found is None:
            raise ConfigurationError(
                f'{labels[at:].strip()!r}: no matcher of a label; write label="value", !=, =~ or !~'
            )
        value = _ESCAPED.sub(r"\1", found["value"]) if "~" not in found["sign"] else found["value"]
        if "~" in found["sign"]:
            _check_pattern(value)
        matchers.append(Matcher(found["label"], found["sign"], value))
        at = found.end()
    return Selector(match["name"], tuple(matchers))


def _check_pattern(text: str) -> None:
    try:
        re.compile(text)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigurationError(f"{text!r}: no regular expression ({error})") from None
