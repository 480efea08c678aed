"""exporter.cli.log_lines: one line a record, as the Prometheus exporters spell them."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from exporter.cli.log_lines import _Formatter, set_up_logging


def record(message: str, level: int = logging.INFO, error: Exception | None = None) -> logging.LogRecord:
    made = logging.LogRecord("exporter.x", level, __file__, 1, message, None, None)
    made.created = 1_764_000_000.25
    if error is not None:
        made.exc_info = (type(error), error, None)
    return made


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("plain", "plain"),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "hi"', r'"say \"hi\""'),
        ("two\nlines", r'"two\nlines"'),
        ("日本", "日本"),
    ],
)
def test_logfmt_quotes_what_needs_it_and_keeps_to_one_line(message: str, written: str) -> None:
    assert (
        _Formatter("logfmt").format(record(message))
        == f"ts=2025-11-24T16:00:00.250+00:00 level=info logger=exporter.x msg={written}"
    )


def test_json_holds_the_same_fields() -> None:
    line = _Formatter("json").format(record("zwei\nZeilen ジ", logging.WARNING))
    assert "\n" not in line
    assert "ジ" in line
    assert json.loads(line) == {
        "ts": "2025-11-24T16:00:00.250+00:00",
        "level": "warn",
        "logger": "exporter.x",
        "msg": "zwei\nZeilen ジ",
    }


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_an_exception_is_a_field_and_no_traceback(style: str) -> None:
    line = _Formatter(style).format(record("failed", logging.ERROR, ValueError("a\nb")))
    assert "\n" not in line
    assert "ValueError" in line
    assert "Traceback" not in line


@pytest.fixture
def root_logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    root.handlers.clear()  # what pytest put there must not be closed
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.mark.parametrize(
    ("level", "shown"),
    [("debug", 4), ("info", 3), ("warn", 2), ("error", 1)],
)
def test_the_root_logger_writes_to_standard_error_from_its_level_on(
    root_logger: logging.Logger, capsys: pytest.CaptureFixture[str], level: str, shown: int
) -> None:
    set_up_logging(level, "json")
    logger = logging.getLogger("exporter.y")
    for write in (logger.debug, logger.info, logger.warning, logger.error):
        write("one")
    sys.stderr.flush()
    written = capsys.readouterr()
    levels = [json.loads(line)["level"] for line in written.err.splitlines()]
    assert levels == ["debug", "info", "warn", "error"][-shown:]
    assert written.out == ""
