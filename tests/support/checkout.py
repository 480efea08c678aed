"""Where the project's own files lie."""

from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FIXTURES = CHECKOUT / "tests" / "fixtures"
GOLDEN = CHECKOUT / "tests" / "golden"
HAND_TOOLS = CHECKOUT / "scripts" / "benchmarks"
