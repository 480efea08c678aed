"""Log lines on standard error, as the Prometheus exporters spell them."""

import json
import logging
import sys
from datetime import UTC, datetime

from exporter.plain_text import plain_json

LOG_LEVELS = ("debug", "info", "warn", "error")
LOG_FORMATS = ("logfmt", "json")


class _Formatter(logging.Formatter):
    def __init__(self, style: str) -> None:
        super().__init__()
        self._json = style == "json"

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": {"WARNING": "warn"}.get(record.levelname, record.levelname.lower()),
            "logger": record.name,
            "msg": record.getMessage(),
        }
        if record.exc_info:
            fields["err"] = repr(record.exc_info[1])
        if self._json:
            return plain_json(json.dumps(fields, ensure_ascii=False))
        return " ".join(f"{name}={_quoted(value)}" for name, value in fields.items())


def _quoted(value: str) -> str:
    plain = value.isprintable() and set(' "=').isdisjoint(value)
    return value if plain else plain_json(json.dumps(value, ensure_ascii=False))


def set_up_logging(level: str, style: str) -> None:
    """Send the root logger to standard error at `level` in `style`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(style))
    logging.basicConfig(level=level.upper().replace("WARN", "WARNING"), handlers=[handler], force=True)
