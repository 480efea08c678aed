"""exporter.regular_file: what is no regular file is named, and nobody waits for it."""

import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.regular_file import open_regular, read_regular


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


MADE: dict[str, Callable[[Path], object]] = {
    "a FIFO, not a regular file": os.mkfifo,
    "a socket, not a regular file": listening,
    "a device, not a regular file": lambda path: path.symlink_to("/dev/zero"),
    "Is a directory": Path.mkdir,
    "No such file or directory": lambda _: None,
    "Too many levels of symbolic links": lambda path: path.symlink_to(path),
}


@pytest.mark.parametrize("why", MADE)
def test_what_is_no_regular_file_is_refused_by_what_it_is(
    tmp_path: Path, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    path = Path("named")
    MADE[why](path)
    with pytest.raises(OSError, match=re.escape(why)) as raised:
        open_regular(path)
    assert (raised.value.strerror, raised.value.filename) == (why, "named")


def test_one_that_takes_the_files_place_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, fifo = tmp_path / "file", tmp_path / "fifo"
    file.write_bytes(b"text")
    os.mkfifo(fifo)
    found = file.stat()
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    monkeypatch.setattr(Path, "stat", lambda *_, **__: found)
    with pytest.raises(OSError, match="a FIFO, not a regular file"):
        open_regular(fifo)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_link_is_followed_where_it_may_be(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_bytes(b"text")
    link.symlink_to(file)
    assert read_regular(link, 4) == b"text"
    with pytest.raises(OSError, match="a link, not a regular file"):
        read_regular(link, 4, follow_links=False)


def test_no_more_than_so_many_bytes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with file.open("wb") as stream:
        stream.truncate(1 << 40)
    with pytest.raises(OSError, match="more than 1,000 bytes"):
        read_regular(file, 1000)
