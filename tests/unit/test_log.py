"""exporter.log: a problem is one line, not one as long as it lasts."""

import logging

import pytest

from exporter.log import ProblemLog


def test_a_problem_is_logged_when_it_appears_and_again_where_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    problems = ProblemLog(logging.getLogger("exporter.z"))
    problems.update(["b is wrong", "a is wrong"])
    problems.update(["a is wrong", "c is wrong"], logging.ERROR)
    problems.update()
    problems.update(["a is wrong"])
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "a is wrong"),
        ("WARNING", "b is wrong"),
        ("ERROR", "c is wrong"),
        ("WARNING", "a is wrong"),
    ]
