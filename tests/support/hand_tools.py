"""The hand tools as a user types their commands, and a server that keeps what wrk sent it."""

import os
import re
import subprocess
import time

from exporter.run.router_metrics import PATHS
from exporter.stack.native import NativeStack
from tests.support.checkout import CHECKOUT
from tests.support.local_http import Answer, Asked, LocalHttp

TOOLS = CHECKOUT / "scripts" / "benchmarks"
FIXTURES = CHECKOUT / "tests" / "fixtures"
COLUMNS = "label,rps,p50_ms,p75_ms,p90_ms,p95_ms,p99_ms,non2xx,socket_errors,requests,duration_s"
CHAT = "/v1/chat/completions"
PING = [{"role": "user", "content": "ping"}]

USER_SCRIPT = """
local calls = 0
function setup(thread) thread:set("from_setup", "set up") end
function init(arguments) from_init = table.concat(arguments, ",") end
function request()
  calls = calls + 1
  return wrk.format("PUT", "/mine", { ["X-Setup"] = from_setup, ["X-Init"] = from_init }, "of the script")
end
function response(status, headers, body) answered = (answered or 0) + 1 end
function delay() return 1 end
function done(summary, latency, requests) print("script: " .. summary.requests) end
"""


def typed(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a user types, in the checkout, with nothing of this test's Python environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        cwd=CHECKOUT,
        env={**kept, "SOAK_EXPORTER": "", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def start(router: NativeStack, command: str, **environment: str) -> subprocess.Popen[str]:
    """The same with the router as wrk's target, not waited for, in a process group of its own."""
    return subprocess.Popen(
        # Tests in the background ignore SIGINT, and bash cannot trap what was ignored at its start.
        ["env", "--default-signal=INT", "bash", "-c", command],
        cwd=CHECKOUT,
        env={"PATH": os.environ["PATH"], "WRK_TARGET": router.ports.url("router"), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def requests_of(output: str) -> int:
    """The count in wrk's line "N requests in …"."""
    [count] = re.findall(r"(\d+) requests in ", output)
    return int(count)


def answer_slowly(_asked: Asked) -> Answer:
    """Some hundred answers a second are enough to be looked at."""
    time.sleep(0.005)
    return 200, {}


class Recorder(LocalHttp):
    """A server that answers 200 and keeps what it was sent."""

    def __init__(self) -> None:
        super().__init__(answer_slowly)

    @property
    def seen(self) -> list[tuple[str, str, dict[str, str], bytes]]:
        """Method, path, headers (by their lower-case names) and body of every request of a load.

        What a run asks of the router's own metrics beside it is none.
        """
        return [
            (each.method, each.path, {key.lower(): value for key, value in each.headers.items()}, each.body)
            for each in self.asked
            if each.path not in PATHS
        ]

    def run(self, command: str = "scripts/benchmarks/run_wrk.sh -t1 -c1 -d1s", **environment: str) -> str:
        """run_wrk.sh against this server; its output."""
        done = typed(command, **{"WRK_TARGET": self.url, **environment})
        assert (done.returncode, done.stderr) == (0, ""), done
        assert self.asked
        return done.stdout

    def only(self) -> tuple[str, str, dict[str, str], bytes]:
        """The one kind of request that was sent."""
        first, *others = self.seen
        assert all(each == first for each in others), others[:3]
        return first
