"""`soak backfill FOLDER` of somebody else's series.om.gz: a bound on everything, and one line of why."""

import gzip
import subprocess
import sys
import time
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from exporter.cli.main import soak
from exporter.errors import ConfigurationError
from exporter.results import recorded_series
from exporter.results.recorded_series import unpack

MIB = 1 << 20
NOW = round(time.time())
THEN = NOW - 86400
SAMPLE = f'up_to_now{{job="exporter",instance="a:1"}} 1 {THEN}.000\n'
END = "# EOF\n"


def sample(labels: str = "", value: str = "1", at: str = f"{THEN}.000") -> str:
    return f"a{{{labels}}} {value} {at}\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of a run; the temporary folder and the working directory lie beside it."""
    for name in ("run", "temporary"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "run"


def refusal(run: Path) -> str:
    """Why it is not loaded; nothing is left of the attempt."""
    with pytest.raises(ConfigurationError) as raised:
        soak.main(["backfill", "run", "--output", "data"], standalone_mode=False)
    assert list((run.parent / "temporary").iterdir()) == []
    assert not Path("data").exists()
    return str(raised.value)


HOSTILE = {
    "a line without an end": ("a" * 20_000, "a line of more than 17 KiB"),
    "a long label": (
        sample(f'x="{"a" * 2049}"'),
        "line 1: more than 64 labels, or one of more than 2,048 bytes",
    ),
    "many labels": (sample(",".join(f'l{i}="1"' for i in range(65))), "line 1: more than 64 labels"),
    "one label twice": (sample('x="1",x="2"'), "line 1: labels that cannot be read"),
    "labels in labels": (sample('x="1"},y{z="1"'), "line 1: labels that cannot be read"),
    "an open quote": (sample('x="'), "line 1: labels that cannot be read"),
    "another name": (sample('__name__="ALERTS"'), "line 1: a label that begins with __"),
    "no UTF-8": (b'a{x="\xff"} 1 1.0\n', "can't decode byte 0xff"),
    "two dots": (sample(at="1.2.3"), "line 1 is no sample"),
    "many digits": (sample(at="9" * 400), "line 1 is no sample"),
    "no time": ("a 1\n", "line 1 is no sample"),
    "an exemplar": (sample().rstrip("\n") + ' # {x="1"} 1\n', "line 1 is no sample"),
    "a carriage return": (sample().rstrip("\n") + "\r\n", "line 1 is no sample"),
    "an escape": (SAMPLE + "\x1b[2J\n", "line 2 is no sample"),
    "time 0": (sample(at="0.000") + SAMPLE, f"times from 0 to {THEN}; a run lasts a week"),
    "the future": (SAMPLE + sample(at=f"{NOW + 2 * 86400}"), f"times from {THEN} to {NOW + 2 * 86400}"),
    "ten days": (sample(at=f"{THEN - 10 * 86400}") + SAMPLE, f"times from {THEN - 10 * 86400} to {THEN}"),
    "nothing": ("", "no series of a run"),
    "comments": ("# HELP a b\n" * 1000, "no series of a run"),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_what_no_run_has_left_is_refused_in_a_line(run: Path, text: str | bytes, said: str) -> None:
    data = text if isinstance(text, bytes) else text.encode()
    (run / "series.om.gz").write_bytes(gzip.compress(data + END.encode()))
    why = refusal(run)
    assert said in why
    assert why.startswith("run/series.om.gz: ")
    assert why.isprintable()
    assert len(why) < 300


def test_a_file_that_is_damaged_or_cut_is_refused(run: Path) -> None:
    whole = bytearray(gzip.compress((SAMPLE * 1000 + END).encode()))
    damaged = whole.copy()
    damaged[len(damaged) // 2 :] = bytes(len(damaged) - len(damaged) // 2)
    for data in (whole[: len(whole) // 2], damaged, b"", b"plain text"):
        (run / "series.om.gz").write_bytes(data)
        assert "run/series.om.gz: " in refusal(run)
    (run / "series.om.gz").write_bytes(gzip.compress((SAMPLE * 1000).encode()))
    assert "it does not end with # EOF: some of it is missing" in refusal(run)


def test_series_and_scrapes_have_a_bound(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorded_series, "MAX_SERIES", 100)
    monkeypatch.setattr(recorded_series, "MAX_SCRAPES", 1000)
    many = "".join(sample(f'x="{i % 101}"') for i in range(1000))
    scrapes = f"exporter_build_info 1 {THEN}.000\n"
    for text, said in ((many, "more than 100 series"), (scrapes * 1001, "more than 1,000 scrapes")):
        (run / "series.om.gz").write_bytes(gzip.compress((text + END).encode()))
        assert said in refusal(run)
    at_most = "".join(sample(f'x="{i % 100}"') for i in range(1000))
    (run / "series.om.gz").write_bytes(gzip.compress((at_most + END).encode()))
    assert unpack(run / "series.om.gz", run / "text", NOW, 1 << 40) == (THEN, THEN)


def test_no_more_is_unpacked_than_there_is_room_for(run: Path) -> None:
    (run / "series.om.gz").write_bytes(gzip.compress((SAMPLE * 1000 + END).encode()))
    with pytest.raises(
        ConfigurationError, match="more than there is room for in the temporary folder; TMPDIR"
    ):
        unpack(run / "series.om.gz", run / "text", NOW, 1000)
    assert (run / "text").stat().st_size <= 1000


def bomb(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


BACKFILL = """
import resource, sys
from exporter.cli.main import main
resource.setrlimit(resource.RLIMIT_FSIZE, (160 << 20, 160 << 20))
sys.argv = ["soak", "backfill", "run", "--output", "data"]
try:
    main()
finally:
    text = open("/proc/self/status").read()
    print(int(text.partition("VmHWM:")[2].split()[0]) >> 10)
"""


@pytest.mark.parametrize(
    ("mebibytes", "piece", "said"),
    [
        (200, SAMPLE.encode() * (MIB // len(SAMPLE)), "it unpacks to more than 250 times its file"),
        (100, b"# \n" * (MIB // 3), "more than 100,000 comments"),
        (100, bytes(MIB), "a line of more than 17 KiB"),
    ],
    ids=["one sample", "comments", "zeros"],
)
def test_a_bomb_fills_neither_memory_nor_disk(run: Path, mebibytes: int, piece: bytes, said: str) -> None:
    with (run / "series.om.gz").open("wb") as file:
        file.writelines(bomb([piece] * mebibytes))
    assert (run / "series.om.gz").stat().st_size < MIB
    done = subprocess.run(
        [sys.executable, "-c", BACKFILL],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(run.parent / "temporary")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"soak: run/series.om.gz: not the series of a run ({said})\n"
    assert int(done.stdout) < 120
    assert list((run.parent / "temporary").iterdir()) == []
    assert not Path("data").exists()
