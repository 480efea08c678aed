"""`soak dashboards` and `soak rules`: the renderers beside the package, and what a renderer does."""

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from exporter.cli import rendering
from exporter.cli.main import soak
from exporter.cli.rendering import check_or_render
from exporter.errors import ConfigurationError, ToolMissingError
from exporter.settings.layout import lay_out
from exporter.settings.shipped import shipped


@pytest.mark.parametrize("command", ["dashboards", "rules"])
def test_the_exit_code_is_the_renderers(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    renderer = tmp_path / "render.py"
    renderer.write_text("import sys; sys.exit({'check': 1, 'render': 0}[sys.argv[1]])", encoding="utf-8")
    monkeypatch.setattr(rendering, "shipped", lambda _name: renderer)
    assert CliRunner().invoke(soak, [command, "check"]).exit_code == 1
    assert CliRunner().invoke(soak, [command, "render"]).exit_code == 0


def test_what_is_rendered_passes_the_check_and_anything_else_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {tmp_path / "folder" / "one.yml": "1\n", tmp_path / "two.yml": "2\n"}
    assert check_or_render("check", texts, "run: this") == 1
    assert capsys.readouterr().err.splitlines() == [f"{path}: missing; run: this" for path in texts]
    assert check_or_render("render", texts, "run: this") == 0
    assert check_or_render("check", texts, "run: this") == 0
    (tmp_path / "two.yml").write_text("3\n", encoding="utf-8")
    capsys.readouterr()
    assert check_or_render("check", texts, "run: this", [tmp_path / "stray.yml"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{tmp_path / 'two.yml'}: not what its source renders; run: this",
        f"{tmp_path / 'stray.yml'}: no source renders it; run: this",
    ]
    assert (tmp_path / "two.yml").read_text(encoding="utf-8") == "3\n"


def test_the_rendered_rules_are_up_to_date(capfd: pytest.CaptureFixture[str]) -> None:
    assert CliRunner().invoke(soak, ["rules", "check"]).exit_code == 0
    assert capfd.readouterr().err == ""


def test_the_outline_names_every_dashboard(capfd: pytest.CaptureFixture[str]) -> None:
    assert CliRunner().invoke(soak, ["dashboards", "outline"]).exit_code == 0
    heads = [line.split("  ")[0] for line in capfd.readouterr().out.splitlines() if line[:1].strip()]
    assert heads == ["Soak", "Leaks", "Router and nodes", "GPU", "Results", "Stack health"]


def test_a_missing_renderer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    missing = tmp_path / "grafana/source/render.py"
    monkeypatch.setattr(rendering, "shipped", lambda name: shipped(name, tmp_path))
    with pytest.raises(ConfigurationError, match=f"{missing}: "):
        CliRunner().invoke(soak, ["dashboards", "check"], catch_exceptions=False)


@pytest.mark.parametrize("command", ["dashboards", "rules"])
def test_without_its_library_the_extra_to_install_is_named(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    needed = {"dashboards": r"'grafana-foundation-sdk==.*!11\.6\.\d+'", "rules": "'jinja2.*<4.*'"}[command]
    with pytest.raises(ToolMissingError, match=rf": not installed; install it: pip install {needed}$"):
        CliRunner().invoke(soak, [command, "render"], catch_exceptions=False)


def test_what_is_laid_out_is_rendered_and_checked_by_its_own_source(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my files"
    lay_out(folder)
    source = folder / "prometheus/source/leaks.recording.yml.j2"
    source.write_text(source.read_text(encoding="utf-8") + "# mine\n", encoding="utf-8")
    (folder / "grafana/dashboards/gpu.json").write_text("{}", encoding="utf-8")
    for command, drifted in (("rules", "leaks.recording.yml"), ("dashboards", "gpu.json")):
        asked = [command, "check", "--folder", str(folder)]
        assert CliRunner().invoke(soak, asked).exit_code == 1
        (line,) = capfd.readouterr().err.splitlines()
        assert (
            f"/{drifted}: not what its source renders; run: soak {command} render --folder '{folder}'" in line
        )
        assert line.startswith(str(folder))
        assert CliRunner().invoke(soak, [command, "render", "--folder", str(folder)]).exit_code == 0
        assert all(line.startswith(f"{folder}/") for line in capfd.readouterr().out.splitlines())
        assert CliRunner().invoke(soak, asked).exit_code == 0
    assert (folder / "prometheus/rules/leaks.recording.yml").read_text(encoding="utf-8").endswith("# mine\n")
    # What the one renders is not the other's.
    assert CliRunner().invoke(soak, ["rules", "check"]).exit_code == 0


def test_what_is_installed_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ROOT", "INSTALLED"):
        monkeypatch.setattr(rendering, name, tmp_path)
    for command in ("rules", "dashboards"):
        with pytest.raises(ConfigurationError) as refused:
            CliRunner().invoke(soak, [command, "render"], catch_exceptions=False)
        assert str(refused.value).startswith(f"{tmp_path}: what is installed is not written to; ")
        assert str(refused.value).endswith(f"soak files DIR && soak {command} render --folder DIR")
        assert CliRunner().invoke(soak, [command, "check"]).exit_code == 0


def test_a_folder_that_is_not_laid_out_is_told(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"^--folder: {tmp_path}/.*: not there; .*soak files {tmp_path}$"
    ):
        CliRunner().invoke(soak, ["rules", "check", "--folder", str(tmp_path)], catch_exceptions=False)


def test_the_rules_get_links_of_ones_own_and_the_files_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    base = "https://watch.example:9877/runbook"
    done = CliRunner().invoke(soak, ["rules", "--runbook-base", base], catch_exceptions=False)
    written = sorted(Path("rules").glob("*.yml"))
    assert (done.exit_code, done.output.splitlines()) == (0, [str(path) for path in written])
    assert f"runbook_url: {base}/RouterDown\n" in Path("rules/router.alerts.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output", "x"], "--output: is about --runbook-base; give --runbook-base too"),
        (["--runbook-base", "http://x/runbook", "check"], "leave one of the two out"),
        (["--runbook-base", "x"], "--runbook-base: 'x' is not a URL like "),
    ],
)
def test_options_of_the_rules_that_do_not_fit_are_refused(arguments: list[str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        CliRunner().invoke(soak, ["rules", *arguments], catch_exceptions=False)


def test_without_an_option_the_rules_show_what_they_can_do() -> None:
    done = CliRunner().invoke(soak, ["rules"])
    assert done.exit_code == 0
    assert "--runbook-base URL" in done.output
