"""collectors.process.process: what of a process is read whole, what may not be read, and what never is."""

import ast
from pathlib import Path

import pytest

import exporter
from exporter.collectors.procfs import ProcFs
from tests.support.fake_proc import FakeProc, fake_proc, scrape, watch

proc = pytest.fixture(fake_proc)


def test_a_record_longer_than_one_read_is_whole(tmp_path: Path) -> None:
    groups = "Groups:\t" + "100000 " * 20_000
    (tmp_path / "status").write_text(f"{groups}\nThreads:\t1\n", encoding="ascii")
    assert ProcFs(tmp_path).read_record("status") == f"{groups}\nThreads:\t1\n"


def forbid(monkeypatch: pytest.MonkeyPatch, method: str, ending: str) -> None:
    real = getattr(ProcFs, method)

    def refuse(self: ProcFs, path: str, *min_bytes: int) -> object:
        if path.endswith(ending) or ("/fd/" in path and ending == "/fd/*"):
            raise PermissionError(13, "Permission denied")
        return real(self, path, *min_bytes)

    monkeypatch.setattr(ProcFs, method, refuse)


def test_what_may_not_be_read_is_absent_and_the_rest_is_there(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10)
    everything = scrape(watch(proc, name="router")).keys()
    for method, ending, missing in (
        ("read", "/io", ("read_bytes", "write_bytes")),
        ("read", "/limits", ("max_fds",)),
        ("names", "/fd", ("open_fds", "connections", "written_files_bytes")),
        ("link", "/fd/*", ("connections", "written_files_bytes")),
    ):
        with monkeypatch.context() as patch:
            forbid(patch, method, ending)
            found = scrape(watch(proc, name="router"))
        assert everything - found.keys() == {name for name in everything if name.startswith(missing)}


def test_the_io_of_a_tree_of_which_one_may_not_be_read_is_absent(
    proc: FakeProc, monkeypatch: pytest.MonkeyPatch
) -> None:
    proc.process(10, io=(5, 5))
    proc.process(11, parent=10, comm="setuid")
    forbid(monkeypatch, "read", "11/io")
    found = scrape(watch(proc, name="router"))
    assert "read_bytes_total" not in found
    assert found["threads"] == 2


def test_of_more_threads_than_are_worth_reading_the_switches_are_absent(proc: FakeProc) -> None:
    proc.process(10, threads=257, switches=(1, 1))
    found = scrape(watch(proc, name="router"))
    assert found["threads"] == 257
    assert "context_switches_total{voluntary}" not in found


def test_a_process_whose_smaps_cannot_be_opened_is_read_in_full(proc: FakeProc) -> None:
    proc.process(10)
    whole = scrape(watch(proc, name="router"))
    for name in ("smaps", "smaps_rollup", "task/10/smaps"):
        (proc.root / "10" / name).mkdir()  # opening it to read is an error
    assert scrape(watch(proc, name="router")) == whole


def test_nothing_in_the_source_reads_smaps() -> None:
    """Neither by its name nor through psutil, which reads it for memory_full_info and memory_maps."""
    problems = []
    for path in sorted(Path(exporter.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        spoken = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant | ast.Attribute):
                continue
            text = node.value if isinstance(node, ast.Constant) and id(node) not in spoken else None
            used = node.attr if isinstance(node, ast.Attribute) else None
            if used in ("memory_full_info", "memory_maps", "memory_footprint") or "smaps" in str(text):
                problems.append(f"{path}:{node.lineno}")
    assert problems == []
