"""exporter.cli.stream_options: from options to the shape of a load, and what contradicts itself."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from exporter.cli.stream_options import StreamOptions, parse_rate, stream_load
from exporter.errors import ConfigurationError
from exporter.live.message import Pair, Route
from exporter.load.model_label import ModelSource
from exporter.load.stream.apis import Api
from exporter.load.stream.schedule import Arrivals
from exporter.load.stream.shape import StreamShape
from exporter.load.workload import Workload, make_workload

CHAT = "/v1/chat/completions"


def load(
    endpoint: str = CHAT,
    target: str = "http://h:81",
    connections: int | None = None,
    body_file: Path | None = None,
    script: Path | None = None,
    model: str = "m",
    **options: Any,
) -> tuple[Workload, StreamShape]:
    workload = make_workload(target, endpoint, model, body_file, script=script)
    return stream_load(
        StreamOptions(**options), workload, target, endpoint, body_file is not None, connections
    )


def refusal(**options: Any) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(**options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_without_any_option_the_default_body_asks_for_a_stream_in_a_closed_load() -> None:
    workload, shape = load()

    assert json.loads(workload.body)["stream"] is True
    assert json.loads(workload.body)["stream_options"] == {"include_usage": True}
    assert workload.streams
    [asked] = shape.asked
    assert (asked.endpoint, asked.body, asked.api, asked.stream) == (CHAT, workload.body, Api.CHAT, True)
    assert shape == StreamShape(shape.asked, (Pair(Route.LOCAL, "m"),), seed=1)


def test_a_given_body_is_sent_byte_for_byte(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b'{"model":"own",  "stream": false, "n": 3}\n')
    workload, shape = load(body_file=body)

    assert workload.body == shape.asked[0].body == body.read_bytes()
    assert (shape.asked[0].stream, shape.asked[0].choices) == (False, 3)
    assert shape.pairs == (Pair(Route.LOCAL, "own"),)


def test_every_option_reaches_the_shape() -> None:
    _, shape = load(
        rate="90/min",
        arrivals="poisson",
        max_in_flight=7,
        seed=9,
        abort_ratio=0.25,
        max_output_tokens=5,
        workers=3,
        complete_on="done",
        direct="http://node:8000/v1",
        hold_model="hold",
        goodput="ttft < 1 s",
        timeout="2m",
    )

    assert json.loads(shape.asked[0].body)["max_tokens"] == 5
    assert (shape.rate, shape.arrivals, shape.seed) == (1.5, Arrivals.POISSON, 9)
    assert (shape.abort_ratio, shape.workers, shape.complete_on_done) == (0.25, 3, True)
    assert (shape.direct, shape.hold_model) == ("http://node:8000", "hold")
    assert shape.goodput is not None
    assert shape.goodput.text == "ttft < 1 s"
    assert shape.timeout_seconds == 120.0


def test_the_path_at_a_node_is_without_the_prefix_of_the_router() -> None:
    workload, shape = load(target="http://h/llm/v1", direct="http://node:8000")

    assert workload.endpoint == shape.asked[0].endpoint == "/llm/v1/chat/completions"
    assert shape.asked[0].direct_endpoint == CHAT


def test_a_mix_stands_for_the_workload_by_its_first_line(tmp_path: Path) -> None:
    file = tmp_path / "mix.jsonl"
    file.write_text(
        '{"prompt": "a", "model": "openai:x", "endpoint": "/v1/responses"}\n{"prompt": "b", "weight": 3}'
    )
    workload, shape = load(prompts=file, model="anthropic:y")

    assert shape.pairs == (Pair(Route.OPENAI, "openai:x"), Pair(Route.ANTHROPIC, "anthropic:y"))
    assert (workload.model, workload.model_source) == ("openai:x", ModelSource.PROMPTS)
    assert (workload.endpoint, workload.body) == ("/v1/responses", shape.asked[0].body)
    assert [each.weight for each in shape.asked] == [1.0, 3.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arrivals": "poisson"}, "--arrivals: is about an open load; give --rate too"),
        ({"max_in_flight": 5}, "--max-in-flight: is about an open load; give --rate too"),
        ({"rate": "5/s", "connections": 20}, "--connections: is about a closed load"),
        ({"rate": "fast"}, "--rate: 'fast': give requests a second"),
        ({"goodput": "ttft"}, "--goodput: 'ttft' is not of the form"),
        ({"timeout": "90"}, "--timeout: '90': seconds or minutes?"),
        ({"direct": "node:8000"}, "--direct: 'node:8000' is not a URL"),
        ({"direct": "http://u:hunter2@node"}, "--direct: no user and password"),
        ({"direct": "http://node/api"}, "--direct: 'http://node/api' has a path"),
        ({"hold_model": ""}, "--hold-model: '' must be 1 to 128 printable characters"),
        ({"script": Path(__file__)}, "--script: a wrk script needs --engine wrk"),
        ({"prompts": Path("/missing.jsonl")}, "--prompts: /missing.jsonl cannot be read"),
    ],
)
def test_what_is_wrong_is_named_by_its_option(options: dict[str, Any], message: str) -> None:
    said = refusal(**options)

    assert said.startswith(message)
    assert "hunter2" not in said


@pytest.mark.parametrize("option", [{"max_output_tokens": 5}, {"prompts": Path("p.jsonl")}])
def test_a_given_body_is_not_changed_and_not_one_of_several(tmp_path: Path, option: dict[str, Any]) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"{}")
    name = next(iter(option)).replace("_", "-")

    assert refusal(body_file=body, **option) == f"--{name}: --body is sent byte for byte; give one of the two"


@pytest.mark.parametrize(
    ("text", "rate"),
    [("50/s", 50.0), ("50", 50.0), (".5 / s", 0.5), ("30/min", 0.5), ("1/h", 1 / 3600), ("6/m", 0.1)],
)
def test_a_rate(text: str, rate: float) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize("text", ["", "0/s", "-1/s", "1e9", "100001/s", "5/day", "5/s/s", "٣/s", "9" * 400])
def test_no_rate(text: str) -> None:
    with pytest.raises(ConfigurationError, match="--rate: "):
        parse_rate(text)


@pytest.mark.parametrize("name", [each.name for each in fields(StreamOptions)])
def test_an_option_that_was_given_is_named_as_it_is_typed(name: str) -> None:
    given: dict[str, Any] = {name: "x"}
    assert StreamOptions(**given).given == f"--{name.replace('_', '-')}"
    assert StreamOptions().given is None
