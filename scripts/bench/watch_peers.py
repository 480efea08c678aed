"""`soak watch` around load tools from PyPI: each on a router that is well, then on one that fails.

The verdict has to be a pass, then a fail, by what the router has counted, whatever the tool says of itself.
The tools are installed into .venv/peers where they are not yet (several GB, but for locust).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import requests
from peer_loads import WORDS, LoadAsked
from peers import NAMES, Peer, installed, lay_out_tokenizer

from exporter.stack.native import NativeStack
from exporter.stack.ports import free_ports

CHECKOUT = Path(__file__).parents[2]
CONNECTIONS, SECONDS = 4, 12
DRAIN = "11s"
"""two scrapes and more: the router's counters are those of the scrape before"""


@dataclass(frozen=True)
class Watched:
    """What a watch around one tool came to."""

    exit_code: int
    outcome: str
    requests: float
    failures: float
    command: int
    """the tool's own exit code"""
    why: str

    @property
    def line(self) -> str:
        """For people."""
        counted = f"the router counted {self.requests:,.0f} requests, {self.failures:,.0f} failed"
        return f"{self.outcome} (exit code {self.exit_code}; the tool's {self.command}), {counted}{self.why}"


def main() -> int:
    """Watch each tool twice; 0 where every verdict is the right one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", default=",".join(NAMES), help="which, by commas [default: %(default)s]")
    chosen = parser.parse_args().peers.split(",")
    if unknown := set(chosen) - set(NAMES):
        parser.error(f"--peers: {', '.join(sorted(unknown))}: none of {', '.join(NAMES)}")
    peers, missing = installed(CHECKOUT, chosen)
    for name, why in missing.items():
        print(f"{name}: cannot be had: {why}")
    wrong = len(missing)
    with tempfile.TemporaryDirectory() as folder, NativeStack(free_ports()) as stack:
        hub = lay_out_tokenizer(Path(folder) / "hub")
        stack.start_simulator("--latency-median", "0.02", "--token-gap", "0.002")
        url = stack.ports.url("router")
        for peer in peers:
            for wanted in ("pass", "fail"):
                fault = f"{url}/admin/faults/error"
                if wanted == "fail":
                    requests.put(fault, json={"ratio": 0.3, "status": 502}, timeout=5).raise_for_status()
                found = _watch(peer, url, hub, Path(folder) / f"{peer.name}-{wanted}")
                requests.delete(fault, timeout=5).raise_for_status()
                right = found.outcome == wanted
                wrong += not right
                print(f"{'ok ' if right else 'NOT'} {peer.name} {peer.version}: {found.line}", flush=True)
    return 1 if wrong else 0


def _watch(peer: Peer, url: str, hub: dict[str, str], folder: Path) -> Watched:
    folder.mkdir()
    asked = LoadAsked(url, CONNECTIONS, SECONDS, streams=False)
    command = [sys.executable, "-m", "exporter.cli", "watch", "--json", "--target", url, "--drain", DRAIN]
    command += ["--results", str(folder / "results"), "--", str(peer.program)]
    done = subprocess.run(
        [*command, *WORDS[peer.name](asked, folder)],
        env={**os.environ, **hub},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if not done.stdout:
        said = done.stderr.strip().splitlines()[-1:]
        return Watched(done.returncode, "no verdict", 0, 0, 0, f": {' '.join(said)}")
    document = json.loads(done.stdout)
    known, verdict = document["evidence"], document["verdict"]
    traffic = known["traffic"] or {"requests": 0, "failures": 0}
    end = known["command_end"] or {"exit_code": 0}
    why = [
        f"{each['check']}: {each['text']}"
        for each in verdict["findings"]
        if each["outcome"] == verdict["outcome"] != "pass"
    ]
    return Watched(
        done.returncode,
        verdict["outcome"],
        traffic["requests"],
        traffic["failures"] or 0,
        end["exit_code"],
        f"; {'; '.join(why)}" if why else "",
    )


if __name__ == "__main__":
    sys.exit(main())
