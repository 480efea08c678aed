"""exporter.run.plan: what run.json keeps of a plan."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import ConfigurationError
from exporter.live.message import Pair, Route
from exporter.load.stream.apis import Api
from exporter.load.stream.goodput import parse_goodput
from exporter.load.stream.schedule import Arrivals
from exporter.load.stream.shape import Asked, StreamShape
from exporter.load.workload import make_workload
from exporter.results.run_result import RunInputs
from exporter.run.plan import check_plan
from tests.support.run_plans import run_plan


def inputs(**workload: Any) -> RunInputs:
    made = make_workload("http://router:8080", "/v1/chat/completions", "m", **workload)
    return run_plan(workload=made).inputs


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


def test_at_least_one_request_for_each_connection_is_planned() -> None:
    with pytest.raises(ConfigurationError, match="--max-requests: 3 is less than one for each of 4 conn"):
        check_plan(run_plan(max_requests=3))


def test_the_planned_number_of_requests_is_kept() -> None:
    assert inputs().max_requests is None
    assert run_plan(max_requests=1000).inputs.max_requests == 1000


def test_a_key_in_the_path_is_neither_kept_nor_shown() -> None:
    workload = make_workload("http://router:8080", "/v1/chat?key=hunter2", "m")
    plan = run_plan(workload=workload)
    assert plan.inputs.endpoint == "/v1/chat?key=${SECRET_KEY}"
    assert "hunter2" not in plan.title


@pytest.mark.parametrize(
    ("rest", "seconds", "most", "stretches"),
    [
        (0.0, 61, None, [(61, 0, None)]),
        (0.0, 61, 101, [(61, 0, 101)]),
        (180.0, 60, None, [(30, 0, None), (30, 4, None)]),
        (180.0, 61, 101, [(31, 0, 51), (30, 4, 50)]),
    ],
)
def test_a_rest_parts_the_load_into_two_halves_with_workers_of_their_own(
    rest: float, seconds: int, most: int | None, stretches: list[tuple[int, int, int | None]]
) -> None:
    plan = run_plan(duration_seconds=seconds, rest_seconds=rest, max_requests=most)
    assert [(each.seconds, each.first_worker, each.max_requests) for each in plan.stretches] == stretches
    assert plan.info(0).starts == len(stretches)
    assert sum(each.seconds for each in plan.stretches) == seconds


def asked(pair: int, body: bytes, weight: float = 1.0, stream: bool = True) -> Asked:
    return Asked(pair, "/v1/chat/completions", body, weight, Api.CHAT, stream, choices=1)


PAIRS = (Pair(Route.LOCAL, "m"), Pair(Route.OPENAI, "openai:x"))
MIX = (asked(0, b"a", stream=False), asked(1, b"b", 2.5))


def test_every_pair_of_a_mix_and_what_is_good_are_announced() -> None:
    shape = StreamShape(MIX, PAIRS, goodput=parse_goodput("ttft < 1 s"))
    info = run_plan(shape=shape).info(0)
    assert info.pairs == PAIRS
    assert info.goodput == "ttft < 1 s"
    assert run_plan().info(0).pairs == (Pair(Route.LOCAL, "m"),)
    assert run_plan().info(0).goodput is None


def test_what_is_kept_of_an_open_load_of_streams() -> None:
    shape = StreamShape(MIX, PAIRS, rate=2.5, arrivals=Arrivals.POISSON, seed=9, abort_ratio=0.5, workers=2)
    plan = run_plan(shape=shape, prompts_file=Path("mix.jsonl"), max_output_tokens=7)
    kept = plan.inputs
    assert (kept.rate, kept.arrivals, kept.max_in_flight, kept.seed) == (2.5, "poisson", 4, 9)
    assert (kept.prompts_file, kept.requests_in_mix, kept.max_output_tokens) == ("mix.jsonl", 2, 7)
    assert (kept.abort_ratio, kept.workers, kept.complete_on, kept.timeout_seconds) == (0.5, 2, "finish", 600)
    assert kept.stream is True
    assert kept.body_sha256 == sha256(b"1 a\n2.5 b")
    assert plan.varies_prompts
    assert "2.5 requests/s (poisson), 4 in flight at most" in plan.title


def test_of_a_closed_load_and_of_another_engine_nothing_open_is_kept() -> None:
    kept = run_plan(shape=StreamShape((asked(0, b"a"),), PAIRS[:1])).inputs
    assert (kept.rate, kept.arrivals, kept.max_in_flight, kept.requests_in_mix) == (None, None, None, 1)
    kept = run_plan().inputs
    assert (kept.seed, kept.workers, kept.complete_on, kept.requests_in_mix) == (None, None, None, None)


def test_an_open_load_may_have_fewer_requests_than_it_may_have_in_flight(tmp_path: Path) -> None:
    shape = StreamShape((asked(0, b"a"),), PAIRS[:1], rate=1.0)
    plan = run_plan(shape=shape, max_requests=3, results=tmp_path)
    assert check_plan(plan).max_requests == 3


def test_workers_share_connections() -> None:
    shape = StreamShape((asked(0, b"a"),), PAIRS[:1], workers=5)
    with pytest.raises(ConfigurationError, match="--workers: 5 are more than --connections 4"):
        check_plan(run_plan(shape=shape))
    shape = StreamShape((asked(0, b"a"),), PAIRS[:1], workers=5, rate=1.0)
    with pytest.raises(ConfigurationError, match="--workers: 5 are more than --max-in-flight 4"):
        check_plan(run_plan(shape=shape))
