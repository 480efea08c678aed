"""A Prometheus, or a VictoriaMetrics, that scrapes what a test names, every second."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from exporter.stack.ports import HOST, free_ports
from exporter.stack.service import Service
from tests.support.checkout import CHECKOUT

PROGRAMS = {"prometheus": "prometheus", "victoria-metrics": "victoria-metrics"}
INTERVAL = "1s"


@contextmanager
def scraping(
    kind: str, targets: Mapping[str, Sequence[str]], folder: Path, prefix: Sequence[str] = ()
) -> Iterator[str]:
    """The URL of one that scrapes the targets of each job; Prometheus has the project's rules.

    `prefix` is put before its command.
    """
    folder.mkdir()
    address = f"{HOST}:{free_ports().prometheus}"
    config = folder / "scrape.yml"
    whole = {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL}
    document = {
        "global": whole,
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": list(each)}]} for job, each in targets.items()
        ],
    }
    if kind == "prometheus":
        whole["evaluation_interval"] = INTERVAL
        document["rule_files"] = [str(CHECKOUT / "prometheus" / "rules" / "*.yml")]
    config.write_text(yaml.safe_dump(document), encoding="utf-8")
    options = {
        "prometheus": [
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ],
        "victoria-metrics": [
            f"-promscrape.config={config}",
            f"-storageDataPath={folder / 'data'}",
            f"-httpListenAddr={address}",
            "-loggerLevel=WARN",
        ],
    }
    service = Service(kind, f"http://{address}", [*prefix, PROGRAMS[kind], *options[kind]], folder)
    try:
        service.wait_until_ready("/-/ready" if kind == "prometheus" else "/health")
        yield service.url
    finally:
        service.stop()
