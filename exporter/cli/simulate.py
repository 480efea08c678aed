"""The command that serves a simulated router until it is ended: `soak simulate`."""

import sys
from typing import Any

import click

from exporter.cli.command import SERVICE_CODES, GroupedCommand, opt, option_group
from exporter.errors import ConfigurationError
from exporter.settings.strict_yaml import read_secret
from exporter.simulator.options import Generation, SimulatorOptions
from exporter.simulator.supervisor import serve as serve_simulator


def _simulator_options(
    generation: str, api_key_env: str | None, password_env: str | None, node_pace: str | None, **fields: Any
) -> SimulatorOptions:
    key = read_secret(api_key_env, None)
    password = read_secret(password_env, None, "password")
    paces = () if node_pace is None else _paces(node_pace)
    return SimulatorOptions(
        generation=Generation(generation), api_key=key, password=password, node_paces=paces, **fields
    )


def _paces(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise ConfigurationError(
            f"--node-pace: {text!r} must be numbers separated by commas, like 1,2.5"
        ) from error


@click.command(cls=GroupedCommand, epilog=SERVICE_CODES)
@option_group(
    "Router",
    "chosen",
    _simulator_options,
    opt("--host", "Address to listen on.", default="127.0.0.1"),
    opt("--port", type=click.IntRange(1, 65535), default=8080),
    opt("--nodes", "Simulated nodes.", type=click.IntRange(1, 1000), default=2),
    opt(
        "--generation",
        "Of the router's API: the open dashboard, or endpoints for the API key.",
        type=click.Choice([generation.value for generation in Generation]),
        default=Generation.FIRST.value,
    ),
    opt("--node-port PORT", "Where node-1 is reached past the router.", type=click.IntRange(1, 65535)),
    opt(
        "--node-pace FACTORS",
        "How many times as long node-1, node-2, … take, by commas.",
        show_default="all 1",
    ),
    opt(
        "--router-overhead SECONDS",
        "Of the latency: node-1 asked past the router answers so much earlier.",
        "router_overhead_seconds",
        default=0.002,
    ),
    opt(
        "--latency-median SECONDS",
        "To the answer, or to the first token of a stream.",
        "latency_median_seconds",
        default=0.020,
        group="Answers",
    ),
    opt(
        "--latency-p99 SECONDS",
        "Equal to the median: every request takes exactly that long.",
        "latency_p99_seconds",
        default=0.060,
        group="Answers",
    ),
    opt(
        "--token-gap SECONDS",
        "Between two tokens of a stream.",
        "inter_token_seconds",
        default=0.030,
        group="Answers",
    ),
    opt("--output-tokens N", "Of an answer without a limit.", default=32, group="Answers"),
    opt(
        "--reasoning-tokens N",
        "Before an answer whose request names no effort.",
        default=0,
        group="Answers",
    ),
    opt("--tokens-per-event N", "Of a stream.", default=1, group="Answers"),
    opt(
        "--heartbeat SECONDS",
        "A silent stream gets a comment this often [none].",
        "heartbeat_seconds",
        default=0.0,
        show_default=False,
        group="Answers",
    ),
    opt("--seed", "Decides every random draw.", default=1, group="Answers"),
    opt("--api-key-env NAME", "Environment variable with the key that /v1/* then wants.", group="Keys"),
    opt("--user NAME", "Who can log in at /api/auth/login.", group="Keys"),
    opt("--password-env NAME", "Environment variable with that user's password.", group="Keys"),
    opt(
        "--token-lifetime SECONDS",
        "Of the token that a login gives.",
        "token_lifetime_seconds",
        default=86400.0,
        group="Keys",
    ),
    opt("--cloud-keys", "Treat the key of every cloud as present.", is_flag=True, group="Keys"),
)
def simulate(chosen: SimulatorOptions) -> None:
    """Serve a simulated router with simulated nodes, and faults on command.

    \b
    soak simulate --nodes 3 --latency-median 0.2
    curl -X PUT localhost:8080/admin/faults/drop_connections -d '{"ratio": 0.01, "mode": "rst"}'
    curl localhost:8080/admin/faults
    curl -X DELETE localhost:8080/admin/faults
    """
    sys.exit(serve_simulator(chosen))
