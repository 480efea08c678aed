"""prometheus.yml with a remote store: Prometheus merges no configuration files, so the whole of it again."""

from pathlib import Path

SHIPPED = Path(__file__).parents[1] / "prometheus.yml"
LAST_GLOBAL = "  evaluation_interval: 5s\n"
"""the line of prometheus.yml that the external labels come after"""


def values() -> dict[str, object]:
    """What the template is filled with; ValueError where prometheus.yml lacks the line to build on."""
    text = SHIPPED.read_text(encoding="utf-8")
    if text.count(LAST_GLOBAL) != 1:
        raise ValueError(f"{SHIPPED}: the line {LAST_GLOBAL.strip()!r} is not there exactly once")
    begin, rest = text.split(LAST_GLOBAL)
    return {"global_settings": begin + LAST_GLOBAL, "all_else": rest}
