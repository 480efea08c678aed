"""exporter.settings.memory_file: a file of no folder, read by its descriptor."""

import os
import subprocess
from pathlib import Path

import pytest

from exporter.settings.memory_file import memory_file, path_of


def test_it_is_read_from_the_begin_each_time_also_by_a_child_that_inherits_it() -> None:
    with memory_file("test", b"hunter2") as descriptor:
        assert [Path(path_of(descriptor)).read_bytes() for _ in range(2)] == [b"hunter2"] * 2
        said = subprocess.run(
            ["cat", path_of(descriptor), path_of(descriptor)],
            pass_fds=(descriptor,),
            capture_output=True,
            check=True,
        )
        assert said.stdout == b"hunter2hunter2"
        assert not Path(path_of(descriptor)).readlink().exists()
    with pytest.raises(OSError, match="descriptor"):
        os.fstat(descriptor)
