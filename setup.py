"""What pyproject.toml cannot say: a wheel has the files beside the package too, as `exporter/shipped`.

The checkout stays the one place of each. An editable install has no copies, and needs none.
"""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT))
from exporter.settings.shipped_files import shipped_files  # noqa: E402  (found by the line above)


class BuildWithShippedFiles(build_py):
    """build_py, and then a copy of each shipped file under the package that was built."""

    def run(self) -> None:
        """Build; raises FileNotFoundError where a file that belongs to it is missing."""
        super().run()
        if self.editable_mode:
            return
        # What an earlier build has left in the same folder would go into the wheel.
        shutil.rmtree(self._folder(), ignore_errors=True)
        for name in shipped_files(ROOT):
            target = self._folder() / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution has to hold."""
        return sorted({*super().get_source_files(), *shipped_files(ROOT)})

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """What was built."""
        copied = [] if self.editable_mode else [str(self._folder() / name) for name in shipped_files(ROOT)]
        return [*super().get_outputs(include_bytecode), *copied]

    def _folder(self) -> Path:
        return Path(self.build_lib) / "exporter" / "shipped"


setup(cmdclass={"build_py": BuildWithShippedFiles})
