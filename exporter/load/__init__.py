"""Load engines: what sends requests and reports what became of each.

An engine is its file in this folder and one line in ENGINES.
"""

from collections.abc import Mapping
from types import MappingProxyType

from exporter.load.engine import LoadEngine
from exporter.load.hey import HeyEngine
from exporter.load.stream import StreamEngine
from exporter.load.wrk import WrkEngine

_ENGINES: tuple[type[LoadEngine], ...] = (WrkEngine, HeyEngine, StreamEngine)
ENGINES: Mapping[str, type[LoadEngine]] = MappingProxyType({engine.name: engine for engine in _ENGINES})
"""by the name that `--engine` takes"""
