"""Every message that is provoked here is a line of tests/golden/messages.txt: the one place of their words.

Each is one line and names what is wrong. After a change that is meant:
`pytest tests/contract/test_messages.py --update-golden`, which fails, then read the diff.
"""

import re
import shlex
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from exporter.errors import SoakError
from exporter.http_server.config import WebConfig
from exporter.settings.exporter_config import load_config
from exporter.settings.login import load_http_client
from exporter.settings.strict_yaml import load_yaml
from exporter.settings.up_config import load_up_config
from exporter.verdict.judgement import judge
from tests.support import refusals
from tests.support.checkout import GOLDEN
from tests.support.findings import EVIDENCE
from tests.support.golden import compare_golden
from tests.support.run_results import evidence


def load_web_config(path: Path) -> object:
    return load_yaml(path, WebConfig, "--web.config.file")


FILES: Mapping[str, tuple[Callable[[Path], object], Mapping[str, str]]] = {
    "exporter.yml": (load_config, refusals.CONFIGURATIONS),
    "watch.yml": (load_up_config, refusals.UP_CONFIGURATIONS),
    "login.yml": (load_http_client, refusals.LOGINS),
    "web.yml": (load_web_config, refusals.WEB_CONFIGURATIONS),
}
OF_A_LIBRARY = re.compile(r"(?<=no usable answer ).*|(?<=127\.0\.0\.1:)\d{5}|(?<=cannot be used \().*(?=\);)")
"""words that another version of a library has otherwise, and ports that the kernel chooses"""


def load_text(load: Callable[[Path], object], file: str, text: str) -> None:
    """The file with this text, in the current folder, read."""
    path = Path(file)
    path.write_text(text, encoding="utf-8")
    load(path)


def provocations() -> dict[str, tuple[Callable[[], object], str]]:
    """Name -> what ends in an error, and what its message has to name."""
    found: dict[str, tuple[Callable[[], object], str]] = {}
    for words, named in refusals.COMMANDS.items():
        environment, arguments = refusals.split_command(words)
        line = shlex.join((*environment, "soak", *arguments)).encode("unicode_escape").decode("ascii")
        found[f"$ {line}"] = (partial(refusals.run_command, words), named)
    for file, (load, texts) in FILES.items():
        for text, named in texts.items():
            found[f"{file}: {text!r}"] = (partial(load_text, load, file, text), named)
    return {**found, **refusals.CALLS}


PROVOCATIONS = provocations()


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SoakError]:
    """The error of every provocation."""
    found = {}
    with pytest.MonkeyPatch.context() as monkeypatch:
        folder = tmp_path_factory.mktemp("refused")
        monkeypatch.chdir(folder)
        refusals.lay_out(folder)
        for name, (provoke, _) in PROVOCATIONS.items():
            with pytest.raises(SoakError) as caught:
                provoke()
            found[name] = caught.value
    return found


@pytest.mark.parametrize("provocation", PROVOCATIONS)
def test_a_message_is_one_line_that_names_what_is_wrong_and_shows_no_secret(
    messages: dict[str, SoakError], provocation: str
) -> None:
    message = str(messages[provocation])
    assert PROVOCATIONS[provocation][1] in message
    assert message.isprintable()
    assert "hunter2" not in message


@pytest.mark.parametrize("name", EVIDENCE)
def test_a_finding_is_one_line(name: str) -> None:
    for finding in judge(evidence(**EVIDENCE[name]), {}, ()).findings:
        assert finding.text.isprintable()
        assert finding.said.japanese.isprintable()


@pytest.mark.usefixtures("in_tokyo")
def test_the_messages_are_the_golden_ones(
    messages: dict[str, SoakError], request: pytest.FixtureRequest
) -> None:
    lines = [
        f"{name} -> {type(error).__name__}: {OF_A_LIBRARY.sub('…', str(error))}\n"
        for name, error in messages.items()
    ]
    shown: set[str] = set()
    for name, changes in EVIDENCE.items():
        for finding in judge(evidence(**changes), {}, ()).findings:
            line = f"{finding.check}: {finding.outcome.value}: {finding.text}"
            if line not in shown:
                shown.add(line)
                lines.append(f"finding, {name} -> {line}\n")
                lines.append(f"  in the record -> {finding.said.japanese}\n")
    compare_golden(GOLDEN / "messages.txt", "".join(lines), request.config.getoption("--update-golden"))
