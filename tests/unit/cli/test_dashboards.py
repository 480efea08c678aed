"""`soak dashboards`: the renderer beside the package, and what is said where it cannot run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import dashboards as dashboard_commands
from exporter.cli.main import soak
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.settings.shipped import shipped


def test_the_exit_code_is_the_renderers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renderer = tmp_path / "render.py"
    renderer.write_text("import sys; sys.exit({'check': 1, 'render': 0}[sys.argv[1]])", encoding="utf-8")
    monkeypatch.setattr(dashboard_commands, "shipped", lambda _name: renderer)
    assert CliRunner().invoke(soak, ["dashboards", "check"]).exit_code == 1
    assert CliRunner().invoke(soak, ["dashboards", "render"]).exit_code == 0


def test_the_outline_names_every_dashboard(capfd: pytest.CaptureFixture[str]) -> None:
    assert CliRunner().invoke(soak, ["dashboards", "outline"]).exit_code == 0
    heads = [line.split("  ")[0] for line in capfd.readouterr().out.splitlines() if line[:1].strip()]
    assert heads == ["Soak", "Leaks", "Router and nodes", "GPU", "Results", "Stack health"]


def test_without_a_checkout_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "grafana/source/render.py"
    monkeypatch.setattr(dashboard_commands, "shipped", lambda name: shipped(name, tmp_path))
    with pytest.raises(ConfigurationError, match=f"{missing}: not found; run this from a checkout"):
        CliRunner().invoke(soak, ["dashboards", "check"], catch_exceptions=False)


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard_commands, "SDK", "no_such_package")
    with pytest.raises(
        ToolMissingError, match=r"not installed; install it: pip install -e '\.\[dashboards\]'"
    ):
        CliRunner().invoke(soak, ["dashboards", "render"], catch_exceptions=False)
