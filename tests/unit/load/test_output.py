"""exporter.load.output: what an engine prints is kept within a bound and shown without escapes."""

import subprocess
import sys
import tracemalloc

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.load.output import (
    LINE_BYTES,
    STDERR_BYTES,
    STDOUT_BYTES,
    EngineOutput,
    Lines,
    PipeReader,
    Printed,
    Spool,
    plain,
)
from tests.support.waiting import wait_for


def is_over(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def lines_of(*written: bytes) -> list[str]:
    taken: list[str] = []
    lines = Lines(taken.append)
    for data in written:
        lines.write(data)
    lines.end()
    return taken


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_a_spool_keeps_begin_and_end_and_counts_the_rest(written: list[bytes]) -> None:
    spool, whole = Spool(20), b"".join(written)
    for data in written:
        spool.write(data)
    kept = spool.printed
    assert kept.head == whole[:10]
    assert kept.tail == whole[10:][-10:]
    assert len(kept.head) + kept.cut + len(kept.tail) == len(whole)


def test_what_fits_is_kept_as_it_was_printed_and_what_does_not_says_how_much_is_missing() -> None:
    assert bytes(Printed(b"abc", b"def")) == b"abcdef"
    assert bytes(Printed(b"abc", b"xyz", 1234)) == b"abc\n[... 1,234 bytes are left out here ...]\nxyz"
    assert bytes(EngineOutput()) == b""
    both = EngineOutput(Printed(b"out\n"), Printed(b"bad\n"))
    assert bytes(both) == b"out\n\n[standard error]\nbad\n"


def test_two_hundred_megabytes_through_a_pipe_cost_neither_memory_nor_disk() -> None:
    megabytes = 200
    child = subprocess.Popen(
        [sys.executable, "-c", f"for _ in range({megabytes}): print('x' * 999_999)\nprint('the end')"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None and child.stderr is not None
    spool, errors = Spool(STDOUT_BYTES), Spool(STDERR_BYTES)
    tracemalloc.start()
    reader = PipeReader({child.stdout: spool.write, child.stderr: errors.write})
    assert child.wait(timeout=120) == 0
    reader.finish()
    text = bytes(EngineOutput(spool.printed, errors.printed))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 50_000_000
    assert len(text) <= 10_000_000
    assert text.startswith(b"xxx") and text.endswith(b"\nthe end\n")
    assert b"[... 192,000,008 bytes are left out here ...]" in text


def test_a_full_output_is_no_more_than_ten_megabytes() -> None:
    stdout, stderr = Spool(STDOUT_BYTES), Spool(STDERR_BYTES)
    for _ in range(30):
        stdout.write(b"o" * 1_000_000)
        stderr.write(b"e" * 1_000_000)
    assert 9_800_000 < len(bytes(EngineOutput(stdout.printed, stderr.printed))) <= 10_000_000


def test_what_a_process_that_outlives_the_child_goes_on_printing_is_not_waited_for() -> None:
    child = subprocess.Popen(
        ["bash", "-c", "yes >&2 & echo $!"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None and child.stderr is not None
    spool, endless = Spool(1000), Spool(1000)
    reader = PipeReader({child.stdout: spool.write, child.stderr: endless.write})
    assert child.wait(timeout=60) == 0
    reader.finish()
    # Its pipe is closed, so it ends by SIGPIPE.
    left = int(spool.printed.head)
    wait_for("the end of what was left", lambda: is_over(left))


def test_lines_come_whole_however_they_arrive_and_the_last_needs_no_newline() -> None:
    assert lines_of(b"one\ntw", b"o\n\n  \nthr", b"ee") == ["one", "two", "three"]
    assert lines_of("äö\n".encode()[:1], "äö\n".encode()[1:]) == ["äö"]
    assert lines_of(b"dos\r\nunix\n") == ["dos", "unix"]
    assert lines_of(b"") == []


def test_of_a_line_without_an_end_only_its_begin_is_kept() -> None:
    [line] = lines_of(*[b"y" * 700_000] * 20)
    assert line == "y" * LINE_BYTES


@pytest.mark.parametrize(
    ("printed", "shown"),
    [
        ("plain text, 日本語\n", "plain text, 日本語\n"),
        ("\x1b[31mred\x1b[0m \x1b[1;32mgreen\x1b[m", "red green"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended\nnext", "\nnext"),
        ("\x9b31mred \x1bc\x1b(Bback", "red back"),
        ("\x1bPq#0\x1b\\sixel", "sixel"),
        ("a\tb", "a       b"),
        ("50%\r\n", "50%\n"),
        ("\a\b\r\x00\x7f", "\N{REPLACEMENT CHARACTER}" * 5),
        ("\u202eevil\u2028x", "\N{REPLACEMENT CHARACTER}evil\N{REPLACEMENT CHARACTER}x"),
        ("\x1b", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_no_escape_reaches_the_terminal(printed: str, shown: str) -> None:
    assert plain(printed) == shown


@given(st.text(alphabet="\x1b\x9b[]()0;mPX^_\\\x07\n\tab", max_size=60))
def test_whatever_is_printed_leaves_nothing_that_a_terminal_obeys(text: str) -> None:
    assert all(each.isprintable() or each == "\n" for each in plain(text))
