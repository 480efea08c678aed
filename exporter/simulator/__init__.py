"""A simulated router with its nodes: the wire of a real one, and faults on command."""

from exporter.simulator.options import SimulatorOptions
from exporter.simulator.supervisor import serve

__all__ = ["SimulatorOptions", "serve"]
