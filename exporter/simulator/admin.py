"""The admin API: faults on command, and the ground truth."""

from collections.abc import Callable
from typing import Any, Protocol
from urllib.parse import parse_qs

from exporter.simulator.answer import Answer, error_answer, json_answer
from exporter.simulator.faults import FAULTS, FaultError, Faults, Parameters, parse_parameters

PREFIX = "/admin/"
RELEASABLE = ("leak_memory", "leak_fds")


class Effects(Protocol):
    """What a fault changes apart from single answers."""

    def begin(self, name: str, parameters: Parameters) -> None:
        """Put a fault in force. Raises FaultError where its parameters name what is not there."""
        ...

    def end(self, name: str, release: bool) -> None:
        """End a fault; `release` gives back what leaked."""
        ...


class Admin:
    """Answers /admin/…; no fault ever strikes it.

    GET    /admin/truth                          the ground truth
    GET    /admin/faults                         the state of all faults
    DELETE /admin/faults[?release=1]             ends all
    GET    /admin/faults/<name>                  the state of one
    PUT    /admin/faults/<name>                  begins or changes it; the body is JSON
    DELETE /admin/faults/<name>[?release=1]      ends it
    """

    def __init__(self, faults: Faults, effects: Effects, truth: Callable[[], dict[str, Any]]) -> None:
        self._faults = faults
        self._effects = effects
        self._truth = truth

    def answer(self, method: str, path: str, query: str, body: bytes) -> Answer:
        """The answer to a request of this API, done at once."""
        if path == "/admin/truth":
            return json_answer(200, self._truth()) if method in ("GET", "HEAD") else not_allowed("GET, HEAD")
        if path == "/admin/faults":
            return self._all(method, query)
        name = path.removeprefix("/admin/faults/")
        if name == path:
            return error_answer(404, f"{path}: there is no such endpoint")
        if name not in FAULTS:
            return error_answer(404, f"{name!r} is no fault; known are: {', '.join(FAULTS)}")
        try:
            return self._one(method, name, query, body)
        except FaultError as error:
            return error_answer(400, str(error))

    def _all(self, method: str, query: str) -> Answer:
        if method == "DELETE":
            try:
                release = _release(query)
            except FaultError as error:
                return error_answer(400, str(error))
            for name in FAULTS:
                self._effects.end(name, release)
        elif method not in ("GET", "HEAD"):
            return not_allowed("GET, HEAD, DELETE")
        return json_answer(200, {name: self._faults.document(name) for name in FAULTS})

    def _one(self, method: str, name: str, query: str, body: bytes) -> Answer:
        if method == "PUT":
            self._effects.begin(name, parse_parameters(name, body))
        elif method == "DELETE":
            release = _release(query)
            if release and name not in RELEASABLE:
                raise FaultError(f"{name}: release is for {' and '.join(RELEASABLE)}")
            self._effects.end(name, release)
        elif method not in ("GET", "HEAD"):
            return not_allowed("GET, HEAD, PUT, DELETE")
        return json_answer(200, {name: self._faults.document(name)})


def not_allowed(allowed: str) -> Answer:
    """405, naming the methods that are allowed."""
    return error_answer(405, f"use {allowed}", headers=b"Allow: %s\r\n" % allowed.encode())


def _release(query: str) -> bool:
    values = parse_qs(query, keep_blank_values=True)
    unknown = sorted(set(values) - {"release"})
    if unknown:
        raise FaultError(f"{unknown[0]}: unknown query parameter; known is release")
    match values.get("release", ["0"]):
        case ["1"]:
            return True
        case ["0"]:
            return False
        case _:
            raise FaultError("release: must be 0 or 1")
