"""The commands that serve until they are ended: `soak exporter`, `soak simulate`."""

import sys
from pathlib import Path

import click

from exporter.cli.command import BAD_USAGE, GroupedCommand, exit_codes, grouped
from exporter.cli.serve import listen_address, serve_exporter
from exporter.errors import ConfigurationError
from exporter.log import LOG_FORMATS, LOG_LEVELS, set_up_logging
from exporter.settings.exporter_config import default_config, load_config
from exporter.settings.strict_yaml import read_secret
from exporter.simulator.options import Generation, SimulatorOptions
from exporter.simulator.supervisor import serve as serve_simulator

_CODES = exit_codes({0: "ended by SIGTERM or Ctrl-C", 2: BAD_USAGE})
# Whether it can be read is seen on reading: access(2), which click would ask, does not know of capabilities.
_CONFIGURATION = click.Path(path_type=Path, readable=False)


@click.command(cls=GroupedCommand, epilog=_CODES)
@grouped(
    "Web",
    "--web.listen-address",
    "web",
    default="127.0.0.1:9877",
    show_default=True,
    metavar="HOST:PORT",
    help="Where /metrics is served.",
)
@grouped(
    "Web",
    "--web.telemetry-path",
    "telemetry_path",
    default="/metrics",
    show_default=True,
    help="Path of the metrics.",
)
@grouped(
    "Web",
    "--web.config.file",
    "web_config",
    type=_CONFIGURATION,
    metavar="FILE",
    help="TLS, client certificates and passwords, in the Prometheus exporter-toolkit's format.",
)
@grouped(
    "Runs",
    "--ingest.listen-address",
    "ingest",
    default="127.0.0.1:9878",
    show_default=True,
    metavar="HOST:PORT",
    help="UDP address that load engines report to; empty: none, no runs are taken (an agent).",
)
@grouped(
    "Runs",
    "--ingest.state-file",
    "state_path",
    metavar="FILE",
    help="Where published counters are kept over a restart "
    "[default: ~/.local/state/llm-router-soak/ingest-PORT.json; empty: nowhere].",
)
@grouped(
    "What is watched",
    "--config",
    "config_file",
    type=_CONFIGURATION,
    metavar="FILE",
    help="YAML of what to watch [default: the router at ROUTER_URL or http://127.0.0.1:8080, and this host].",
)
@grouped(
    "What is watched",
    "--path.rootfs",
    "host_root",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="The host's root directory as it is seen from here, in place of the configuration's host_root.",
)
@grouped(
    "Runs",
    "--results.folder",
    "results",
    type=click.Path(path_type=Path),
    default=Path("benchmarks/results"),
    show_default=True,
    help="Folder whose results files become benchmark_result_*; it need not exist yet.",
)
@grouped("Log", "--log.level", "level", type=click.Choice(LOG_LEVELS), default="info", show_default=True)
@grouped(
    "Log", "--log.format", "log_format", type=click.Choice(LOG_FORMATS), default="logfmt", show_default=True
)
def exporter(
    web: str,
    telemetry_path: str,
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
    )


@click.command(cls=GroupedCommand, epilog=_CODES)
@grouped("Router", "--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@grouped("Router", "--port", type=click.IntRange(1, 65535), default=8080, show_default=True)
@grouped(
    "Router", "--nodes", type=click.IntRange(1, 1000), default=2, show_default=True, help="Simulated nodes."
)
@grouped(
    "Router",
    "--generation",
    type=click.Choice([generation.value for generation in Generation]),
    default=Generation.FIRST.value,
    show_default=True,
    help="Of the router's API: the open dashboard, or endpoints for the API key.",
)
@grouped("Answers", "--latency-median", type=float, default=0.020, show_default=True, metavar="SECONDS")
@grouped(
    "Answers",
    "--latency-p99",
    type=float,
    default=0.060,
    show_default=True,
    metavar="SECONDS",
    help="Equal to the median: every request takes exactly that long.",
)
@grouped("Answers", "--seed", type=int, default=1, show_default=True, help="Decides every random draw.")
@grouped(
    "Keys", "--api-key-env", metavar="NAME", help="Environment variable with the key that /v1/* then wants."
)
@grouped("Keys", "--cloud-keys", is_flag=True, help="Treat the key of every cloud as present.")
def simulate(
    host: str,
    port: int,
    nodes: int,
    generation: str,
    latency_median: float,
    latency_p99: float,
    seed: int,
    api_key_env: str | None,
    cloud_keys: bool,
) -> None:
    """Serve a simulated router with simulated nodes, and faults on command.

    \b
    soak simulate --nodes 3 --latency-median 0.2
    curl -X PUT localhost:8080/admin/faults/drop_connections -d '{"ratio": 0.01, "mode": "rst"}'
    curl localhost:8080/admin/faults
    curl -X DELETE localhost:8080/admin/faults
    """
    options = SimulatorOptions(
        host=host,
        port=port,
        nodes=nodes,
        generation=Generation(generation),
        latency_median_seconds=latency_median,
        latency_p99_seconds=latency_p99,
        seed=seed,
        api_key=read_secret(api_key_env, None),
        cloud_keys=cloud_keys,
    )
    sys.exit(serve_simulator(options))
