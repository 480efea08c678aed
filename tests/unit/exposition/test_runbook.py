"""exposition.runbook: a page an alert, links that lead to pages, and nothing but text of the runbook."""

import re
from pathlib import Path

import pytest

from exporter.errors import ConfigurationError
from exporter.exposition import runbook
from exporter.exposition.live_page import CSP
from exporter.exposition.runbook import Runbook, linked
from exporter.live.findings import Outcome, PublishedAround, PublishedFinding, RunFindings
from tests.support.live_messages import RUN, register, token_of
from tests.support.prometheus_files import ALERTING, RUNBOOK
from tests.support.served_app import ServedApp
from tests.support.served_exporter import Served, serve_app, serve_exporter

server = pytest.fixture(scope="module")(serve_app)
served = pytest.fixture(serve_exporter)

HOSTILE = "x <script>alert(1)</script>"


def test_every_alert_of_the_rules_has_a_page(served: Served) -> None:
    assert sorted(Runbook.of_the_project().alerts) == sorted(ALERTING)
    for alert in ALERTING:
        page = served.get(f"/runbook/{alert}")
        assert page.status_code == 200, alert
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert f"<h1>{alert}</h1>" in page.text
        headings = re.findall(r"<h2>(.+)</h2>", page.text)
        assert headings == ["What it means", "How to confirm it", "What to do"]
        assert "](" not in page.text  # no link was left as Markdown


def test_a_page_is_strict_as_the_others_and_has_no_script_and_no_style_of_its_own(served: Served) -> None:
    for path in ("/runbook", "/runbook/", "/runbook/RouterDown", "/runbook/Unknown"):
        answer = served.get(path)
        assert answer.headers["Content-Security-Policy"] == CSP
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert not re.search(r"<style|style=|\son[a-z]+=|<script", answer.text)


@pytest.mark.parametrize("path", ["/runbook", "/runbook/", *(f"/runbook/{alert}" for alert in ALERTING)])
def test_every_link_of_a_page_leads_to_something_that_is_served(served: Served, path: str) -> None:
    folder = path.rpartition("/")[0] + "/"
    links = set(re.findall(r'(?:href|src)="([^"]+)"', served.get(path).text)) - {"data:,"}
    assert links
    for link in sorted(links):
        if link.startswith("https://"):
            continue
        assert re.fullmatch(r"(\.\./|\./)?([a-z]+/)*[A-Za-z.]*", link), link
        assert served.get(folder + link).status_code == 200, link


def test_the_index_leads_to_every_alert_with_and_without_a_slash_at_its_end(served: Served) -> None:
    for path, below in (("/runbook", "runbook/"), ("/runbook/", "")):
        page = served.get(path).text
        links = re.findall(r'<a href="([^"]+)">([A-Z][A-Za-z]+)</a>', page)
        assert {(f"{below}{alert}", alert) for alert in ALERTING} <= set(links)


def test_an_unknown_name_is_one_line_that_names_those_that_are_known(served: Served) -> None:
    for name in ("Unknown", "routerdown", "%3Cscript%3E", "RouterDown%0a"):
        answer = served.get(f"/runbook/{name}")
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/plain")
        assert answer.text.count("\n") == 1
        assert "script" not in answer.text
        assert "RouterDown, RouterRestarted, NodeOffline, " in answer.text
    assert served.get("/runbook/RouterDown/").status_code == 404


def test_head_is_answered_as_get_is_without_a_body(served: Served) -> None:
    import requests

    for path, status in (("/runbook/", 200), ("/runbook/RouterDown", 200), ("/runbook/Unknown", 404)):
        answer = requests.head(served.url + path, timeout=10)
        assert (answer.status_code, answer.content) == (status, b"")
        assert answer.headers["Content-Length"] == served.get(path).headers["Content-Length"]


def test_markup_in_a_runbook_is_text_and_a_link_elsewhere_is_its_text_alone() -> None:
    text = (
        "# Runbook\n\nHello <b>you</b>\n\n## RouterDown\n\n<script>alert(1)</script> `<i>` "
        "[a](javascript:alert(1)) [docs](../docs/leaks.md#x) [down](#routerdown) [none](#nothing) <https://x.example/>\n"
    )
    found = Runbook(text)
    page = found._made("../", "RouterDown", found._sections["RouterDown"], "")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <code>&lt;i&gt;</code>" in page
    assert 'docs <a href="RouterDown">down</a> none <a href="https://x.example/">' in page
    assert 'href="javascript' not in page


def test_without_the_file_the_pages_say_so_and_the_exporter_serves_the_rest(
    served: Served, server: ServedApp, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def missing(_name: str) -> Path:
        raise ConfigurationError("not found")

    monkeypatch.setattr(runbook, "shipped", missing)
    from starlette.applications import Starlette

    server.app = Starlette(routes=Runbook.of_the_project().routes)
    for path in ("/runbook", "/runbook/", "/runbook/RouterDown"):
        answer = served.get(path)
        assert (answer.status_code, answer.text) == (404, "prometheus/runbook.md is not installed here\n")


def test_the_name_of_an_alert_in_a_text_is_a_link_and_the_rest_is_escaped() -> None:
    text = "RouterDown fired, NotRouterDown & <b>NodeOffline</b>, RouterDown2, ExporterDown"
    assert linked(text, ("RouterDown", "NodeOffline"), "runbook/") == (
        '<a href="runbook/RouterDown">RouterDown</a> fired, NotRouterDown &amp; '
        '&lt;b&gt;<a href="runbook/NodeOffline">NodeOffline</a>&lt;/b&gt;, '
        "RouterDown2, ExporterDown"
    )


def test_the_landing_page_links_the_runbook_and_the_alerts_that_a_finding_names(served: Served) -> None:
    assert '<a href="runbook/">Runbook</a>' in served.get("/").text
    register(served.runs)
    finding = PublishedFinding("alerts", Outcome.FAIL, f"RouterDown fired; {HOSTILE}", None, None, "")
    around = PublishedAround(("RouterDown",), None, None, None)
    served.runs.publish(token_of(), RunFindings(RUN, 1_764_000_030.0, True, Outcome.FAIL, (finding,), around))
    page = served.get("/").text
    assert '<td><a href="runbook/RouterDown">RouterDown</a> fired; x &lt;script&gt;' in page
    assert "<script" not in page


def test_the_live_page_knows_the_alerts_that_have_a_page(served: Served) -> None:
    page = served.get("/live").text
    assert f'<body data-alerts="{" ".join(Runbook(RUNBOOK.read_text("utf-8")).alerts)}">' in page
    assert '<a href="runbook/">Runbook</a>' in page
