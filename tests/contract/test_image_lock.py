"""What the image installs is pinned by hash, completely, and as pyproject.toml wants it now."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.support.checkout import CHECKOUT
from tests.support.image_lock import FILES, Pin, needs_of, pins_of, problems, unmet

PYPROJECT = (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8")
LOCKS = {name: (CHECKOUT / "compose/requirements" / name).read_text(encoding="utf-8") for name in FILES}
PINS = {name: pin for file in FILES for name, pin in pins_of(LOCKS[file]).items()}


def test_the_lock_is_what_pyproject_wants() -> None:
    assert problems(PYPROJECT, LOCKS) == []
    assert {name for name, pin in PINS.items() if pin.is_direct} >= {"click", "httptools", "matplotlib"}


@pytest.mark.parametrize(
    "pin",
    [pin for name, pin in PINS.items() if name not in pins_of(LOCKS["build.txt"])],
    ids=lambda pin: pin.name,
)
def test_what_a_pinned_version_needs_is_pinned_too(pin: Pin) -> None:
    needs = needs_of(pin)
    if needs is None:
        pytest.skip(f"{pin.name} {pin.version} is not what is installed here; the image's build checks it")
    assert unmet(needs, PINS) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"click>=', '"left-pad>=1,<2",\n  "click>=', "left-pad: not pinned"),
        (
            '"click>=8.1,<9"',
            '"click>=99,<100"',
            f"click: pinned to {PINS['click'].version}, wanted <100,>=99",
        ),
        ('  "click>=8.1,<9",\n', "", "click: not wanted any more"),
        (
            "matplotlib>=3.8,<4",
            "matplotlib>=99",
            f"matplotlib: pinned to {PINS['matplotlib'].version}, wanted >=99",
        ),
        ('requires = ["setuptools', 'requires = ["flit-core", "setuptools', "flit-core: not pinned"),
    ],
)
def test_a_changed_pyproject_is_noticed(old: str, new: str, said: str) -> None:
    assert PYPROJECT.count(old) >= 1
    assert problems(PYPROJECT.replace(old, new, 1), LOCKS) == [said]


def test_a_changed_lock_is_noticed() -> None:
    first = re.search(r"(?m)^click==.*\n(    (--hash|#).*\n)+", LOCKS["exporter.txt"])
    assert first is not None

    def with_click(text: str) -> dict[str, str]:
        return {**LOCKS, "exporter.txt": LOCKS["exporter.txt"].replace(first[0], text)}

    head = first[0].splitlines(keepends=True)[0]
    assert problems(PYPROJECT, with_click("")) == ["click: not pinned"]
    assert problems(PYPROJECT, with_click(head)) == ["click: no hash"]
    assert unmet([Requirement("idna>=2")], {}) == ["idna: not pinned"]
    for line in (
        "--index-url https://example.org/simple",
        "click==8.2",
        "click>=8",
        "https://example.org/x.whl",
    ):
        with pytest.raises(ValueError, match="neither a pin"):
            problems(PYPROJECT, with_click(line + "\n"))


def test_every_dependency_has_an_upper_bound() -> None:
    document = tomllib.loads(PYPROJECT)
    project = document["project"]
    wanted = [*document["build-system"]["requires"], *project["dependencies"]]
    wanted += [line for lines in project["optional-dependencies"].values() for line in lines]
    requirements = [each for each in map(Requirement, wanted) if each.name != project["name"]]
    assert len(requirements) > 20
    assert [each.name for each in requirements if not _is_bounded(each.specifier)] == []


def _is_bounded(specifier: SpecifierSet) -> bool:
    return any(each.operator in {"<", "<=", "==", "~="} for each in specifier)
