"""Secrets as files that lie on no disk, for what reads files alone."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def memory_file(name: str, data: bytes) -> Iterator[int]:
    """A descriptor, without a name in any folder, whose file holds `data`; it ends with its last descriptor.

    Whoever has it may open `path_of` it, each time from the begin.
    """
    descriptor = os.memfd_create(name)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield descriptor
    finally:
        os.close(descriptor)


def path_of(descriptor: int) -> str:
    """Under which a process opens a descriptor of its own."""
    return f"/proc/self/fd/{descriptor}"
