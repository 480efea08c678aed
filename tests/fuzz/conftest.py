"""How long the fuzz tests try: a few examples each, or `--fuzz-minutes` for all of them together.

The examples are other ones at every run. One that fails is made as small as it can be and printed; it becomes
a test by its own name beside the code that it broke. In a long run an example that takes too long fails as
well, and what failed is kept in .hypothesis/fuzz and tried first the next time.
"""

import functools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.database import DirectoryBasedExampleDatabase

HERE = Path(__file__).parent
FOLDER = Path(".hypothesis/fuzz")
LONGEST_SECONDS = 20
"""of one example in a long run: a hang, on a machine that has other work too"""
SECONDS_A_LINE = 10.0
settings.register_profile(
    "few",
    max_examples=25,
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
)
settings.register_profile(
    "fuzz",
    settings.get_profile("few"),
    max_examples=100,
    database=DirectoryBasedExampleDatabase(FOLDER),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of `make fuzz`."""
    parser.addoption(
        "--fuzz-minutes",
        type=float,
        default=0.0,
        help="Try other examples for so long, all fuzz tests together (0: a few each).",
    )


class HangError(Exception):
    """An example that did not end in its time."""


def in_rounds(test: Any, seconds: float, config: pytest.Config) -> Callable[..., None]:
    """The test, repeated with other examples, a round after the other, until its time is over."""
    tried = 0
    example = test.hypothesis.inner_test

    @functools.wraps(example)
    def bounded(*arguments: Any, **named: Any) -> None:
        nonlocal tried
        tried += 1
        signal.alarm(LONGEST_SECONDS)
        try:
            example(*arguments, **named)
        finally:
            signal.alarm(0)

    @functools.wraps(test)
    def repeated(*fixtures: Any, **named: Any) -> None:
        signal.signal(signal.SIGALRM, _too_long)
        begun = said = time.monotonic()
        while time.monotonic() < begun + seconds:
            test(*fixtures, **named)
            now = time.monotonic()
            if now - said >= SECONDS_A_LINE or now >= begun + seconds:
                _say(config, tried, now - begun)
                said = now

    test.hypothesis.inner_test = bounded
    return repeated


def _say(config: pytest.Config, tried: int, seconds: float) -> None:
    capture = config.pluginmanager.get_plugin("capturemanager")
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    assert capture is not None
    assert reporter is not None
    with capture.global_and_fixture_disabled():
        reporter.write_line(f"  {tried:,} examples in {seconds:.0f} s")


def _too_long(_number: int, _frame: object) -> None:
    raise HangError(f"not over in {LONGEST_SECONDS} s")


@pytest.hookimpl(trylast=True)  # after -k
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Give each fuzz test its profile, and in a long run its share of the time."""
    fuzzed = [
        item
        for item in items
        if isinstance(item, pytest.Function) and item.path.parent == HERE and hasattr(item.obj, "hypothesis")
    ]
    minutes = config.getoption("--fuzz-minutes")
    profile = settings(settings.get_profile("fuzz" if minutes else "few"))
    # One function with several parameters is several items.
    prepared = {test: profile(test) for test in {item.obj for item in fuzzed}}
    if minutes:
        share = 60 * minutes / len(fuzzed)
        prepared = {test: in_rounds(limited, share, config) for test, limited in prepared.items()}
    for item in fuzzed:
        item.obj = prepared[item.obj]
