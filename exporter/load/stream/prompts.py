"""A mix of requests from a file of JSON lines (`--prompts FILE`).

    {"prompt": "Name three rivers.", "weight": 2, "model": "openai:gpt-4o", "max_tokens": 50}
    {"body": {"model": "m", "messages": […], "stream": true}, "endpoint": "/v1/messages"}

A line has a `prompt`, of which a body is made, or a `body`, which is sent as it is. `weight` is its share of
the requests (1), `endpoint` its path (`--endpoint`); beside a prompt `model` (`--model`), `max_tokens`
(`--max-output-tokens`) and `stream` (true).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from exporter.errors import ConfigurationError
from exporter.live.message import MAX_PAIRS, Pair, route_of
from exporter.load.stream.apis import api_of
from exporter.load.stream.request_body import choices_of, json_object, prompt_body
from exporter.load.stream.shape import Asked
from exporter.load.workload import MAX_SENT_BYTES, check_model, endpoint_at
from exporter.regular_file import read_regular
from exporter.settings.strict_yaml import Model, first_problem

MAX_LINES = 10_000
MAX_OUTPUT_TOKENS = 10_000_000


class _Line(Model):
    """One line of the file."""

    prompt: Annotated[str, Field(min_length=1, strict=True)] | None = None
    body: dict[str, Any] | None = None
    weight: Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False, strict=True)] = 1.0
    model: Annotated[str, Field(strict=True)] | None = None
    endpoint: Annotated[str, Field(strict=True)] | None = None
    max_tokens: Annotated[int, Field(ge=1, le=MAX_OUTPUT_TOKENS, strict=True)] | None = None
    stream: Annotated[bool, Field(strict=True)] | None = None


@dataclass(frozen=True)
class Asking:
    """What holds for a request that says nothing else."""

    target: str
    """as it was given: it may have the beginning of the path"""
    direct: str | None
    """the node that paired requests are sent to, as it was given"""
    endpoint: str
    model: str
    max_output_tokens: int | None = None


class Mix:
    """Kinds of requests, gathered one by one, with the pairs of route and model that they have."""

    def __init__(self, asking: Asking) -> None:
        self._asking = asking
        self.asked: list[Asked] = []
        self.pairs: list[Pair] = []

    def add(
        self, body: bytes, model: str, endpoint: str, where: str = "--endpoint", weight: float = 1.0
    ) -> None:
        """One kind of request; raises ConfigurationError naming `where` its endpoint is from."""
        pair = Pair(route_of(model), model)
        if pair not in self.pairs:
            self.pairs.append(pair)
        asking, document, api = self._asking, json_object(body), api_of(endpoint)
        self.asked.append(
            Asked(
                pair=self.pairs.index(pair),
                endpoint=endpoint_at(asking.target, endpoint, where),
                body=body,
                weight=weight,
                api=api,
                stream=document.get("stream") is True,
                choices=choices_of(api, document),
                direct_endpoint=endpoint_at(asking.direct, endpoint, where) if asking.direct else None,
            )
        )


def read_prompts(file: Path, asking: Asking) -> Mix:
    """The requests of a file; raises ConfigurationError naming it and the line that is wrong."""
    try:
        data = read_regular(file, MAX_SENT_BYTES)
    except OSError as error:
        raise ConfigurationError(f"--prompts: {file} cannot be read ({error.strerror})") from error
    mix = Mix(asking)
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not line.strip():
            continue
        where = f"--prompts: {file}, line {number}"
        if len(mix.asked) == MAX_LINES:
            raise ConfigurationError(f"{where}: more than {MAX_LINES:,} requests; give fewer")
        _add(mix, _parsed(line, where), asking, where)
        if len(mix.pairs) > MAX_PAIRS:
            raise ConfigurationError(
                f"{where}: a {len(mix.pairs)}th pair of route and model ({mix.pairs[-1].model!r}); a run has "
                f"{MAX_PAIRS} at most"
            )
    if not mix.asked:
        raise ConfigurationError(f'--prompts: {file} has no line like {{"prompt": "Name three rivers."}}')
    return mix


def _add(mix: Mix, line: _Line, asking: Asking, where: str) -> None:
    endpoint = line.endpoint or asking.endpoint
    if line.body is not None:
        if asking.max_output_tokens is not None:
            raise ConfigurationError(
                f"{where}: --max-output-tokens: a body is sent as it is; write its bound into it"
            )
        body = _sent(line.body, where)
        own = line.body.get("model")
        model = own if isinstance(own, str) and own else asking.model
        check_model(model, f"{where}: body.model")
    else:
        model = asking.model if line.model is None else line.model
        check_model(model, f"{where}: model")
        bound = line.max_tokens or asking.max_output_tokens
        is_stream = line.stream is not False
        body = prompt_body(api_of(endpoint), model, route_of(model), line.prompt or "", bound, is_stream)
    mix.add(body, model, endpoint, f"{where}: endpoint", line.weight)


def _parsed(text: bytes, where: str) -> _Line:
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except UnicodeDecodeError:
        raise ConfigurationError(f"{where}: not UTF-8 text") from None
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        raise ConfigurationError(f"{where}: not valid JSON ({why})") from None
    if not isinstance(document, dict):
        raise ConfigurationError(f'{where}: not a JSON object like {{"prompt": "Name three rivers."}}')
    try:
        line = _Line.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {first_problem(error)}") from None
    if (line.prompt is None) == (line.body is None):
        raise ConfigurationError(f"{where}: give either prompt or body")
    beside = next((key for key in ("model", "max_tokens", "stream") if document.get(key) is not None), None)
    if line.body is not None and beside is not None:
        raise ConfigurationError(f"{where}: {beside}: a body is sent as it is; write it into the body")
    return line


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice[:40]!r} is there twice")
    return document


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _sent(body: dict[str, Any], where: str) -> bytes:
    try:
        return json.dumps(body, allow_nan=False).encode()
    except ValueError:
        raise ConfigurationError(f"{where}: body: a number that is too large to be sent") from None
