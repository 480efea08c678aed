"""A picture of a page, by headless Chromium (Debian package `chromium`).

`python scripts/take_screenshot.py PAGE OUT.png [--width 1100] [--height 1500] [--dark]`; PAGE is a file or a
URL.
"""

import argparse
import tempfile
from pathlib import Path

from browser import Browser, BrowserError


def take(page: str, out: Path, width: int, height: int, dark: bool) -> None:
    """Write the picture; raises SystemExit with one line where that cannot be done."""
    url = page if "://" in page else Path(page).resolve().as_uri()
    try:
        with (
            tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
            Browser(Path(folder) / "profile") as browser,
        ):
            browser.screen(width, height, dark=dark)
            browser.open(url)
            browser.wait_for("document.readyState", lambda state: state == "complete")
            out.write_bytes(browser.picture())
    except BrowserError as error:
        raise SystemExit(f"no picture of {page}: {error}") from error


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Take a picture of a page by headless Chromium.")
    parser.add_argument("page", help="a file or a URL")
    parser.add_argument("out", type=Path, help="the picture (.png)")
    parser.add_argument("--width", type=int, default=1100)
    parser.add_argument("--height", type=int, default=1500)
    parser.add_argument("--dark", action="store_true", help="as a reader who prefers dark pages sees it")
    given = parser.parse_args()
    take(given.page, given.out, given.width, given.height, given.dark)
    print(given.out)


if __name__ == "__main__":
    main()
