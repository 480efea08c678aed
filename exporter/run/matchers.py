"""Which series of a Prometheus are meant: label matchers as PromQL has them, read and written here.

What a user gives is never put into an expression as it is: a matcher is read whole, and what is asked is made
of its parts.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.errors import ConfigurationError
from exporter.plain_text import one_line

MAX_MATCHERS = 20
MAX_VALUE = 500
_MATCHER = re.compile(
    r"""\s*(?P<name>[A-Za-z_][A-Za-z0-9_]{0,127})\s*(?P<sign>=~|!~|!=|=)\s*
    (?:"(?P<double>(?:[^"\\\n]|\\.)*)"|'(?P<single>(?:[^'\\\n]|\\.)*)')\s*""",
    re.VERBOSE | re.ASCII,
)
_ESCAPES = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}


@dataclass(frozen=True)
class Matcher:
    """One label matcher."""

    name: str
    sign: str
    value: str

    @property
    def text(self) -> str:
        """As PromQL takes it."""
        return f"{self.name}{self.sign}{json.dumps(self.value, ensure_ascii=False)}"


def matcher_of(text: str) -> Matcher:
    """A matcher like `cluster="a"` or `instance=~"load-.*"`; raises ConfigurationError."""
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise ConfigurationError(
            f"--match: {one_line(text)[:80]!r} is no label matcher; write it as 'cluster=\"a\"', with one of "
            "= != =~ !~"
        )
    name, sign = match["name"], match["sign"]
    if name == "__name__":
        raise ConfigurationError("--match: __name__: which series are read is not chosen; match other labels")
    value = _unescaped(match["double"] if match["double"] is not None else match["single"])
    if len(value) > MAX_VALUE or not value.isprintable():
        raise ConfigurationError(
            f"--match: {name}: a value of at most {MAX_VALUE} letters that can be seen is taken"
        )
    if sign in ("=~", "!~"):
        try:
            re.compile(value)
        except re.error as error:
            raise ConfigurationError(
                f"--match: {name}: {value[:80]!r}: no regular expression ({error})"
            ) from None
    return Matcher(name, sign, value)


def matchers_of(job: str | None, texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Those of `--job` and `--match`; raises ConfigurationError."""
    found = [] if job is None else [Matcher("job", "=", _job(job))]
    found += map(matcher_of, texts)
    if len(found) > MAX_MATCHERS:
        raise ConfigurationError(f"--match: {len(found)} matchers; {MAX_MATCHERS} at most")
    return tuple(found)


def selector(name: str, matchers: Iterable[Matcher], **labels: str) -> str:
    """A selector of a metric (empty: of any) whose labels match; the keywords are labels as they are."""
    exact = [Matcher(label, "=", value) for label, value in labels.items()]
    return f"{name}{{{','.join(each.text for each in (*matchers, *exact))}}}"


def _job(text: str) -> str:
    if not text or len(text) > MAX_VALUE or not text.isprintable():
        raise ConfigurationError("--job: give the label `job` of the exporters, like exporter")
    return text


def _unescaped(text: str) -> str:
    def letter(found: re.Match[str]) -> str:
        # Any other, as in a regular expression, would be refused by PromQL: a backslash is written twice.
        if found[1] not in _ESCAPES:
            raise ConfigurationError(
                f"--match: \\{one_line(found[1])}: a backslash is written twice, as in "
                "'instance=~\"a\\\\.b\"'"
            )
        return _ESCAPES[found[1]]

    return re.sub(r"\\(.)", letter, text)
