"""Where the files lie that the project ships beside its package: configuration, rules, dashboards, tools.

In a checkout they lie beside the package, in their folders; an installed wheel has them in a folder of the
package, under the same names (shipped_files.py has which, setup.py puts them there).
"""

from pathlib import Path

from exporter.errors import ConfigurationError

PACKAGE = Path(__file__).resolve().parents[1]
INSTALLED = PACKAGE / "shipped"
"""what setup.py makes in a wheel; a checkout has none"""
ROOT = INSTALLED if INSTALLED.is_dir() else PACKAGE.parent
"""the folder that has the shipped files by their names"""


def shipped(name: str, root: Path = ROOT) -> Path:
    """The shipped file or folder of that name; raises ConfigurationError where it is missing."""
    path = root / name
    if not path.exists():
        raise ConfigurationError(
            f"{path}: not found, and it is shipped; install the project anew (in a checkout: git restore)"
        )
    return path
