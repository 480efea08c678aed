"""The bodies of requests: the ones made of a prompt, and what a given one asks for."""

import json
from collections.abc import Mapping
from typing import Any

from exporter.live.message import Route
from exporter.load.stream.apis import Api

DEFAULT_PROMPT = "Count from 1 to 50, one number a line."
"""long enough for a stream, and the same length each time"""
MESSAGES_MAX_TOKENS = 1024
"""of an Anthropic message where nothing is said: that API takes no request without a bound"""
MAX_CHOICES = 128


def prompt_body(
    api: Api, model: str, route: Route, prompt: str, max_output_tokens: int | None, stream: bool = True
) -> bytes:
    """The JSON of a request that asks `model` this prompt, with the bound in the field of that API."""
    body: dict[str, Any] = {"model": model}
    if api == Api.COMPLETIONS:
        body["prompt"] = prompt
    elif api == Api.RESPONSES:
        body["input"] = prompt
    else:
        body["messages"] = [{"role": "user", "content": prompt}]
    if api == Api.MESSAGES and max_output_tokens is None:
        max_output_tokens = MESSAGES_MAX_TOKENS
    if max_output_tokens is not None:
        body[_bound_field(api, route)] = max_output_tokens
    body["stream"] = stream
    if stream and api in (Api.CHAT, Api.COMPLETIONS):
        body["stream_options"] = {"include_usage": True}
    return json.dumps(body).encode()


def _bound_field(api: Api, route: Route) -> str:
    if api == Api.RESPONSES:
        return "max_output_tokens"
    # OpenAI's newer models refuse max_tokens; other servers may not know the new name.
    return "max_completion_tokens" if api == Api.CHAT and route == Route.OPENAI else "max_tokens"


def json_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object that a body is; empty where it is none."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def choices_of(api: Api, body: Mapping[str, Any]) -> int:
    """How many answers a body asks for at once: each of them has a finish of its own."""
    if api not in (Api.CHAT, Api.COMPLETIONS):
        return 1
    number, prompt = body.get("n"), body.get("prompt")
    choices = number if type(number) is int and 1 <= number <= MAX_CHOICES else 1
    # A list of prompts, as texts or as lists of tokens, has answers for each; a list of tokens is one.
    if api == Api.COMPLETIONS and isinstance(prompt, list) and prompt and not isinstance(prompt[0], int):
        choices *= len(prompt)
    return choices
