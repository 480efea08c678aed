"""A picture of a page, by headless Chromium (Debian package `chromium`).

`python scripts/take_screenshot.py PAGE OUT.png [--width 1100] [--height 1500] [--dark]`; PAGE is a file or a
URL.
"""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_SECONDS = 60
LEAST_WIDTH = 500
"""Chromium makes no narrower window; a narrower page is shown in a frame"""


def take(page: str, out: Path, width: int, height: int, dark: bool) -> None:
    """Write the picture; raises SystemExit with one line where that cannot be done."""
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("no Chromium is installed: apt install chromium")
    url = page if "://" in page else Path(page).resolve().as_uri()
    with tempfile.TemporaryDirectory() as folder:
        if width < LEAST_WIDTH:
            frame = Path(folder) / "frame.html"
            frame.write_text(
                f'<body style="margin:0"><iframe src="{url}" width="{width}" height="{height}" '
                'style="border:0"></iframe>',
                encoding="utf-8",
            )
            url = frame.as_uri()
        command = [
            program,
            "--headless",
            # As root it runs without, and the page is ours.
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            "--force-device-scale-factor=1",
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            f"--screenshot={out.resolve()}",
            *(["--blink-settings=preferredColorScheme=0"] if dark else []),
            url,
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False)
    if done.returncode or not out.exists():
        raise SystemExit(f"{program} took no picture (exit code {done.returncode})")


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
