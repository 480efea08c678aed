"""The options of the streaming engine, and the shape of the load that they make."""

import math
import re
from dataclasses import dataclass, fields, replace
from pathlib import Path

import click

from exporter.cli.command import FILE, opt, option_group
from exporter.errors import ConfigurationError
from exporter.live.message import MAX_CONNECTIONS
from exporter.load.model_label import ModelSource
from exporter.load.stream.apis import api_of
from exporter.load.stream.goodput import EXAMPLE, parse_goodput
from exporter.load.stream.prompts import MAX_OUTPUT_TOKENS, Asking, Mix, read_prompts
from exporter.load.stream.request_body import DEFAULT_PROMPT, prompt_body
from exporter.load.stream.schedule import Arrivals
from exporter.load.stream.shape import DEFAULT_TIMEOUT_SECONDS, MAX_WORKERS, StreamShape
from exporter.load.workload import Workload, check_model, server_parts
from exporter.settings.strict_yaml import parse_duration

DEFAULT_SEED = 1
MAX_SEED = 2**63 - 1
MAX_RATE = 100_000.0
_RATE = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)\s*(?:/\s*(?P<unit>s|min|m|h))?", re.ASCII)
_SECONDS = {"s": 1, "min": 60, "m": 60, "h": 3600}
FINISH, DONE = "finish", "done"


@dataclass(frozen=True)
class StreamOptions:
    """What the streaming engine alone can do; None is what was not given."""

    rate: str | None = None
    arrivals: str | None = None
    max_in_flight: int | None = None
    prompts: Path | None = None
    seed: int | None = None
    abort_ratio: float | None = None
    max_output_tokens: int | None = None
    workers: int | None = None
    complete_on: str | None = None
    direct: str | None = None
    hold_model: str | None = None
    goodput: str | None = None
    timeout: str | None = None

    @property
    def given(self) -> str | None:
        """The first option that was given."""
        names = (each.name for each in fields(self) if getattr(self, each.name) is not None)
        return next((f"--{name.replace('_', '-')}" for name in names), None)


stream_options = option_group(
    "Streams (--engine stream)",
    "stream",
    StreamOptions,
    opt(
        "--rate N/s",
        "Open load: send so many requests a second whatever becomes of them; latency counts from when each "
        "was to be sent [default: closed load, --connections].",
    ),
    opt(
        "--arrivals",
        "With --rate: evenly spread, or as users who do not know of each other [default: constant].",
        type=click.Choice([each.value for each in Arrivals]),
    ),
    opt(
        "--max-in-flight N",
        f"With --rate: what would be more in flight is not sent, and counted [default: {MAX_CONNECTIONS}].",
        type=click.IntRange(1, MAX_CONNECTIONS),
    ),
    opt(
        "--prompts FILE",
        'A weighted mix, JSON lines: {"prompt": "…", "weight": 2, "model": "…", "endpoint": "/v1/messages", '
        '"max_tokens": 50} or {"body": {…}}.',
        type=FILE,
    ),
    opt(
        "--max-output-tokens N",
        "The longest answer that is asked for, in the API's own field: a bound on the cost.",
        type=click.IntRange(1, MAX_OUTPUT_TOKENS),
    ),
    opt(
        "--abort-ratio RATIO",
        "Leave this share of the streams in their midst, as users do; 0.1 is a tenth.",
        type=click.FloatRange(0, 1),
    ),
    opt(
        "--seed N",
        f"Of the mix, of Poisson arrivals and of aborts [default: {DEFAULT_SEED}].",
        type=click.IntRange(0, MAX_SEED),
    ),
    opt(
        "--complete-on",
        "What completes a stream: its finish reason, or [DONE] alone, for a server that never sends a "
        "reason [default: finish].",
        type=click.Choice([FINISH, DONE]),
    ),
    opt("--timeout TIME", f"How long an attempt may take [default: {DEFAULT_TIMEOUT_SECONDS:.0f}s]."),
    opt(
        "--workers N",
        "Processes that share the load, where one core is not enough [default: 1].",
        type=click.IntRange(1, MAX_WORKERS),
    ),
    opt("--goodput EXPR", f"Which streams are good, like '{EXAMPLE}': their share is shown."),
    opt(
        "--direct URL",
        "A node behind the router: paired requests go both ways, and the difference is the router's.",
    ),
    opt(
        "--hold-model NAME",
        "A model that holds silent streams (`soak simulate` has one): which silence survives the router.",
    ),
)


def stream_load(
    options: StreamOptions,
    workload: Workload,
    target: str,
    endpoint: str,
    has_body: bool,
    connections: int | None,
) -> tuple[Workload, StreamShape]:
    """The workload as the streaming engine sends it, with the first request of a mix, and its shape.

    `target` and `endpoint` are as they were given, `connections` too: None where they were not. `has_body`:
    the workload's is from a file. Raises ConfigurationError where options contradict each other or cannot
    be read.
    """
    if workload.script is not None:
        raise ConfigurationError("--script: a wrk script needs --engine wrk")
    rate = _rate(options, connections)
    if has_body:
        for value, option in (
            (options.prompts, "--prompts"),
            (options.max_output_tokens, "--max-output-tokens"),
        ):
            if value is not None:
                raise ConfigurationError(f"{option}: --body is sent byte for byte; give one of the two")
    asking = Asking(target, options.direct, endpoint, workload.model, options.max_output_tokens)
    direct = None
    if options.direct is not None:
        parts = server_parts(options.direct, "--direct")
        direct = f"{parts.scheme}://{parts.netloc}"
    if options.prompts is not None:
        mix = read_prompts(options.prompts, asking)
        first = mix.asked[0]
        workload = replace(
            workload,
            endpoint=first.endpoint,
            model=mix.pairs[first.pair].model,
            body=first.body,
            model_source=ModelSource.PROMPTS,
        )
    else:
        if not has_body:
            api, bound = api_of(endpoint), options.max_output_tokens
            body = prompt_body(api, workload.model, workload.route, DEFAULT_PROMPT, bound)
            workload = replace(workload, body=body)
        mix = Mix(asking)
        mix.add(workload.body, workload.model, endpoint)
    return workload, _shape(options, mix, rate, direct)


def _shape(options: StreamOptions, mix: Mix, rate: float | None, direct: str | None) -> StreamShape:
    if options.hold_model is not None:
        check_model(options.hold_model, "--hold-model")
    timeout = DEFAULT_TIMEOUT_SECONDS
    if options.timeout is not None:
        timeout = float(parse_duration(options.timeout, "--timeout"))
    return StreamShape(
        asked=tuple(mix.asked),
        pairs=tuple(mix.pairs),
        rate=rate,
        arrivals=Arrivals(options.arrivals or Arrivals.CONSTANT),
        seed=DEFAULT_SEED if options.seed is None else options.seed,
        abort_ratio=options.abort_ratio or 0.0,
        workers=options.workers or 1,
        complete_on_done=options.complete_on == DONE,
        direct=direct,
        hold_model=options.hold_model,
        goodput=None if options.goodput is None else parse_goodput(options.goodput),
        timeout_seconds=timeout,
    )


def _rate(options: StreamOptions, connections: int | None) -> float | None:
    """Requests a second; None for a closed load, to which no option of an open one was given."""
    if options.rate is None:
        for value, option in (
            (options.arrivals, "--arrivals"),
            (options.max_in_flight, "--max-in-flight"),
        ):
            if value is not None:
                raise ConfigurationError(
                    f"{option}: is about an open load; give --rate too, like --rate 50/s"
                )
        return None
    if connections is not None:
        raise ConfigurationError(
            "--connections: is about a closed load; with --rate the requests in flight are as many as there "
            "are, --max-in-flight at most"
        )
    return parse_rate(options.rate)


def parse_rate(text: str) -> float:
    """Requests a second of `50/s`, `50`, `30/min`; raises ConfigurationError."""
    match = _RATE.fullmatch(text.strip())
    if match is None:
        raise ConfigurationError(f"--rate: {text!r}: give requests a second, like 50/s, 0.5/s or 30/min")
    rate = float(match["number"]) / _SECONDS[match["unit"] or "s"]
    if not math.isfinite(rate) or not 1e-4 <= rate <= MAX_RATE:
        raise ConfigurationError(f"--rate: {text!r}: from 1/h to {MAX_RATE:,.0f}/s are possible")
    return rate
