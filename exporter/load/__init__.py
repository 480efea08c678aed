"""Ways to send load; `ENGINES` lists them."""

from collections.abc import Mapping

from exporter.load.engine import LoadEngine
from exporter.load.hey import HeyEngine
from exporter.load.wrk import WrkEngine

ENGINES: Mapping[str, type[LoadEngine]] = {engine.name: engine for engine in (WrkEngine, HeyEngine)}
"""the engines by the name that `--engine` takes"""
