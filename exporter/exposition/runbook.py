"""`/runbook/` and `/runbook/ALERT`: the shipped runbook, a page an alert; and links to these pages."""

import html
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from exporter.errors import ConfigurationError
from exporter.exposition.live_page import PAGE_HEADERS
from exporter.settings.shipped import shipped

if TYPE_CHECKING:
    from markdown_it.token import Token

SHIPPED = "prometheus/runbook.md"
_HEADING = re.compile(r"^## ([A-Za-z]+)\n", re.MULTILINE)
_WORD = re.compile(r"\w+")
_LEVELS = {"h3": "h2", "h4": "h3"}
"""of a section that has a page of its own"""


class Runbook:
    """The text of a runbook: one heading of the second level an alert, and an introduction before them."""

    def __init__(self, text: str) -> None:
        introduction, *parts = _HEADING.split(text)
        self._introduction = introduction.partition("\n")[2]
        self._sections = dict(zip(parts[::2], parts[1::2], strict=True))
        self.alerts = tuple(self._sections)
        """the names of the alerts, in its order"""
        self._pages: dict[str, str] = {}

    @classmethod
    def of_the_project(cls) -> "Runbook":
        """The shipped one; without an alert where it is missing."""
        try:
            return cls(shipped(SHIPPED).read_text(encoding="utf-8"))
        except (ConfigurationError, OSError):
            return cls("")

    @property
    def routes(self) -> list[Route]:
        """Those of the pages; HEAD is answered as GET is."""
        return [
            Route("/runbook", self._index, methods=["GET"]),
            Route("/runbook/", self._index, methods=["GET"]),
            Route("/runbook/{alert}", self._alert, methods=["GET"]),
        ]

    async def _index(self, request: Request) -> Response:
        if not self.alerts:
            return self._missing()
        # Relative, for a proxy may put a path before it.
        below, above = ("", "../") if request.url.path.endswith("/") else ("runbook/", "")
        page = await run_in_threadpool(self._made, above, "Runbook", self._introduction, below)
        return HTMLResponse(page, headers=PAGE_HEADERS)

    async def _alert(self, request: Request) -> Response:
        alert = request.path_params["alert"]
        if alert not in self._sections:
            return self._missing()
        page = await run_in_threadpool(self._made, "../", alert, self._sections[alert], "")
        return HTMLResponse(page, headers=PAGE_HEADERS)

    def _missing(self) -> Response:
        known = ", ".join(self.alerts)
        line = f"no such alert; the runbook has {known}" if known else f"{SHIPPED} is not installed here"
        return PlainTextResponse(f"{line}\n", 404, headers=PAGE_HEADERS)

    def _made(self, above: str, title: str, text: str, below: str) -> str:
        """A page; `above` leads to the exporter's root, `below` to the pages of alerts."""
        key = f"{above}{title}"
        if key not in self._pages:
            self._pages[key] = _page(above, title, self._rendered(text, below))
        return self._pages[key]

    def _rendered(self, text: str, below: str) -> str:
        # Who never asks for a page does not hold the parser in memory.
        from markdown_it import MarkdownIt  # noqa: PLC0415

        parser = MarkdownIt("commonmark", {"html": False}).enable("table")
        tokens = parser.parse(text)
        pages = {alert.lower(): f"{below}{alert}" for alert in self.alerts}
        for token in tokens:
            token.tag = _LEVELS.get(token.tag, token.tag)
            if token.children is not None:
                token.children = list(_with_pages(token.children, pages))
        return str(parser.renderer.render(tokens, parser.options, {}))


def _with_pages(tokens: Iterable["Token"], pages: dict[str, str]) -> Iterator["Token"]:
    """Links to headings as links to the pages of alerts; one to another file is its text alone."""
    dropped = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrs["href"])
            page = pages.get(target[1:]) if target.startswith("#") else None
            if page is not None:
                token.attrs["href"] = page
            dropped = page is None and not target.startswith(("https://", "http://"))
        if not (dropped and token.type in ("link_open", "link_close")):
            yield token


def linked(text: str, alerts: Iterable[str], below: str) -> str:
    """A text as HTML, escaped, in which the name of an alert is a link to its page."""
    known = set(alerts)
    parts, end = [], 0
    for word in _WORD.finditer(text):
        if word[0] in known:
            parts += [html.escape(text[end : word.start()]), f'<a href="{below}{word[0]}">{word[0]}</a>']
            end = word.end()
    return "".join(parts) + html.escape(text[end:])


def _page(above: str, title: str, body: str) -> str:
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title} – soak runbook</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,"><link rel="stylesheet" href="{above}live/live.css">
</head><body class="landing runbook">
<nav><a href="{above or "./"}">Exporter</a> · <a href="{above}live">Live page</a> ·
<a href="{above}runbook/">Runbook</a></nav>
<h1>{title}</h1>
{body}</body></html>
"""
