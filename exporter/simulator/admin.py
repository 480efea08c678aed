"""The admin API: faults on command, and the ground truth."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from exporter.simulator.answer import Answer, RefusedError, json_answer, not_allowed
from exporter.simulator.effects import RouterEffects
from exporter.simulator.faults import FAULTS, Faults, parse_parameters

PREFIX = "/admin/"
RELEASABLE = ("leak_memory", "leak_fds", "write_rows")


class Admin:
    """Answers /admin/…; no fault ever strikes it.

    GET    /admin/truth                          the ground truth
    GET    /admin/faults                         the state of all faults
    DELETE /admin/faults[?release=1]             ends all
    GET    /admin/faults/<name>                  the state of one
    PUT    /admin/faults/<name>                  begins or changes it; the body is JSON
    DELETE /admin/faults/<name>[?release=1]      ends it
    """

    def __init__(self, faults: Faults, effects: RouterEffects, truth: Callable[[], dict[str, Any]]) -> None:
        self._faults = faults
        self._effects = effects
        self._truth = truth

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """The answer to a request of this API, done at once. Raises RefusedError."""
        if path == "/admin/truth":
            if method not in ("GET", "HEAD"):
                raise not_allowed("GET, HEAD")
            return json_answer(200, self._truth())
        if path == "/admin/faults":
            if method not in ("GET", "HEAD", "DELETE"):
                raise not_allowed("GET, HEAD, DELETE")
            names = list(FAULTS)
        else:
            name = path.removeprefix("/admin/faults/")
            if name == path:
                raise RefusedError(404, f"{path}: there is no such endpoint")
            if name not in FAULTS:
                raise RefusedError(404, f"{name!r} is no fault; known are: {', '.join(FAULTS)}")
            if method == "PUT":
                self._effects.begin(name, parse_parameters(name, body))
            elif method not in ("GET", "HEAD", "DELETE"):
                raise not_allowed("GET, HEAD, PUT, DELETE")
            names = [name]
        if method == "DELETE":
            release = _release(query)
            if release and not set(names) & set(RELEASABLE):
                raise RefusedError(400, f"{names[0]}: release is for {' and '.join(RELEASABLE)}")
            for name in names:
                self._effects.end(name, release)
        return json_answer(200, {name: self._faults.document(name) for name in names})


def _release(query: str) -> bool:
    values = parse_qs(query, keep_blank_values=True)
    unknown = sorted(set(values) - {"release"})
    if unknown:
        raise RefusedError(400, f"{unknown[0]}: unknown query parameter; known is release")
    release = values.get("release", ["0"])
    if release not in (["0"], ["1"]):
        raise RefusedError(400, "release: must be 0 or 1")
    return release == ["1"]
