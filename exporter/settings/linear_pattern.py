"""A regular expression whose time is linear in the text, whatever the pattern.

Python's `re` backtracks: `(a+)+$` on forty letters holds a scrape for hours, and nothing can stop it. This is
the engine of the Rust crate regex, which pydantic brings along: its syntax, without look-around and
backreferences.
"""

from pydantic_core import SchemaError, SchemaValidator, core_schema

MAX_PATTERN_CHARACTERS = 500
# Programs that have nothing in common: what is found in all of them is no description of one.
_ANY_PROGRAM = ("/sbin/init", "bash", "nginx: worker process", "sshd: root@pts/0", "cat -", "(sd-pam)")


class LinearPattern:
    """A compiled pattern; ValueError says in one line what is wrong with it."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN_CHARACTERS:
            raise ValueError(f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters, not {len(pattern)}")
        schema = core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")
        try:
            self._validator = SchemaValidator(schema)
        except SchemaError as error:
            # The message draws the pattern with a mark below it; its last line says what is wrong.
            reason = str(error).splitlines()[-1].strip().removeprefix("error: ").removeprefix("SchemaError: ")
            raise ValueError(f"{pattern!r} is not a regular expression ({reason})") from error

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in the text."""
        return self._validator.isinstance_python(text)

    @property
    def matches_all(self) -> bool:
        """Whether it matches nothing at all, or every program there is."""
        return self.found_in("") or all(map(self.found_in, _ANY_PROGRAM))
