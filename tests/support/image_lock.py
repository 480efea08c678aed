"""compose/requirements: what the image installs, and what in it does not fit pyproject.toml."""

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

FILES = ("exporter.txt", "report.txt", "build.txt")
_PIN = re.compile(r"([a-z0-9-]+)==(\S+)(?: ; (.+))? \\")
_HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
_OURS = re.compile(r"    # (?:via|  ) llm-router-soak \(pyproject\.toml\)")


@dataclass
class Pin:
    """One version, for how many files of it there are hashes, and whether pyproject.toml itself wants it."""

    name: str
    version: str
    hashes: int = 0
    is_direct: bool = False


def pins_of(text: str) -> dict[str, Pin]:
    """The pins of a file by their names; ValueError for a line that is no pin, hash or comment."""
    pins: dict[str, Pin] = {}
    last: Pin | None = None
    for line in text.splitlines():
        if found := _PIN.fullmatch(line):
            last = Pin(found[1], found[2])
            # Of another system, or of one processor alone, it fulfils nothing here.
            is_ours = found[3] is None or all(map(Marker(found[3]).evaluate, environments()))
            if is_ours and pins.setdefault(last.name, last) is not last:
                raise ValueError(f"{last.name} twice")
        elif _HASH.fullmatch(line) and last is not None:
            last.hashes += 1
        elif not line or line.lstrip().startswith("#"):
            if _OURS.fullmatch(line) and last is not None:
                last.is_direct = True
        else:
            raise ValueError(f"neither a pin, nor a hash, nor a comment: {line}")
    return pins


def problems(pyproject: str, files: Mapping[str, str]) -> list[str]:
    """What `make lock` would change, a line each; none where all is up to date."""
    document = tomllib.loads(pyproject)
    project = document["project"]
    exporter, report, build = (pins_of(files[name]) for name in FILES)
    found = [f"{name} in two files" for name in exporter.keys() & report.keys()]
    for pin in [*exporter.values(), *report.values(), *build.values()]:
        if not pin.hashes:
            found.append(f"{pin.name}: no hash")
    wanted: list[Requirement] = []
    for lines, pins in (
        (project["dependencies"], exporter),
        (project["optional-dependencies"]["report"], exporter | report),
        (document["build-system"]["requires"], build),
    ):
        requirements = [Requirement(line) for line in lines]
        wanted += requirements if pins is not build else []
        found += unmet(requirements, pins)
    names = {canonicalize_name(each.name) for each in wanted}
    pinned = {**exporter, **report}
    found += [
        f"{pin.name}: not wanted any more"
        for pin in pinned.values()
        if pin.is_direct and pin.name not in names
    ]
    return found


def unmet(requirements: Iterable[Requirement], pins: Mapping[str, Pin]) -> list[str]:
    """Those that no pin fulfils, on either of the image's processors."""
    found = []
    for requirement in requirements:
        name = canonicalize_name(requirement.name)
        if not any(_is_needed(requirement, each) for each in environments()):
            continue
        if name not in pins:
            found.append(f"{name}: not pinned")
        elif not requirement.specifier.contains(pins[name].version, prereleases=True):
            found.append(f"{name}: pinned to {pins[name].version}, wanted {requirement.specifier}")
    return found


def needs_of(pin: Pin) -> list[Requirement] | None:
    """What that version needs; None where another one is installed here, or none."""
    try:
        installed = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        return None
    if installed.version != pin.version:
        return None
    return [Requirement(each) for each in installed.requires or ()]


def _is_needed(requirement: Requirement, environment: dict[str, str]) -> bool:
    return requirement.marker is None or requirement.marker.evaluate(environment)


def environments() -> Iterator[dict[str, str]]:
    """Python 3.13 on Linux, with no extra."""
    for machine in ("x86_64", "aarch64"):
        yield {
            "extra": "",
            "implementation_name": "cpython",
            "os_name": "posix",
            "platform_machine": machine,
            "platform_python_implementation": "CPython",
            "platform_system": "Linux",
            "python_full_version": "3.13.0",
            "python_version": "3.13",
            "sys_platform": "linux",
        }
