"""Where the files lie that the project ships beside the package: configuration, rules and dashboards."""

from pathlib import Path

from exporter.errors import ConfigurationError

CHECKOUT = Path(__file__).resolve().parents[2]


def shipped(name: str, checkout: Path = CHECKOUT) -> Path:
    """The shipped file or folder of that name; raises ConfigurationError where it is missing."""
    path = checkout / name
    if not path.exists():
        raise ConfigurationError(f"{path}: not found; run this from a checkout of the project")
    return path
