"""Texts that are compared with a file under tests/golden/, to the last character."""

from pathlib import Path

import pytest


def compare_golden(path: Path, text: str, update: bool) -> None:
    """Fails where the file is another text or missing; with `update` it is rewritten, and that fails too.

    A run that has rewritten what it compares with has compared nothing.
    """
    if update:
        path.write_text(text, encoding="utf-8")
        pytest.fail(f"{path.name} was rewritten; read its diff, then run again without --update-golden")
    if not path.exists():
        pytest.fail(f"{path.name} is missing; write it with --update-golden and read it")
    assert text.splitlines() == path.read_text(encoding="utf-8").splitlines()
