"""Soak tests of an LLM router: load, live measurement, judgement."""

from importlib.metadata import version

__version__ = version("llm-router-soak")
