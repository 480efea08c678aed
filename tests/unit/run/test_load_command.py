"""exporter.run.load_command: the user's own tool is started, listened to and ended with all it started."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from exporter.clock import SystemClock
from exporter.errors import ConfigurationError
from exporter.run.load_command import LoadCommand, check_command
from exporter.verdict.evidence import CommandEnd, EndedBy
from tests.support.waiting import wait_for

SECRET = "hunter2hunter2"
SLEEPER = "import time; time.sleep(99)"


@contextmanager
def started(program: str, *more: str) -> Iterator[LoadCommand]:
    command = LoadCommand((sys.executable, "-c", program, *more), SystemClock())
    try:
        yield command
    finally:
        command.stop(EndedBy.USER)


def ended(command: LoadCommand) -> None:
    wait_for("the command to end", lambda: command.poll() is not None)


def test_a_command_that_ends_has_its_exit_code_and_all_that_it_printed() -> None:
    with started("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)") as command:
        ended(command)
        assert command.stop(EndedBy.DURATION) == CommandEnd(7, EndedBy.ITSELF)
        assert bytes(command.output) == b"out\n\n[standard error]\nerr\n"
        assert sorted(command.said()) == ["err", "out"]
        assert command.said() == []


def test_one_that_runs_is_ended_with_its_children_and_that_is_no_failure() -> None:
    program = (
        f"import subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]);"
        "print(child.pid, flush=True); time.sleep(99)"
    )
    with started(program) as command:
        child = int(wait_for("its child", lambda: "".join(command.said())))
        assert command.poll() is None
        end = command.stop(EndedBy.DURATION)
        assert (end, end.failed) == (CommandEnd(143, EndedBy.DURATION), False)
        wait_for("its child to end", lambda: not _runs(child))


def test_what_it_left_running_in_its_session_loads_nobody_any_more() -> None:
    program = (
        f"import subprocess, sys; child = subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]);"
        "print(child.pid, flush=True)"
    )
    with started(program) as command:
        ended(command)
        wait_for("its child to end", lambda: not _runs(int(bytes(command.output))))
        assert command.stop(EndedBy.USER) == CommandEnd(0, EndedBy.ITSELF)


def test_one_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.run.load_command.TERM_SECONDS", 0.2)
    program = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True);"
        "time.sleep(99)"
    )
    with started(program) as command:
        wait_for("it to be deaf", command.said)
        assert command.stop(EndedBy.USER) == CommandEnd(137, EndedBy.USER)


def test_one_that_a_signal_ends_has_the_code_of_a_shell_and_has_failed() -> None:
    with started("import os; os.kill(os.getpid(), 9)") as command:
        ended(command)
        end = command.stop(EndedBy.USER)
        assert (end, end.failed) == (CommandEnd(137, EndedBy.ITSELF), True)


def test_it_reads_nothing_and_has_a_session_of_its_own() -> None:
    with started("import os, sys; print(sys.stdin.read() == '', os.getsid(0) == os.getpid())") as command:
        ended(command)
        assert command.said() == ["True True"]


def test_a_secret_of_its_command_line_is_in_nothing_that_is_kept_or_shown() -> None:
    with started("import sys; print(sys.argv)", "--api-key", SECRET) as command:
        ended(command)
        assert SECRET not in " ".join(command.said())
        assert SECRET.encode() not in bytes(command.output)
        assert b"'--api-key', '***'" in bytes(command.output)
        assert command.hidden.words[-2:] == ("--api-key", "${SECRET_API_KEY}")


def test_a_progress_bar_that_is_drawn_over_is_one_line() -> None:
    program = "import sys; [print(f'\\r{n} %', end='', flush=True) for n in range(100)]; print('\\rdone')"
    with started(program) as command:
        ended(command)
        assert command.said() == ["done"]


def test_much_output_is_bounded_in_memory_and_in_what_waits_to_be_shown() -> None:
    with started("import sys; sys.stdout.write(('y' * 99 + '\\n') * 200000)") as command:
        ended(command)
        assert len(bytes(command.output)) < 10_000_000
        assert len(command.said()) == 2000


@pytest.mark.parametrize("word", ["no-such-program-here", "/etc/passwd", "./nothing", ""])
def test_what_is_no_program_is_refused_before_anything_is_started(word: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be started: there is no such program"):
        check_command((word,))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
