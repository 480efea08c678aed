"""On PYTHONPATH: a Python in which matplotlib, which is optional, is not installed."""

import sys

# The import system's own way of saying so: importing it raises, and nothing finds it.
sys.modules["matplotlib"] = None  # type: ignore[assignment]
