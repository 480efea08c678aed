"""The documents: every link leads somewhere, the long ones have a contents list, the README stays short."""

import re
from pathlib import Path

import pytest

from tests.support.checkout import CHECKOUT

MAX_LINES = {"README.md": 170, "DESIGN.md": 250}
SCREEN_LINES = 60
PAGES = [
    *sorted(CHECKOUT.glob("*.md")),
    *sorted((CHECKOUT / "docs").glob("*.md")),
    CHECKOUT / "prometheus/runbook.md",
]
every_page = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(CHECKOUT)) for page in PAGES])
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def text_of(page: Path) -> str:
    """The page without its code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_every_link_leads_to_a_file_and_a_heading_that_exist(page: Path) -> None:
    for link in LINK.findall(text_of(page)):
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in anchors(target), link


@every_page
def test_a_page_longer_than_a_screen_has_a_contents_list(page: Path) -> None:
    headings = re.findall(r"^## .+$", text_of(page), flags=re.MULTILINE)
    if len(page.read_text(encoding="utf-8").splitlines()) > SCREEN_LINES and len(headings) > 2:
        inner = [link for link in LINK.findall(text_of(page)) if link.startswith("#")]
        assert len(inner) >= len(headings) - 1


@pytest.mark.parametrize("name", MAX_LINES)
def test_what_is_to_be_short_stays_short(name: str) -> None:
    assert len((CHECKOUT / name).read_text(encoding="utf-8").splitlines()) <= MAX_LINES[name]
