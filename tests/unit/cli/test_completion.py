"""`soak --install-completion`: where the scripts lie, and that Tab completes by them."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from exporter.cli.completion import SHELLS
from exporter.cli.main import soak
from exporter.errors import ConfigurationError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, and the shell of nobody."""
    for name in ("SHELL", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(soak, arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/soak"),
        ("zsh", ".local/share/zsh/site-functions/_soak"),
        ("fish", ".config/fish/completions/soak.fish"),
    ],
)
def test_the_script_lies_where_the_shell_looks_and_a_second_time_changes_nothing(
    shell: str, place: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", f"/usr/local/bin/{shell}")
    first = run("--install-completion")
    file = home / place
    assert first.exit_code == 0
    assert first.output.splitlines()[0] == f"{file}: written"
    assert f"_SOAK_COMPLETE={shell}_complete" in file.read_text(encoding="utf-8")
    before = file.stat()
    again = run("--install-completion", shell)
    assert again.output == first.output.replace(": written\n", ": there already\n")
    assert file.stat() == before
    assert file.read_text(encoding="utf-8") == run("--show-completion", shell).output
    assert [path for path in home.rglob("*") if path.is_file()] == [file]


def test_folders_of_the_environment_are_used(
    home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "my data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    shown = run("--install-completion", "zsh").output
    assert f"fpath=('{tmp_path / 'my data'}/zsh/site-functions' $fpath)" in shown
    for shell in SHELLS:
        assert run("--install-completion", shell).exit_code == 0
    assert (tmp_path / "config/fish/completions/soak.fish").is_file()
    assert not home.exists()


def test_an_older_script_of_ours_is_replaced_and_anothers_is_not(home: Path) -> None:
    file = home / ".local/share/bash-completion/completions/soak"
    file.parent.mkdir(parents=True)
    file.write_text("complete -W 'on off' soak\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"^{file}: is there, and completes another soak"):
        run("--install-completion", "bash")
    assert file.read_text(encoding="utf-8") == "complete -W 'on off' soak\n"
    file.write_text("_SOAK_COMPLETE=bash_complete of an earlier click\n", encoding="utf-8")
    assert run("--install-completion", "bash").output.splitlines()[0] == f"{file}: written"
    assert "complete -o nosort -F _soak_completion soak" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("shell", "arguments", "said"),
    [
        (None, (), r"--install-completion: \$SHELL is not set, and it names none of bash, zsh, fish"),
        ("/bin/dash", (), "--install-completion: 'dash' is none of bash, zsh, fish; name one: "),
        ("/bin/bash", ("tcsh",), "--install-completion: 'tcsh' is none of bash, zsh, fish"),
    ],
)
def test_a_shell_that_is_not_known_is_told(
    shell: str | None, arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shell is not None:
        monkeypatch.setenv("SHELL", shell)
    with pytest.raises(ConfigurationError, match=said):
        run("--install-completion", *arguments)


def test_a_place_that_cannot_be_written_to_is_told(home: Path) -> None:
    home.touch()
    with pytest.raises(
        ConfigurationError, match=r"soak: cannot be read \(Not a directory\); see --show-comp"
    ):
        run("--install-completion", "bash")


def test_bash_completes_commands_options_and_values(tmp_path: Path) -> None:
    """The script is sourced and its function called, as Tab does; `soak` is what pip writes."""
    script = tmp_path / "soak.bash"
    script.write_text(run("--show-completion", "bash").output, encoding="utf-8")
    program = tmp_path / "soak"
    program.write_text(f"#!{sys.executable} -P\nfrom llm_router_soak import main\nmain()\n", encoding="utf-8")
    program.chmod(0o755)

    def completed(*words: str) -> set[str]:
        ask = f'source {script}; COMP_WORDS=("$@"); COMP_CWORD={len(words) - 1}; _soak_completion soak 2>&1'
        ask += '; printf "%s\\n" "${COMPREPLY[@]}"'
        done = subprocess.run(
            ["bash", "--norc", "-c", ask, "bash", *words],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=True,
        )
        return set(done.stdout.split())

    assert completed("soak", "fi") == {"files"}
    assert {"run", "demo", "report", "rules"} <= completed("soak", "")
    assert completed("soak", "run", "--engi") == {"--engine"}
    assert {"wrk", "hey", "stream"} <= completed("soak", "run", "--engine", "")
