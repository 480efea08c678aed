"""Make the pictures of the live page in docs/images: a real run against the simulated router, with faults.

    python scripts/picture_live.py [--minutes 12]

Needs chromium, prometheus and wrk. The run has a burst of errors, so that there is something to see.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests
from browser import Browser

from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
PICTURES = (
    ("live.png", 1280, 900, 1.0, False),
    ("live-dark.png", 1280, 900, 1.0, True),
    ("live-phone.png", 390, 844, 1.5, False),
)
"""name, width and height in CSS pixels, how many pixels each is, dark"""


def fault(stack: NativeStack, name: str, **parameters: object) -> None:
    """Begin a fault."""
    answer = requests.put(f"{stack.ports.url('router')}/admin/faults/{name}", json=parameters, timeout=10)
    answer.raise_for_status()


def end_faults(stack: NativeStack) -> None:
    """End all faults."""
    requests.delete(f"{stack.ports.url('router')}/admin/faults", timeout=10).raise_for_status()


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(description="Make the pictures of the live page in docs/images.")
    parser.add_argument("--minutes", type=float, default=12.0, help="of the load that they show")
    parser.add_argument("--into", type=Path, default=IMAGES, help="the folder of the pictures")
    options = parser.parse_args()
    seconds = options.minutes * 60
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        NativeStack(free_ports()) as stack,
    ):
        stack.start_simulator("--latency-median", "0.020", "--latency-p99", "0.060")
        stack.start_exporter()
        stack.start_alertmanager()
        stack.start_prometheus()
        run = subprocess.Popen(
            [
                *(sys.executable, "-P", "-m", "exporter.cli", "run", "--target", stack.ports.url("router")),
                *("--exporter", stack.ports.url("exporter"), "--prometheus", stack.ports.url("prometheus")),
                *("--duration", f"{seconds * 1.3:.0f}s", "--label", "nightly", "--results", folder),
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            time.sleep(seconds * 0.45)
            fault(stack, "error", status=502, ratio=0.3)
            time.sleep(seconds * 0.1)
            end_faults(stack)
            time.sleep(seconds * 0.45)
            with Browser(Path(folder) / "browser") as browser:
                take(browser, stack.ports.url("exporter"), options.into)
        finally:
            run.terminate()
            run.wait()


def take(browser: Browser, exporter: str, into: Path) -> None:
    """The pictures of an exporter's page as it is now."""
    for name, width, height, scale, dark in PICTURES:
        browser.screen(width, height, scale, dark)
        browser.open(f"{exporter}/live")
        browser.wait_for("document.querySelectorAll('.plot canvas').length > 3")
        browser.wait_for("document.getElementById('stream').textContent", lambda text: "live" in text)
        whole = browser.value("document.documentElement.scrollHeight")
        browser.screen(width, whole, scale, dark)
        time.sleep(1)
        (into / name).write_bytes(browser.picture())
    if browser.problems:
        sys.exit(f"the page has problems: {browser.problems}")


if __name__ == "__main__":
    main()
