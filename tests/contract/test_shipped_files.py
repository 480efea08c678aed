"""What a wheel and a source distribution hold: all that is shipped in the checkout, and no secret."""

import ast
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import pytest

from exporter.cli import rendering
from exporter.settings.layout import lay_out
from exporter.settings.shipped import shipped
from exporter.settings.shipped_files import SHIPPED, shipped_files
from tests.support.checkout import CHECKOUT
from tests.support.distribution import build_sdist, build_wheel, copy_of_the_checkout, names_in

FOLDER = "exporter/shipped/"
STARTER = "llm_router_soak.py"
OF_THE_PACKAGE_ALONE = {"exporter", "docs", "tests"}
"""folders of which nothing is shipped beside the package"""
NOT_SHIPPED = re.compile(
    r"(?:\.ci/.*|CHANGELOG\.md|CONTRIBUTING\.md|DESIGN\.md|README\.ja\.md|Makefile|debian-packages\.txt"
    r"|scripts/bench/.*|scripts/[^/]*|benchmarks/results/.*)"
)
"""what is for those who change the project"""
NOBODY_ELSES = {
    "prometheus/secrets/router-key": "sk-secret",
    "prometheus/secrets/agents-password": "secret",
    "prometheus/receivers/slack-url": "https://hooks/secret",
    "compose/exporter/own.yaml": "router: {api_key: sk-secret}",
    ".env": "PASSWORD=secret",
    "benchmarks/results/20261129-nightly.csv": "secret",
    "benchmarks/results/20261129-nightly/run.json": "secret",
    "prometheus/source/__pycache__/xid_rules.cpython-311.pyc": "secret",
}
"""what a user may have in a checkout, and what may stand in it"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in use, with what is nobody else's."""
    folder = copy_of_the_checkout(tmp_path_factory.mktemp("source") / "checkout")
    for name, text in NOBODY_ELSES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sdist(source, tmp_path_factory.mktemp("sdist") / "unpacked")


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(source, tmp_path_factory.mktemp("wheel") / "built")


def test_a_wheel_has_the_package_and_what_is_shipped_beside_it(wheel: Path) -> None:
    names = names_in(wheel)
    assert {name.removeprefix(FOLDER) for name in names if name.startswith(FOLDER)} == set(
        shipped_files(CHECKOUT)
    )
    package = {name for name in names if not name.startswith(FOLDER)} - {STARTER}
    modules = {path.relative_to(CHECKOUT).as_posix() for path in (CHECKOUT / "exporter").rglob("*.py")}
    assert {name for name in package if name.endswith(".py")} == modules
    assert {name for name in package if not name.endswith(".py")} == {
        path.relative_to(CHECKOUT).as_posix()
        for path in (CHECKOUT / "exporter").rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"}
    }


def test_nothing_but_the_package_and_what_starts_it_lands_at_the_top_of_site_packages(wheel: Path) -> None:
    assert {name.split("/")[0] for name in names_in(wheel)} == {"exporter", STARTER}


def test_what_is_shipped_is_there_as_it_is_in_the_checkout(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        for name in shipped_files(CHECKOUT):
            assert archive.read(FOLDER + name) == (CHECKOUT / name).read_bytes(), name
            mode = archive.getinfo(FOLDER + name).external_attr >> 16
            assert bool(mode & 0o100) == bool((CHECKOUT / name).stat().st_mode & 0o100), name


def test_no_secret_and_no_result_is_in_a_wheel_or_a_source_distribution(wheel: Path, sdist: Path) -> None:
    of_sdist = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    of_wheel = {name.removeprefix(FOLDER) for name in names_in(wheel)}
    for held in (of_sdist, of_wheel):
        assert held & NOBODY_ELSES.keys() == set()
        assert [name for name in held if "secrets/" in name] != []
        assert [name for name in held if "secrets/" in name and not name.endswith(".example")] == []
        assert [name for name in held if name.startswith("benchmarks/")] == ["benchmarks/results/.gitkeep"]


@pytest.mark.parametrize("kind", ["a source distribution", "what `soak files` lays out"])
def test_a_wheel_is_the_same_from_wherever_it_is_built(
    kind: str, wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    if kind == "a source distribution":
        source = sdist
    else:
        lay_out(source := tmp_path / "laid-out")
    again = build_wheel(source, tmp_path / "again")
    with ZipFile(wheel) as first, ZipFile(again) as second:
        assert names_in(wheel) == names_in(again)
        assert [name for name in names_in(wheel) if first.read(name) != second.read(name)] == []


def test_what_an_earlier_build_has_left_is_not_in_the_next(source: Path, tmp_path: Path) -> None:
    stale = source / "build" / "lib" / FOLDER / "prometheus/secrets/router-key"
    stale.parent.mkdir(parents=True, exist_ok=True)
    stale.write_text("sk-secret", encoding="utf-8")
    names = names_in(build_wheel(source, tmp_path / "again"))
    assert [name for name in names if name.endswith("router-key")] == []
    assert f"{FOLDER}prometheus/prometheus.yml" in names


def test_every_file_of_the_checkout_is_shipped_or_is_for_those_who_change_the_project() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=CHECKOUT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout")
    tracked = {name for name in listed.stdout.splitlines() if (CHECKOUT / name).is_file()}
    ours = {name for name in tracked if name.split("/")[0] not in OF_THE_PACKAGE_ALONE}
    assert {name for name in ours - set(shipped_files(CHECKOUT)) if not NOT_SHIPPED.fullmatch(name)} == set()


def names_asked_for() -> Iterator[str]:
    """The first argument of each `shipped(…)`: a text, or what its module calls by that name."""
    for path in (CHECKOUT / "exporter").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "shipped":
                argument = call.args[0]
                if isinstance(argument, ast.Constant):
                    yield str(argument.value)
                    continue
                (name,) = {each.id for each in ast.walk(argument) if isinstance(each, ast.Name)} - {"str"}
                if (path.name, name) == ("rendering.py", "renderer"):
                    yield from rendering.LIBRARIES
                    continue
                module = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts)
                yield str(getattr(import_module(module), name))


def test_every_name_that_the_code_asks_for_is_shipped() -> None:
    asked = set(names_asked_for())
    assert {"prometheus/rules", "prometheus/runbook.md", "prometheus/source/render_rules.py"} <= asked
    files = shipped_files(CHECKOUT)
    assert [name for name in asked if not any(f"{each}/".startswith(f"{name}/") for each in files)] == []
    assert shipped("prometheus/rules") == CHECKOUT / "prometheus/rules"


def test_the_image_is_built_from_the_package_and_what_is_shipped() -> None:
    lines = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    assert set(rules[1:]) == {"!exporter", "**/__pycache__", *(f"!{pattern}" for pattern in SHIPPED)}
    assert rules[-1] == "**/__pycache__"


def test_a_pattern_that_stands_for_no_file_ends_a_build(source: Path, tmp_path: Path) -> None:
    for name in shipped_files(source):
        if not name.startswith("prometheus/rules/"):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
    with pytest.raises(FileNotFoundError, match=r"prometheus/rules/\*\.yml: no such file"):
        shipped_files(tmp_path)
