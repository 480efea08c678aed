"""exporter.run.plan: what run.json keeps of a plan."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from exporter.load.workload import make_workload
from exporter.load.wrk import WrkEngine
from exporter.results.run_result import RunInputs
from exporter.run.plan import RunPlan
from exporter.settings.router_api import RouterApi


def inputs(**workload: Any) -> RunInputs:
    return RunPlan(
        command="run",
        soak_command="soak run",
        workload=make_workload("http://router:8080", "/v1/chat/completions", "m", **workload),
        router=RouterApi(url="http://router:8080"),
        engine=WrkEngine(),
        scenario="local",
        label="nightly",
        connections=4,
        duration_seconds=60,
        drain_seconds=10.0,
        stall_after_seconds=30.0,
        results=Path("results"),
    ).inputs


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("body", "stream"),
    [
        (b'{"model":"m","stream":true}', True),
        (b'{"model":"m","stream":false}', False),
        (b'{"model":"m","stream":"true"}', False),
        (b'{"model":"m"}', False),
        (b"no json", False),
        (b"[]", False),
    ],
)
def test_a_body_is_kept_as_its_digest_and_whether_it_asks_for_a_stream(
    tmp_path: Path, body: bytes, stream: bool
) -> None:
    file = tmp_path / "body.json"
    file.write_bytes(body)
    kept = inputs(body_file=file)
    assert (kept.body_sha256, kept.stream, kept.script_sha256) == (sha256(body), stream, None)


def test_where_a_script_decides_what_is_sent_the_script_is_kept_as_its_digest(tmp_path: Path) -> None:
    script = tmp_path / "chat.lua"
    script.write_text("wrk.method = 'POST'\n", encoding="utf-8")
    kept = inputs(script=script)
    assert (kept.body_sha256, kept.stream) == (None, None)
    assert kept.script_sha256 == sha256(script.read_bytes())
