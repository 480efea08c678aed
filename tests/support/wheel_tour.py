"""What a user of the wheel does, from a folder that has an `exporter` of its own; what came of it, as JSON.

Run as a script, in the current folder, by a Python with the standard library alone: `soak` is on the PATH.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

HOSTILE = "raise SystemExit('an exporter of somebody else')\n"
READY_SECONDS = 60.0


def main() -> None:
    """The tour, with nothing on the PATH but what is installed with `soak`: no Prometheus, no wrk."""
    os.environ["PATH"] = str(Path(shutil.which("soak") or "soak").parent)
    os.environ["XDG_STATE_HOME"] = str(Path.cwd() / "state")
    for name in ("exporter/__init__.py", "results.py", "queries.py"):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(HOSTILE, encoding="utf-8")
    said = {
        "version": soak("--version"),
        "files": soak("files", "laid-out"),
        "files again": soak("files", "laid-out"),
        "rules check": soak("rules", "check"),
        "rules check of what is laid out": soak("rules", "check", "--folder", "laid-out"),
        "rules render": soak("rules", "render"),
        "rules with links": soak("rules", "--runbook-base", "https://watch.example:9877/runbook"),
        "dashboards check": soak("dashboards", "check"),
        "completion": soak("--show-completion", "zsh"),
        **used(),
        "report": soak("report", *results("results")),
        "summary by hand": ended(
            sys.executable,
            *("-S", "-I", "laid-out/scripts/benchmarks/summarize_csv.py"),
            *map(str, Path("results").glob("*.csv")),
        ),
        "demo": demo(),
    }
    places = ended(sys.executable, "-P", "-c", PLACES)
    print(json.dumps({"said": said, "places": json.loads(places["output"]), "pages": PAGES}))


PLACES = """
import json, exporter, llm_router_soak
from exporter.settings.shipped import ROOT, shipped
print(json.dumps([exporter.__file__, llm_router_soak.__file__, str(ROOT), str(shipped("prometheus/rules"))]))
"""
PAGES: dict[str, int] = {}
"""of the exporter of `soak up`, to how long they are"""


def soak(*arguments: str, **environment: str) -> dict[str, Any]:
    """`soak` to its end."""
    return ended(shutil.which("soak") or "soak", *arguments, **environment)


def ended(*command: str, **environment: str) -> dict[str, Any]:
    """A command to its end."""
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False, timeout=120
    )
    return {"code": done.returncode, "output": done.stdout, "errors": done.stderr}


def used() -> dict[str, dict[str, Any]]:
    """`soak up` for a simulated router, a short run that finds it, and its end."""
    router, web, ingest = (free_port() for _ in range(3))
    url = f"http://127.0.0.1:{router}"
    with subprocess.Popen(["soak", "simulate", "--port", str(router)]) as simulator:
        try:
            wait_for(f"{url}/v1/models")
            ports = ["--exporter-port", str(web), "--ingest-port", str(ingest)]
            said = {"up": soak("up", "--detach", "--target", url, *ports)}
            for page in ("/metrics", "/live", "/runbook/RouterDown"):
                PAGES[page] = wait_for(f"http://127.0.0.1:{web}{page}")
            load = ["--engine", "stream", "--duration", "3s", "--drain", "1s", "--label", "toured"]
            said["run"] = soak("run", "--target", url, "--results", "results", *load)
            return {**said, "status": soak("status"), "down": soak("down")}
        finally:
            simulator.terminate()


def demo() -> dict[str, Any]:
    """A short demo, on free ports."""
    ports = [f"--{name}-port={free_port()}" for name in ("router", "exporter", "ingest")]
    return soak("demo", "--results", "of-the-demo", "--drain", "1s", *ports, DURATION="3s")


def results(folder: str) -> list[str]:
    """The folders of the runs in there."""
    return [str(path.parent) for path in Path(folder).glob("*/run.json")]


def wait_for(url: str) -> int:
    """How long the page is, once it is answered."""
    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urlopen(url, timeout=10) as answer:
                return len(answer.read())
        except (URLError, ConnectionError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


if __name__ == "__main__":
    main()
