"""What exporters say that they watch."""

from typing import Any

from exporter.live.wire import VERSION
from exporter.settings.watch import Watch


def watch_of(**changes: Any) -> Watch:
    """An exporter of the router on port 8080 of its own machine, `watcher`; a test names what differs."""
    fields: dict[str, Any] = {
        "version": VERSION,
        "release": "1.0.0",
        "url": "http://127.0.0.1:8080",
        "also_known_as": (),
        "processes": (),
        "host": "watcher",
        "names": ("10.0.0.9",),
        "network": "of-the-watcher",
        "telemetry_path": "/metrics",
        "ingest_port": 9878,
        "owner": None,
    }
    return Watch(**{**fields, **changes})
