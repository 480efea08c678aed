"""exporter.stack.service: a child process that is waited for and stopped."""

import sys
from pathlib import Path

import pytest

from exporter.errors import SoakError
from exporter.stack import service as service_module
from exporter.stack.ports import free_ports
from exporter.stack.service import Service
from tests.support.waiting import wait_for


def started(folder: Path, program: str) -> Service:
    return Service("it", free_ports().url("router"), [sys.executable, "-uc", program], folder)


def test_a_child_that_ends_before_it_answers_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    service = started(tmp_path, "print('first'); print('port taken'); raise SystemExit(3)")
    with pytest.raises(SoakError) as error:
        service.wait_until_ready("/")
    assert str(error.value).startswith("it: ")
    assert "exit code 3" in str(error.value)
    assert str(error.value).endswith(": first | port taken")


def test_a_child_that_never_answers_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "READY_SECONDS", 0.1)
    service = started(tmp_path, "import signal; signal.pause()")
    with pytest.raises(SoakError, match=r"^it: .* 0 s: "):
        service.wait_until_ready("/")
    service.stop()


def test_waiting_ends_where_the_check_raises(tmp_path: Path) -> None:
    def ended() -> None:
        raise KeyboardInterrupt

    service = started(tmp_path, "import signal; signal.pause()")
    with pytest.raises(KeyboardInterrupt):
        service.wait_until_ready("/", ended)
    service.stop()


def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "STOP_SECONDS", 0.1)
    ignoring = "import signal; signal.signal(15, signal.SIG_IGN); print('ready'); signal.pause()"
    service = started(tmp_path, ignoring)
    wait_for("it ignores SIGTERM", lambda: "ready" in (tmp_path / "it.log").read_text())
    service.stop()
    assert not Path(f"/proc/{service.pid}").exists()
