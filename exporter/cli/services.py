"""The commands that serve until they are ended: `soak exporter`, `soak simulate`."""

import os
import sys
from pathlib import Path
from typing import Any

import click

from exporter.cli.command import (
    BAD_USAGE,
    FILE,
    RESULTS,
    GroupedCommand,
    exit_codes,
    opt,
    option_group,
    options,
)
from exporter.cli.log_lines import LOG_FORMATS, LOG_LEVELS, set_up_logging
from exporter.cli.serve import listen_address, serve_exporter
from exporter.errors import ConfigurationError
from exporter.exposition.allowed_hosts import is_host
from exporter.settings.exporter_config import default_config, load_config
from exporter.settings.strict_yaml import read_secret
from exporter.settings.watch import OWNER_VARIABLE
from exporter.simulator.options import Generation, SimulatorOptions
from exporter.simulator.supervisor import serve as serve_simulator

_CODES = exit_codes({0: "ended by SIGTERM or Ctrl-C", 2: BAD_USAGE})
# click would check with access(2), which ignores capabilities; reading the file shows whether it can be read.
_CONFIGURATION = click.Path(path_type=Path, readable=False)


@click.command(cls=GroupedCommand, epilog=_CODES)
@options(
    "Web",
    opt("--web.listen-address HOST:PORT", "Where /metrics is served.", "web", default="127.0.0.1:9877"),
    opt("--web.telemetry-path", "Path of the metrics.", "telemetry_path", default="/metrics"),
    opt(
        "--web.allowed-host HOST",
        "Another name or address that runs may be announced to; may be given again "
        "[loopback and, where it listens beyond that, this machine's own always may].",
        "allowed_hosts",
        multiple=True,
    ),
    opt(
        "--web.config.file FILE",
        "TLS, client certificates and passwords, in the Prometheus exporter-toolkit's format.",
        "web_config",
        type=_CONFIGURATION,
    ),
)
@options(
    "Runs",
    opt(
        "--ingest.listen-address HOST:PORT",
        "UDP address that load engines report to; empty: none, no runs are taken (an agent).",
        "ingest",
        default="127.0.0.1:9878",
    ),
    opt(
        "--ingest.state-file FILE",
        "Where published counters are kept over a restart "
        "[default: ~/.local/state/llm-router-soak/ingest-PORT.json; empty: nowhere].",
        "state_path",
    ),
    opt(
        "--results.folder",
        "Folder whose results files become benchmark_result_*; it need not exist yet.",
        "results",
        type=FILE,
        default=RESULTS,
    ),
)
@options(
    "What is watched",
    opt(
        "--config FILE",
        "YAML of what to watch [default: the router at ROUTER_URL or http://127.0.0.1:8080, and this host].",
        "config_file",
        type=_CONFIGURATION,
    ),
    opt(
        "--path.rootfs FOLDER",
        "The host's root directory as it is seen from here, in place of the configuration's host_root.",
        "host_root",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
    ),
)
@options(
    "Log",
    opt("--log.level", None, "level", type=click.Choice(LOG_LEVELS), default="info"),
    opt("--log.format", None, "log_format", type=click.Choice(LOG_FORMATS), default="logfmt"),
)
def exporter(
    web: str,
    telemetry_path: str,
    allowed_hosts: tuple[str, ...],
    web_config: Path | None,
    ingest: str,
    state_path: str | None,
    config_file: Path | None,
    host_root: Path | None,
    results: Path,
    level: str,
    log_format: str,
) -> None:
    """Serve /metrics: the running benchmark, the router's process and API, and this host.

    \b
    soak exporter
    ROUTER_URL=http://router:8080 soak exporter --config watch.yml --web.listen-address :9877
    """
    set_up_logging(level, log_format)
    if not telemetry_path.startswith("/") or telemetry_path == "/":
        raise ConfigurationError(f"--web.telemetry-path: {telemetry_path!r} must be a path like /metrics")
    for host in allowed_hosts:
        if not is_host(host):
            raise ConfigurationError(f"--web.allowed-host: {host!r} is no name or address (without a port)")
    config = load_config(config_file) if config_file else default_config()
    if host_root is not None:
        config = config.model_copy(update={"host_root": host_root})
    serve_exporter(
        config=config,
        web=listen_address(web, "--web.listen-address"),
        ingest_address=listen_address(ingest, "--ingest.listen-address") if ingest else None,
        state_path=state_path,
        results=results,
        telemetry_path=telemetry_path,
        web_config_file=web_config,
        allowed_hosts=allowed_hosts,
        # Set by `soak run` for an exporter of its own; a secret, so no option.
        owner=os.environ.get(OWNER_VARIABLE) or None,
    )


def _simulator_options(
    generation: str, api_key_env: str | None, node_pace: str | None, **fields: Any
) -> SimulatorOptions:
    key = read_secret(api_key_env, None)
    paces = () if node_pace is None else _paces(node_pace)
    return SimulatorOptions(generation=Generation(generation), api_key=key, node_paces=paces, **fields)


def _paces(text: str) -> tuple[float, ...]:
    try:
        return tuple(map(float, text.split(",")))
    except ValueError as error:
        raise ConfigurationError(
            f"--node-pace: {text!r} must be numbers separated by commas, like 1,2.5"
        ) from error


@click.command(cls=GroupedCommand, epilog=_CODES)
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
        default=0.005,
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
