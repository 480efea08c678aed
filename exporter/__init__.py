"""Soak tests of an LLM router: load, live measurement, judgement."""

__version__ = "0.1.0"
