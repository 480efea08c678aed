"""Rule files on another scale of time: `scripts/scale_rules.py --by 0.05 prometheus/rules /tmp/rules`.

With --by 0.05 an hour becomes three minutes: every range, offset, `for`, `keep_firing_for` and group
interval is multiplied, and so is the number in `vector(…)` of a record named `…:seconds`, by which a rule
says how long a minute is. All else stays the same text. So a test can show in a minute what takes half an
hour, with the scrape interval scaled too (5 s × 0.05 = 250 ms) or at most a fifth of the group's scaled
interval.

What that does to thresholds: one in units, or as a share, means the same as before. A rate per minute is
one per scaled minute, since it goes by `…:seconds`: a leak has to be 1/0.05 = 20 times as fast to be
judged alike. The rate that an alert states is still per real hour.

A number of seconds that stands in an expression by itself (`time() - 75`) is not touched.
"""

import argparse
import re
import sys
from pathlib import Path

UNIT_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}
LENGTH = r"(?:\d+(?:ms|[smhdw]))+"
# Strings come first, so that what looks like a range in one is passed over.
PLACES = re.compile(
    rf"""
      (?P<string>"[^"\n]*")
    | \[{LENGTH}(?::{LENGTH})?\]
    | \boffset\s+-?{LENGTH}\b
    | ^\s*(?:for|keep_firing_for|interval):\s*{LENGTH}\s*$
    """,
    re.MULTILINE | re.VERBOSE,
)
SECONDS = re.compile(r"(?P<before>record: \S+:seconds\n\s*expr: vector\()(?P<number>[\d.]+)(?=\))")


class ScaleError(Exception):
    """The rules cannot be scaled; its text says why."""


def scaled(rules: str, by: float) -> str:
    """The text of a rules file with every length of time multiplied by `by`; ScaleError below 1 ms."""

    def length(match: re.Match[str]) -> str:
        if match["string"]:
            return match[0]
        return re.sub(LENGTH, lambda found: _length(found[0], by), match[0])

    rules = PLACES.sub(length, rules)
    return SECONDS.sub(lambda found: f"{found['before']}{float(found['number']) * by:g}", rules)


def _length(text: str, by: float) -> str:
    milliseconds = sum(int(n) * UNIT_MS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdw])", text))
    whole = round(milliseconds * by)
    if milliseconds and not whole:
        raise ScaleError(f"{text} times {by} is less than a millisecond; scale by more")
    return f"{whole}ms" if whole else text


def main() -> int:
    """Scale a folder of rule files into another; 0, or 2 with one line that says what is wrong."""
    parser = argparse.ArgumentParser(description="Multiply the lengths of time in Prometheus rule files.")
    parser.add_argument("--by", type=float, required=True, help="factor, such as 0.05")
    parser.add_argument("source", type=Path, help="folder of *.yml")
    parser.add_argument("target", type=Path, help="folder to write to; made if missing")
    arguments = parser.parse_args()
    files = sorted(arguments.source.glob("*.yml"))
    try:
        if not 0 < arguments.by < float("inf"):
            raise ScaleError(f"--by {arguments.by}: a factor above 0 is needed")
        if not files:
            raise ScaleError(f"{arguments.source}: no *.yml there; name the folder of the rules")
        if arguments.source.resolve() == arguments.target.resolve():
            raise ScaleError(f"{arguments.target}: would overwrite the rules; name another folder")
        texts = {file.name: scaled(file.read_text(encoding="utf-8"), arguments.by) for file in files}
        arguments.target.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            (arguments.target / name).write_text(text, encoding="utf-8")
    except (ScaleError, OSError, UnicodeDecodeError) as error:
        print(f"scale_rules: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
