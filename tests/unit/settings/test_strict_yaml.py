"""exporter.settings.strict_yaml: whatever is in a file, it is taken or refused in one line."""

from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.settings.strict_yaml import Model, load_yaml


class Figures(Model):
    """A file of one key."""

    figure: str = ""


def refusal(tmp_path: Path, text: str) -> str:
    file = tmp_path / "figures.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError) as error:
        load_yaml(file, Figures, "--figures")
    return str(error.value).removeprefix(f"{file}: ")


@pytest.mark.parametrize(
    "value", ["!!bool x", "!!bool", "!!int ''", "!!float ''", "!!timestamp x", "!!int x", "!!binary é"]
)
def test_a_tag_and_a_value_that_do_not_agree_are_no_yaml(tmp_path: Path, value: str) -> None:
    assert refusal(tmp_path, f"figure: {value}").startswith("not valid YAML")


@pytest.mark.parametrize("letter", [r"\0", r"\ud800", r"\udfff"])
def test_a_letter_that_no_file_name_and_no_message_can_have_is_named_by_its_place(
    tmp_path: Path, letter: str
) -> None:
    said = "a NUL or half a surrogate pair at line 1, column "
    assert refusal(tmp_path, f'figure: "a{letter}b"') == f"{said}9"
    assert refusal(tmp_path, f'"a{letter}b": 1') == f"{said}1"


def test_of_two_keys_that_are_alike_the_second_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path, "figure: a\nfigure: b\n") == "key given twice at line 2, column 1"
    assert refusal(tmp_path, "? [a]\n: b\n").startswith("not valid YAML")
