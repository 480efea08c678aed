"""Make pictures of the dashboards, in any Grafana that has them, by headless Chromium.

    python scripts/picture_dashboards.py http://127.0.0.1:3000 [--page soak] [--dark] [--full] [--from now-1h]

Each page as a person sees it first, at 1440 × 900 less what the bars of a browser take; with --full, from its
top to its end, collapsed rows opened. --dark is Grafana's dark theme. Grafana's version is printed: each
draws a page in its own way. Needs Chromium, and Pillow, which comes with the extra `report`.
"""

import argparse
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

from browser import Browser, BrowserError
from PIL import Image

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PAGES = ("soak", "leaks", "router-and-nodes", "gpu", "results", "stack-health")
WIDTH, HEIGHT = 1440, 900
BROWSER_BAR = 88
"""what the tabs and the address line of a browser take of a screen's height"""
GRID_ROW = 38
"""of a dashboard's grid, in pixels"""
SETTLE_SECONDS = 1.5

# Titles of panels that are still loading, and of those that could not be drawn.
_LOADING = "document.querySelectorAll('[aria-label=\"Panel loading bar\"], .panel-loading').length"
_PANELS = (
    "document.querySelectorAll('.react-grid-item canvas, .react-grid-item [role=table], "
    ".react-grid-item section').length"
)
_PROBLEMS = (
    '[...document.querySelectorAll(\'[aria-label="Panel status"], [aria-label="Panel header error"], '
    "[data-testid=\"data-testid Panel status error\"]')].map(e => e.closest('section, .panel-container')"
    "?.innerText.split('\\n')[0] ?? e.ariaLabel)"
)


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description="Make pictures of the dashboards in a running Grafana.")
    parser.add_argument("grafana", help="its URL, with anonymous access or NAME:PASSWORD@ in it")
    parser.add_argument("--page", action="append", choices=PAGES, help="may be repeated [default: all]")
    parser.add_argument("--full", action="store_true", help="the whole page, not the first screen")
    parser.add_argument("--dark", action="store_true", help="Grafana's dark theme")
    parser.add_argument("--from", dest="since", default="now-1h", help="where the time range begins")
    parser.add_argument("--to", dest="until", default="now", help="where it ends")
    parser.add_argument("--into", type=Path, default=IMAGES, help="the folder of the pictures")
    options = parser.parse_args()
    grafana = options.grafana.rstrip("/")
    try:
        with urlopen(f"{grafana}/api/health", timeout=10) as answer:
            version = json.load(answer)["version"]
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{grafana}: no Grafana answers ({error})")
    print(f"Grafana {version}")
    options.into.mkdir(parents=True, exist_ok=True)
    # Without the page's own refresh, which on a busy machine is never done.
    query = {"from": options.since, "to": options.until, "refresh": "1d"}
    query["theme"] = "dark" if options.dark else "light"
    failed = False
    for page in options.page or PAGES:
        name = page + ("-full" if options.full else "") + ("-dark" if options.dark else "")
        try:
            problems = take(
                f"{grafana}/d/{page}?{urlencode(query)}", options.into / f"{name}.png", options.full
            )
        except BrowserError as error:
            print(f"{page}: {error}", file=sys.stderr)
            failed = True
            continue
        print(options.into / f"{name}.png")
        for problem in problems:
            failed = True
            print(f"{page}: the panel {problem!r} could not be drawn", file=sys.stderr)
    return int(failed)


def take(url: str, out: Path, full: bool) -> list[str]:
    """Write the picture of a page; the titles of panels that could not be drawn."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        Browser(Path(folder) / "profile", WIDTH, HEIGHT) as browser,
    ):
        browser.screen(WIDTH, HEIGHT - BROWSER_BAR)
        browser.open(url)
        _wait(browser)
        if full:
            height = _open_rows(browser)
            browser.screen(WIDTH, height)
            # Only what is on the screen is asked for: the higher one asks for the rest.
            _wait(browser)
        problems: list[str] = browser.value(_PROBLEMS)
        out.write_bytes(smaller(browser.picture()))
        return problems


def smaller(png: bytes) -> bytes:
    """The picture in 256 colours, a third of its size; by octree, which keeps those of thin lines too."""
    written = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256, Image.Quantize.FASTOCTREE).save(
        written, "PNG", optimize=True
    )
    return written.getvalue()


def _wait(browser: Browser) -> None:
    """Until every panel in sight has drawn what it asked for."""
    browser.wait_for(_PANELS)
    time.sleep(SETTLE_SECONDS)
    browser.wait_for(_LOADING, lambda loading: loading == 0)
    time.sleep(SETTLE_SECONDS)


def _open_rows(browser: Browser) -> int:
    """Open what is collapsed; how high the page is then, in pixels."""
    browser.value(
        "[...document.querySelectorAll('.dashboard-row--collapsed .dashboard-row__title, "
        'button[aria-label="Expand row"]\')].forEach(row => row.click())'
    )
    time.sleep(SETTLE_SECONDS)
    return int(
        browser.value(
            "(() => { const grid = document.querySelector('.react-grid-layout');"
            " const top = grid.getBoundingClientRect().top;"
            " return Math.ceil(top + grid.scrollHeight + 40); })()"
        )
    )


if __name__ == "__main__":
    sys.exit(main())
