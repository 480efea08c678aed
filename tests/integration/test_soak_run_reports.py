"""What a run leaves for people and for CI systems: the page, the picture, JUnit's XML, a summary."""

import gzip
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from exporter.results.html_report import html_report
from exporter.results.run_record import read_record
from exporter.stack.native import NativeStack
from tests.support.soak_command import Soak, fault
from tests.support.waiting import need


@pytest.fixture
def live(shared: NativeStack) -> NativeStack:
    """One for all tests of this file."""
    return shared


def test_a_run_that_fails_leaves_its_page_its_picture_and_the_reports_for_ci(
    live: NativeStack, soak: Soak, results: Path, tmp_path: Path
) -> None:
    need("wrk")
    fault(live, "error", status=503, ratio=0.5)
    junit, summary, page = (tmp_path / name for name in ("junit.xml", "summary.md", "page.md"))
    options = ("--duration", "3s", "--junit", str(junit), "--markdown", str(summary))
    ended = soak(*options, picture=True, GITHUB_STEP_SUMMARY=str(page)).end()
    assert ended.code == 1, ended.errors
    [row] = ended.csv_rows
    root = fromstring(junit.read_text(encoding="utf-8"))
    failed = [case.attrib["name"] for case in root.iter("testcase") if case.find("failure") is not None]
    assert "answers" in failed
    assert {each.attrib["name"]: each.attrib["value"] for each in root.iter("property")} == {
        name: row[name]
        for name in ("rps", "p50_ms", "p95_ms", "p99_ms", "requests", "non2xx", "socket_errors", "duration_s")
    }
    assert summary.read_text(encoding="utf-8").startswith("### soak run: local\n\n**fail: ")
    assert page.read_text(encoding="utf-8") == summary.read_text(encoding="utf-8") + "\n"
    [folder] = (each for each in results.iterdir() if each.is_dir())
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert text == html_report(read_record(folder))
    assert f"<dd>{row['rps']}</dd>" in text
    assert f'<td class="n">{int(row["non2xx"]):,}</td>' in text
    assert (folder / "plot.png").read_bytes().startswith(b"\x89PNG")
    # What the router tells of itself, under its own job.
    instance = live.ports.url("router").removeprefix("http://")
    series = gzip.decompress((folder / "series.om.gz").read_bytes()).decode()
    assert f'cloud_requests_total{{instance="{instance}",job="router",' in series


def test_a_command_that_ends_before_its_load_leaves_its_error(
    live: NativeStack, soak: Soak, tmp_path: Path
) -> None:
    need("wrk")
    fault(live, "error", status=401)
    junit = tmp_path / "junit.xml"
    ended = soak("--duration", "3s", "--junit", str(junit), preflight=True).end()
    assert ended.code == 2
    error = fromstring(junit.read_text(encoding="utf-8")).find("testsuite/testcase/error")
    assert error is not None
    assert "401" in error.attrib["message"]
