"""Real streams through a simulated router: each of its faults ends in the right finding and exit code."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.schemas import check_document
from tests.support.simulated_router import Simulator, running
from tests.support.soak_command import without_matplotlib

BODY = {
    "model": "gpt-oss:20b",
    "messages": [{"role": "user", "content": "say three words"}],
    "stream": True,
    "stream_options": {"include_usage": True},
}
CLOSED = ("--duration", "4s", "--connections", "16")
FIRST_TOKEN_SECONDS = 1.0
"""so long that a client on a busy machine is not late by a twentieth of it"""
Run = Callable[..., tuple[int, dict[str, Any], dict[str, dict[str, Any]]]]


@pytest.fixture(scope="module")
def router() -> Iterator[Simulator]:
    """One for all of them; whoever causes a fault ends it."""
    seconds = FIRST_TOKEN_SECONDS
    with running(
        latency_median_seconds=seconds,
        latency_p99_seconds=seconds,
        inter_token_seconds=0.01,
        output_tokens=30,
    ) as simulator:
        yield simulator


@pytest.fixture
def run(router: Simulator, tmp_path: Path) -> Iterator[Run]:
    """Runs a few seconds of streams: its exit code, run.json, and the findings by check."""
    body = tmp_path / "body.json"
    body.write_text(json.dumps(BODY), encoding="utf-8")

    def run(*options: str) -> tuple[int, dict[str, Any], dict[str, dict[str, Any]]]:
        command = [sys.executable, "-m", "exporter.cli", "run", "--json", "--engine", "stream"]
        command += ["--target", router.url, "--body", str(body), "--results", str(tmp_path / "results")]
        command += ["--warmup", "0s", "--drain", "1s", *(options or CLOSED)]
        done = subprocess.run(
            command,
            env=without_matplotlib(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.stdout, done.stderr
        document = json.loads(done.stdout)
        check_document(document)
        return done.returncode, document, {each["check"]: each for each in document["verdict"]["findings"]}

    yield run
    router.end()


def failed(findings: dict[str, dict[str, Any]], outcome: str = "fail") -> set[str]:
    return {check for check, finding in findings.items() if finding["outcome"] == outcome}


def test_clean_streams_pass_and_what_was_judged_of_them_is_told(router: Simulator, run: Run) -> None:
    own = (*CLOSED, "--goodput", "ttft < 60 s", "--p99", "60s")
    code, document, findings = run(*own)
    assert code == 0
    assert {findings[check]["outcome"] for check in ("answers", "disconnects", "streams", "buffering")} == {
        "pass"
    }
    streams = document["evidence"]["streams"]
    complete = streams["ends"]["complete"]
    assert complete >= 32
    # The request before the load is the router's alone; the load's end has cut none off.
    assert router.truth()["streams"]["complete"] - 1 == complete
    assert streams["output_tokens"] == 30 * complete
    assert streams["shaped_streams"] == complete
    assert streams["goodput_ratio"] == 1.0
    assert streams["time_to_first_token_seconds"]["0.5"] > FIRST_TOKEN_SECONDS
    assert (
        f"{complete:,} streams complete, {30 * complete:,} tokens; first token p50 1"
        in findings["streams"]["text"]
    )
    assert "goodput 100 % (ttft < 60 s)" in findings["streams"]["text"]
    assert "by the kernel's stamps" in findings["generator"]["text"]
    unjudged = {check for each in document["verdict"]["not_judged"] for check in each["checks"]}
    assert not unjudged & {"streams", "buffering"}


def test_streams_that_end_too_early_or_fall_silent_fail(router: Simulator, run: Run) -> None:
    router.begin("truncate_cleanly", ratio=0.3, after_tokens=5, done=True)
    router.begin("stall_stream", ratio=0.2, after_tokens=5)
    code, document, findings = run(*CLOSED, "--stall-after", "2s")
    assert code == 1
    assert failed(findings) >= {"streams", "disconnects"}
    ends = document["evidence"]["streams"]["ends"]
    assert ends["truncated"] and ends["stalled"]
    for check in ("streams", "disconnects"):
        assert f"truncated: {ends['truncated']}, stalled: {ends['stalled']}" in findings[check]["text"]
    failures = document["evidence"]["failures"]
    assert (failures["truncated"], failures["stalled"]) == (ends["truncated"], ends["stalled"])
    assert document["evidence"]["requests"]["2xx"] == ends["complete"]


def test_errors_inside_of_streams_fail_by_their_share_and_are_no_disconnects(
    router: Simulator, run: Run
) -> None:
    router.begin("in_band", ratio=0.4, after_tokens=3)
    code, document, findings = run()
    assert code == 1
    assert failed(findings) == {"answers"}
    in_band = document["evidence"]["streams"]["ends"]["in_band"]
    assert in_band
    assert f"in_band: {in_band} (an error inside an answer of status 2xx)" in findings["answers"]["text"]
    assert f"others in_band: {in_band};" in findings["streams"]["text"]


@pytest.mark.parametrize(
    ("options", "outcome", "code"),
    [((), "warning", 0), ((*CLOSED, "--require", "buffering,idle"), "fail", 1)],
)
def test_a_router_that_buffers_and_cuts_idle_connections_is_warned_of_unless_that_is_required(
    router: Simulator, run: Run, options: tuple[str, ...], outcome: str, code: int
) -> None:
    router.begin("buffer", ratio=1.0)
    router.begin("idle_cut", after_seconds=2, mode="rst")
    ended, document, findings = run(*options)
    assert failed(findings, outcome) == {"buffering", "idle"}
    assert ended == code
    shaped = document["evidence"]["streams"]["shaped_streams"]
    assert f"the router buffers: in {shaped} of {shaped} streams" in findings["buffering"]["text"]
    assert "the router cut an idle connection after 2" in findings["idle"]["text"]
    assert document["evidence"]["streams"]["long_seen"]["idle"]["how"] == "rst"


def test_an_open_load_that_the_router_cannot_keep_up_with_is_inconclusive_and_says_how_much_was_not_sent(
    run: Run,
) -> None:
    code, document, findings = run(
        "--rate", "20/s", "--max-in-flight", "8", "--duration", "3s", "--no-preflight"
    )
    assert code == 3
    assert failed(findings) == set()
    skipped = document["evidence"]["streams"]["skipped_requests"]
    complete = document["evidence"]["streams"]["ends"]["complete"]
    # All that was due is skipped, complete, or one of the eight that were in flight when the load ended.
    assert 60 - 8 <= skipped + complete <= 60
    assert skipped > complete > 0
    assert findings["completeness"]["outcome"] == "inconclusive"
    assert f"{skipped} requests that were due (" in findings["completeness"]["text"]
