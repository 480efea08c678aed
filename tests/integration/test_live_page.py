"""The live page in a browser: a real exporter, a real run, headless Chromium."""

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import requests
from browser import Browser, browser_program

from exporter.live.findings import Outcome, PublishedAround, PublishedFinding, RunFindings
from exporter.live.wire import VERSION
from exporter.stack.native import NativeStack
from tests.support.live_messages import RUN
from tests.support.served_exporter import announcement
from tests.support.soak_command import Soak, end_faults, fault, running
from tests.support.waiting import need

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>"


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Browser]:
    if browser_program() is None:
        pytest.skip("chromium is not installed")
    with Browser(tmp_path / "browser") as browser:
        yield browser
        browser.value("1")  # what is noted until now
        assert browser.problems == []


def text(page: Browser, selector: str) -> str:
    """What a user reads there; empty where there is nothing."""
    found = page.value(f"document.querySelector({selector!r})?.innerText ?? ''")
    return str(found)


def shows(page: Browser, selector: str, *words: str) -> str:
    """The text there, once it has all of the words."""
    expression = f"document.querySelector({selector!r})?.innerText ?? ''"
    found: str = page.wait_for(expression, lambda shown: all(word in shown for word in words))
    return found


def figures(page: Browser) -> dict[str, str]:
    """The main figures by name."""
    pairs: list[tuple[str, str]] = page.value(
        "[...document.querySelectorAll('#figures div')].map("
        "(each) => [each.querySelector('dt').innerText, each.querySelector('dd').innerText])"
    )
    return dict(pairs)


def test_the_page_shows_a_run_its_verdict_and_its_curves_and_keeps_them_after_its_end(
    live: NativeStack, soak: Soak, page: Browser
) -> None:
    need("wrk")
    exporter = live.ports.url("exporter")
    page.open(f"{exporter}/live")
    assert "soak run --target" in shows(page, "#command", exporter)
    assert shows(page, "#sentence", "No run yet")

    run = soak("--duration", "120s", "--connections", "5", "--label", "seen")
    running(live)
    assert shows(page, "#sentence", "pass so far") == "✓ pass so far"
    about = text(page, "#about")
    assert "seen" in about
    assert "5 connections, wrk" in about
    assert "left" in text(page, "#left")
    assert "answers" in text(page, "#passed")
    page.wait_for("document.querySelectorAll('.plot canvas').length", lambda count: count >= 5)
    titles = page.value("[...document.querySelectorAll('figcaption b')].map((each) => each.innerText)")
    assert titles[:3] == ["Requests a second", "Latency of successes ms", "Router memory MiB"]
    shown = figures(page)
    assert float(shown["Success now"].removesuffix(" /s").replace(",", "")) > 50
    assert shown["Failed now"] == "0 /s"
    assert shown["Router memory"].endswith(" MiB")
    assert shown["Alerts"] == "not known"
    assert "succeeded" in text(page, "#collectors")
    assert live.ports.url("router") in text(page, "#watched")

    page.screen(390, 844)
    plots = "[...document.querySelectorAll('.uplot')].map((each) => each.clientWidth)"
    widths = f"[document.documentElement.scrollWidth, ...{plots}]"
    page.wait_for(widths, lambda found: max(found) <= 390)
    page.screen(1280, 900)

    # The cursor is one for all curves, and goes by the keyboard.
    page.value("document.querySelector('.plot').focus()")
    page.call("Input.dispatchKeyEvent", type="keyDown", key="ArrowLeft", code="ArrowLeft")
    assert shows(page, "#moment", "Values of")

    fault(live, "error", status=502, ratio=0.5)
    assert shows(page, "#sentence", "fail so far") == "✕ fail so far"
    assert "502" in shows(page, "#reasons", "answers")
    end_faults(live)
    run.process.send_signal(2)
    assert run.end().code == 1
    assert shows(page, "#sentence", "Verdict:") == "Verdict: ✕ fail"
    assert "ended" in shows(page, "#left", "ended")


def test_the_page_of_a_run_of_streams_has_their_figures_and_curves(
    live: NativeStack, soak: Soak, page: Browser
) -> None:
    goodput = "ttft < 5 s"
    run = soak("--engine", "stream", "--duration", "120s", "--connections", "5", "--goodput", goodput)
    running(live, 10)
    page.open(f"{live.ports.url('exporter')}/live")
    shows(page, "#about", "5 connections, stream")
    titles = "[...document.querySelectorAll('figcaption b')].map((each) => each.innerText)"
    found = page.wait_for(titles, lambda shown: "Output tokens a second" in shown)
    assert found[:4] == [
        *("Requests a second", "Latency of successes ms", "First token ms", "Output tokens a second")
    ]
    fault(live, "truncate_cleanly", ratio=1.0)
    shows(page, "#figures", "truncated: ")
    end_faults(live)
    shown = figures(page)
    assert float(shown["Tokens now"].removesuffix(" /s").replace(",", "")) > 5
    assert shown["First token p99"].endswith((" ms", " s"))
    assert shown["Own lag p99"].endswith(" ms")
    assert shown["Goodput"].endswith(" %")
    assert goodput in text(page, "#figures")
    assert float(shown["Streams complete"]) > 5
    assert "fail so far" in shows(page, "#sentence", "fail so far")
    run.process.send_signal(2)
    assert run.end().code == 1
    assert "Output tokens" in shows(page, "#figures", "Output tokens", "whole run")


def test_it_says_since_when_there_is_no_news_and_comes_back(
    live: NativeStack, page: Browser, stack: NativeStack
) -> None:
    page.open(f"{live.ports.url('exporter')}/live")
    shows(page, "#stream", "live")
    page.call("Network.enable")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.call("Network.emulateNetworkConditions", offline=True, **offline)
    page.value("document.querySelector('#runs').dispatchEvent(new Event('change'))")
    assert "trying again" in shows(page, "#stream", "no news since ")
    page.call("Network.emulateNetworkConditions", offline=False, **offline)
    shows(page, "#stream", "live")
    page.problems.clear()  # the browser logs that it was offline


def test_names_of_others_are_text_on_the_page(live: NativeStack, page: Browser) -> None:
    body: dict[str, Any] = announcement(model=HOSTILE, label=HOSTILE, target=HOSTILE)
    url = f"{live.ports.url('exporter')}/api/runs/{RUN}"
    assert requests.put(url, json=body, timeout=10).status_code == 200
    page.open(f"{live.ports.url('exporter')}/live")
    assert text_of_all(shows(page, "#about", "4 connections")) == 3
    assert page.value("document.querySelectorAll('img, #about script, #runs script').length") == 0
    # Were it not text, the page's policy would hold, and the browser would tell.
    page.value("document.body.append(Object.assign(document.createElement('script'), {textContent: '1'}))")
    page.value("1")
    assert "Content Security Policy" in " ".join(page.problems)
    page.problems.clear()


def test_the_name_of_an_alert_leads_to_its_page_of_the_runbook(live: NativeStack, page: Browser) -> None:
    exporter = live.ports.url("exporter")
    announced = announcement(planned_duration_seconds=600)
    assert requests.put(f"{exporter}/api/runs/{RUN}", json=announced, timeout=10).status_code == 200
    finding = PublishedFinding("alerts", Outcome.FAIL, f"RouterDown fired; {HOSTILE}", None, None, "")
    around = PublishedAround(("RouterDown", "NotOurs"), None, None, None)
    found = RunFindings(RUN, time.time(), True, Outcome.FAIL, (finding,), around)
    body = {**asdict(found), "version": VERSION, "token": announced["token"]}
    assert requests.put(f"{exporter}/api/runs/{RUN}/findings", json=body, timeout=10).status_code == 200
    page.open(f"{exporter}/live")
    shows(page, "#reasons", "RouterDown fired", HOSTILE)
    shows(page, "#figures", "▲ RouterDown", "▲ NotOurs")
    for place in ("#reasons", "#figures"):
        links = page.value(f"[...document.querySelectorAll('{place} a')].map((each) => each.href)")
        assert links == [f"{exporter}/runbook/RouterDown"]
    page.value("document.querySelector('#reasons a').click()")
    assert shows(page, "h1", "RouterDown") == "RouterDown"


def text_of_all(shown: str) -> int:
    """How many times the hostile text is there, letter by letter."""
    return shown.count(HOSTILE)
