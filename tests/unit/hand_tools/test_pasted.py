"""Outputs of wrk and hey as people paste them, and those of other tools."""

import re
from collections.abc import Callable

import pytest
from hey_text import parse_hey
from pasted import Parsed, decoded, other_tool
from wrk_text import parse_wrk

from tests.support.checkout import FIXTURES


def text_of(name: str) -> str:
    return (FIXTURES / name).read_text(encoding="utf-8")


def lines(change: Callable[[int, str], str]) -> Callable[[str], str]:
    """Each line changed, by its number and text."""

    def changed(text: str) -> str:
        return "\n".join(change(number, line) for number, line in enumerate(text.splitlines())) + "\n"

    return changed


def seconds(number: int) -> str:
    return f"{number // 60 % 60:02}:{number % 60:02}.{(number * 7919) % 1000:03}"


PASTED: dict[str, Callable[[str], str]] = {
    "without its indents": lines(lambda _, line: line.strip()),
    "indented": lines(lambda _, line: "      " + line),
    "indented by tabs": lines(lambda _, line: "\t" + line),
    "with tabs for its spaces": lines(lambda _, line: re.sub(" {2,}", "\t", line)),
    "quoted": lines(lambda _, line: ("> " + line).rstrip()),
    "quoted twice": lines(lambda _, line: (">> " + line).rstrip()),
    "of compose": lines(lambda _, line: "wrk_1  | " + line),
    "of compose, with colours": lines(lambda _, line: f"\x1b[36mwrk-1  | \x1b[0m{line}\x1b[K"),
    "of kubectl": lines(lambda n, line: f"2026-11-29T03:{seconds(n)}123456Z stdout F {line}"),
    "of journald": lines(lambda n, line: f"Nov 29 03:{seconds(n)[:5]} box run[{4000}]: {line}"),
    "of a log": lines(lambda n, line: f"[2026-11-29 03:{seconds(n).replace('.', ',')}] INFO load - {line}"),
    "numbered": lines(lambda n, line: f"{n + 1:6}\t{line}"),
    "a diff": lines(lambda _, line: "+" + line),
    "with CRLF": lambda text: text.replace("\n", "\r\n"),
    "double-spaced": lambda text: text.replace("\n", "\n\n"),
    "with spaces behind": lines(lambda _, line: line + "   "),
    "with spaces that do not break": lambda text: text.replace(" ", "\xa0"),
    "in a code block": lambda text: f"```\n$ wrk …\n{text}\n```\nThat is all.\n",
    "with a title in colours": lambda text: f"\x1b]0;wrk\x07\x1b[1m{text}\x1b[0m",
}


@pytest.mark.parametrize("paste", PASTED.values(), ids=PASTED)
@pytest.mark.parametrize("name", ["run_wrk", "read-errors-and-429", "no-latency", "hang", "wrk2-synthesized"])
def test_wrks_output_is_read_as_it_is_pasted(name: str, paste: Callable[[str], str]) -> None:
    text = text_of(f"wrk/{name}.txt")
    assert parse_wrk(paste(text)) == parse_wrk(text)


@pytest.mark.parametrize("paste", PASTED.values(), ids=PASTED)
@pytest.mark.parametrize("name", ["summary", "reset-and-429", "timeout", "not-found"])
def test_heys_output_is_read_as_it_is_pasted(name: str, paste: Callable[[str], str]) -> None:
    text = text_of(f"hey/{name}.txt")
    assert parse_hey(paste(text)) == parse_hey(text)


def test_runs_with_different_prefixes_are_read() -> None:
    text = text_of("wrk/run_wrk.txt")
    both = PASTED["of compose"](text) + PASTED["quoted"](text) + PASTED["of journald"](text)
    assert parse_wrk(both).rows == parse_wrk(text).rows * 3


def test_a_line_of_another_container_within_the_summary_refuses_the_run() -> None:
    text = PASTED["of compose"](text_of("wrk/some-503.txt"))
    with_router = text.replace("wrk_1  |   Non-2xx", "router_1 | GET /\nwrk_1  |   Non-2xx")
    assert with_router != text
    assert parse_wrk(with_router) == Parsed(failures=["line 12 is not understood: 'router_1 | GET /'"])


def test_heys_csv_is_read_behind_a_prefix() -> None:
    text = text_of("hey/some-503.csv")
    assert parse_hey(PASTED["of kubectl"](text)) == parse_hey(text)


def test_utf_16_is_known_by_its_mark_and_what_is_no_text_breaks_nothing() -> None:
    text = text_of("hey/summary.txt")
    assert decoded(b"\xff\xfe" + text.encode("utf-16-le")) == text
    assert decoded(b"\xef\xbb\xbf" + text.encode()) == text
    assert decoded(b"\xff\xfea") == "\ufffd"
    assert decoded(b"a\xff") == "a\ufffd"


OTHERS = {
    "oha": "Summary:\n  Success rate:\t100.00%\n  Total:\t10.0014 secs\n  Slowest:\t0.1948 secs\n",
    "ghz": "\nSummary:\n  Count:\t2000\n  Total:\t345.52 ms\n  Slowest:\t15.41 ms\n",
    "boom": "Summary:\n  Total:\t21.1307 secs.\n  Slowest:\t2.9959 secs.\n",
    "ab": "This is ApacheBench, Version 2.3\nRequests per second:    4.5 [#/sec] (mean)\n",
    "k6": "     http_req_duration..............: avg=1.2ms min=0s\n",
    "vegeta": "Requests      [total, rate, throughput]  1200, 120.00, 65.87\n",
    "autocannon": "Running 10s test @ http://localhost:3000\n10 connections\n\n",
    "bombardier": "Bombarding http://localhost:8080 for 10s using 125 connection(s)\n",
}


@pytest.mark.parametrize("tool", OTHERS)
@pytest.mark.parametrize("parse", [parse_wrk, parse_hey])
def test_another_tool_is_named_and_gives_no_row(parse: Callable[[str], Parsed], tool: str) -> None:
    parsed = parse(OTHERS[tool])
    assert parsed.rows == []
    assert parsed.failures[0] == f"this is {tool}'s output; wrk's and hey's are what is read"


def test_wrk_and_hey_are_sent_to_each_other() -> None:
    wrk, hey = text_of("wrk/latency.txt"), text_of("hey/summary.txt")
    csv = text_of("hey/csv.csv")
    assert parse_hey(wrk).failures == ["this is wrk's output; pipe it into wrk_parse.py"]
    assert parse_wrk(hey).failures == ["this is hey's output; pipe it into hey_parse.py"]
    assert parse_wrk(csv).failures == ["this is hey's output; pipe it into hey_parse.py"]
    assert other_tool(["hello"], "wrk") is None
