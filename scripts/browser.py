"""Headless Chromium, driven by the DevTools protocol over a pipe: for tests of pages, and pictures of them.

Source: chromedevtools.github.io/devtools-protocol. With `--remote-debugging-pipe` the browser reads commands
from descriptor 3 and writes answers to 4, each one JSON and a NUL. Needs the standard library alone.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
TIMEOUT_SECONDS = 60.0
_LOOK_SECONDS = 0.1


class BrowserError(Exception):
    """What the browser refused, or did not do in time."""


def browser_program() -> str | None:
    """The first of PROGRAMS that is there."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


class Browser:
    """A browser with one page, from entering to leaving; its profile is in `folder`."""

    def __init__(self, folder: Path, width: int = 1280, height: int = 900) -> None:
        program = browser_program()
        if program is None:
            raise BrowserError("no Chromium: apt-get install chromium")
        self.problems: list[str] = []
        """what the page logged as an error, threw, or was forbidden by its Content-Security-Policy"""
        self._buffer = b""
        self._calls = 0
        reads, writes = os.pipe(), os.pipe()
        theirs = [fcntl.fcntl(fd, fcntl.F_DUPFD, 10) for fd in (reads[0], writes[1])]
        options = ["--headless=new", "--remote-debugging-pipe", f"--user-data-dir={folder}", "--no-first-run"]
        options += ["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--no-proxy-server"]
        options += ["--disable-background-networking", "--hide-scrollbars", f"--window-size={width},{height}"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, theirs[0], 3),
            (os.POSIX_SPAWN_DUP2, theirs[1], 4),
        ]
        self._pid = os.posix_spawn(
            program, [program, *options, "about:blank"], os.environ, file_actions=actions, setpgroup=0
        )
        for each in (reads[0], writes[1], *theirs):
            os.close(each)
        self._to, self._from = reads[1], writes[0]
        self._session: str | None = None

    def __enter__(self) -> Self:
        try:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
            self._session = attached["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Audits"):
                self.call(f"{domain}.enable")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        # Its group: the processes that it has started end with it.
        os.killpg(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._to)
        os.close(self._from)

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Do something; raises BrowserError where the browser does not."""
        self._calls += 1
        message = {"id": self._calls, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            answer = self._message(deadline)
            if answer.get("id") == self._calls:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']['message']}")
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def open(self, url: str) -> None:
        """Go to a page."""
        self.call("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What an expression comes to in the page, as JSON has it."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in found:
            raise BrowserError(f"{expression}: {found['exceptionDetails']['text']}")
        return found["result"].get("value")

    def wait_for(self, expression: str, holds: Callable[[Any], object] = bool) -> Any:
        """The value of an expression once it is as wanted."""
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while True:
            value = self.value(expression)
            if holds(value):
                return value
            if time.monotonic() > deadline:
                raise BrowserError(f"{expression} is {value!r} after {TIMEOUT_SECONDS:.0f} s")
            time.sleep(_LOOK_SECONDS)

    def screen(self, width: int, height: int, scale: float = 1.0, dark: bool = False) -> None:
        """The size of the screen in CSS pixels, and which colours its user prefers."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self) -> bytes:
        """The whole page as a PNG."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(found["data"])

    def _note(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Runtime.exceptionThrown":
                details = parameters["exceptionDetails"]
                self.problems.append(details.get("exception", {}).get("description") or details["text"])
            case "Log.entryAdded" if parameters["entry"]["level"] == "error":
                self.problems.append(parameters["entry"]["text"])
            case "Audits.issueAdded" if "contentSecurityPolicyIssueDetails" in parameters["issue"]["details"]:
                self.problems.append(json.dumps(parameters["issue"]["details"]))

    def _message(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._from], [], [], left)[0]:
                raise BrowserError(f"no answer within {TIMEOUT_SECONDS:.0f} s")
            part = os.read(self._from, 1 << 20)
            if not part:
                raise BrowserError("the browser has ended")
            self._buffer += part
        text, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(text)
        return found
