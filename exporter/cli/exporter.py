"""The command that serves /metrics until it is ended: `soak exporter`."""

import os
from pathlib import Path

import click

from exporter.cli.command import FILE, RESULTS, SERVICE_CODES, GroupedCommand, opt, options
from exporter.cli.listen_address import listen_address
from exporter.cli.log_lines import LOG_FORMATS, LOG_LEVELS, set_up_logging
from exporter.cli.serve import serve_exporter
from exporter.errors import ConfigurationError
from exporter.exposition.allowed_hosts import is_host
from exporter.settings.exporter_config import default_config, load_config
from exporter.settings.watch import OWNER_VARIABLE

# click would check with access(2), which ignores capabilities; reading the file shows whether it can be read.
_CONFIGURATION = click.Path(path_type=Path, readable=False)


@click.command(cls=GroupedCommand, epilog=SERVICE_CODES)
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
