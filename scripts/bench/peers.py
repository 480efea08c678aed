"""The load tools that the streaming engine is held against: from PyPI, each in a venv of its own.

Their dependencies exclude each other, and none of them is one of this project's.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exporter.errors import SoakError
from exporter.load.child import end_with_parent

FOLDER = Path(".venv") / "peers"
"""below the checkout"""
NAMES = ("aiperf", "guidellm", "locust")
INSTALL_SECONDS = 1200
START_SECONDS = 240.0
"""until a peer has loaded what it needs and begun, and for what it writes at its end"""
COMMIT = "0" * 40
TOKENIZER = "tok/mini"
_TOKENIZER: dict[str, Any] = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": None,
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "the": 1, "word": 2}, "unk_token": "<unk>"},
}


@dataclass(frozen=True)
class Peer:
    """One that is installed."""

    name: str
    program: Path
    version: str


def installed(checkout: Path, names: Iterable[str] = NAMES) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can be had, installed where they are not yet, and why the others cannot."""
    found, missing = [], {}
    for name in names:
        try:
            found.append(_installed(name, checkout / FOLDER / name))
        except SoakError as error:
            missing[name] = str(error)
    return found, missing


def _installed(name: str, home: Path) -> Peer:
    program = home / "bin" / name
    if not program.exists():
        print(f"  installing {name} into {home}", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", str(home)], INSTALL_SECONDS)
        pip = [str(home / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", name]
        _run(pip, INSTALL_SECONDS)
    shown = [str(home / "bin" / "pip"), "show", "--disable-pip-version-check", name]
    lines = _run(shown, START_SECONDS).splitlines()
    return Peer(name, program, next(line.split()[1] for line in lines if line.startswith("Version: ")))


def lay_out_tokenizer(folder: Path) -> dict[str, str]:
    """A tokenizer as an entry of the hub's cache, and the environment in which it is found without a hub."""
    entry = folder / f"models--{TOKENIZER.replace('/', '--')}"
    (entry / "refs").mkdir(parents=True)
    (entry / "refs" / "main").write_text(COMMIT, encoding="ascii")
    files = entry / "snapshots" / COMMIT
    files.mkdir(parents=True)
    for name, document in {
        "tokenizer.json": _TOKENIZER,
        "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "<unk>"},
        "config.json": {"model_type": "gpt2"},
    }.items():
        (files / name).write_text(json.dumps(document), encoding="ascii")
    return {"HF_HUB_CACHE": str(folder), "HF_HUB_OFFLINE": "1"}


def run_peer(peer: Peer, words: list[str], seconds: float, folder: Path, **environment: str) -> str:
    """What it prints of a load of `seconds`, run in `folder`; raises SoakError where it fails."""
    return _run([str(peer.program), *words], seconds + START_SECONDS, folder, environment)


def _run(
    command: list[str], seconds: float, folder: Path | None = None, environment: dict[str, str] | None = None
) -> str:
    name = Path(command[0]).name
    try:
        # subprocess.run kills its child on every exception, so on Ctrl-C too.
        done = subprocess.run(
            end_with_parent(command),
            env={**os.environ, **(environment or {})},
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise SoakError(f"{name} did not end within {seconds:.0f} s") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise SoakError(f"{name} ended with exit code {done.returncode}: {' '.join(said)[-200:]}")
    return done.stdout
