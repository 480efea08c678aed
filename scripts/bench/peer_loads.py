"""One load of each peer at nginx's stream or its plain answer, and the figures that it leaves of it."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nginx_target import STREAM_ENDPOINT, STREAM_PREFIX, STREAM_TOKENS
from peers import TOKENIZER, Peer, run_peer

from exporter.errors import SoakError
from exporter.load.workload import DEFAULT_ENDPOINT, DEFAULT_MODEL

LOCUST_FILE = f"""
from locust import FastHttpUser, constant, task

class Chat(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        message = {{"role": "user", "content": "ping"}}
        self.client.post("{DEFAULT_ENDPOINT}", json={{"model": "{DEFAULT_MODEL}", "messages": [message]}})
"""


@dataclass(frozen=True)
class PeerRun:
    """What a peer says of its load."""

    requests_per_second: float
    first_token_seconds: float | None = None
    """median; None of plain answers"""


@dataclass(frozen=True)
class LoadAsked:
    """What each of them does."""

    url: str
    connections: int
    seconds: int
    streams: bool


def run_of(peer: Peer, asked: LoadAsked, hub: dict[str, str], folder: Path) -> PeerRun:
    """Its load; raises SoakError where it fails, any request of it failed or a figure is missing."""
    return _RUNS[peer.name](peer, asked, hub, folder)


def aiperf_words(asked: LoadAsked, folder: Path) -> list[str]:
    """Its command line, without its program; its files go to the folder."""
    words = ["profile", "--model", DEFAULT_MODEL, "--url", asked.url, "--endpoint-type", "chat"]
    words += ["--endpoint", STREAM_ENDPOINT if asked.streams else DEFAULT_ENDPOINT]
    words += ["--concurrency", str(asked.connections), "--benchmark-duration", str(asked.seconds)]
    words += ["--tokenizer", TOKENIZER, "--ui", "none", "--artifact-dir", str(folder)]
    words += ["--synthetic-input-tokens-mean", "8", "--output-tokens-mean", str(STREAM_TOKENS)]
    return words + (["--streaming"] if asked.streams else [])


def _aiperf(peer: Peer, asked: LoadAsked, hub: dict[str, str], folder: Path) -> PeerRun:
    run_peer(peer, aiperf_words(asked, folder), asked.seconds, folder, **hub)
    return parse_aiperf((folder / "profile_export_aiperf.json").read_text(encoding="utf-8"))


def parse_aiperf(text: str) -> PeerRun:
    """The figures of its profile_export_aiperf.json."""
    document = json.loads(text)
    _check("aiperf", int(_figure("aiperf", document, "error_request_count", "avg", default=0)))
    first = document.get("time_to_first_token")
    return PeerRun(
        _figure("aiperf", document, "request_throughput", "avg"),
        None if first is None else first["p50"] / 1e3,
    )


def guidellm_words(asked: LoadAsked, folder: Path) -> list[str]:
    """Its command line, without its program; its result goes to guidellm.json of the folder."""
    target = asked.url + (STREAM_PREFIX if asked.streams else "")
    backend = f"kind=openai_http,target={target},model={DEFAULT_MODEL},validate_backend=false"
    words = ["run", "--backend", backend]
    words += ["--profile", f"kind=concurrent,streams={asked.connections}"]
    words += ["--constraint", f"kind=max_duration,seconds={asked.seconds}"]
    words += ["--tokenizer", f"kind=hf_auto,model={TOKENIZER}"]
    words += ["--data", f"kind=synthetic_text,prompt_tokens=8,output_tokens={STREAM_TOKENS}"]
    return [*words, "--output", f"kind=json,path={folder / 'guidellm.json'}", "--disable-console"]


def _guidellm(peer: Peer, asked: LoadAsked, hub: dict[str, str], folder: Path) -> PeerRun:
    run_peer(peer, guidellm_words(asked, folder), asked.seconds, folder, **hub)
    return parse_guidellm((folder / "guidellm.json").read_text(encoding="utf-8"))


def parse_guidellm(text: str) -> PeerRun:
    """The figures of its benchmark's JSON; what was under way at the end is no error of it."""
    metrics = json.loads(text)["benchmarks"][0]["metrics"]
    _check("guidellm", metrics["request_totals"]["errored"])
    successful = _figure("guidellm", metrics["requests_per_second"], "successful", "mean")
    first = metrics["time_to_first_token_ms"]["successful"]
    return PeerRun(successful, first["percentiles"]["p50"] / 1e3)


def locust_words(asked: LoadAsked, folder: Path) -> list[str]:
    """Its command line, without its program; its file is written to the folder."""
    file = folder / "locustfile.py"
    file.write_text(LOCUST_FILE, encoding="ascii")
    users = str(asked.connections)
    words = ["-f", str(file), "--headless", "-u", users, "-r", users, "-t", f"{asked.seconds}s"]
    return [*words, "--host", asked.url]


def _locust(peer: Peer, asked: LoadAsked, hub: dict[str, str], folder: Path) -> PeerRun:
    del hub  # it knows no tokens
    words = [*locust_words(asked, folder), "--json", "--only-summary", "--skip-log"]
    return parse_locust(run_peer(peer, words, asked.seconds, folder))


def parse_locust(text: str) -> PeerRun:
    """The figures of what it prints with --json: the rate from the first request to the last."""
    rows = json.loads(text)
    _check("locust", sum(row["num_failures"] for row in rows))
    if len(rows) != 1 or not rows[0]["num_requests"]:
        raise SoakError("locust: it sent no requests")
    [row] = rows
    seconds = row["last_request_timestamp"] - row["start_time"]
    return PeerRun(row["num_requests"] / seconds)


def _figure(name: str, document: dict[str, Any], *path: str, default: float | None = None) -> float:
    found: Any = document
    for key in path:
        if default is not None and key not in found:
            return default
        found = found.get(key) if isinstance(found, dict) else None
    if not isinstance(found, int | float):
        raise SoakError(f"{name} left no {'.'.join(path)}")
    return float(found)


def _check(name: str, failed: int) -> None:
    if failed:
        raise SoakError(f"{name} had {failed} failures, so its figures say nothing")


_RUNS: dict[str, Callable[[Peer, LoadAsked, dict[str, str], Path], PeerRun]] = {
    "aiperf": _aiperf,
    "guidellm": _guidellm,
    "locust": _locust,
}
WORDS: dict[str, Callable[[LoadAsked, Path], list[str]]] = {
    "aiperf": aiperf_words,
    "guidellm": guidellm_words,
    "locust": locust_words,
}
