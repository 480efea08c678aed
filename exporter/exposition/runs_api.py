"""/api/runs/ID: runs are registered here, their counts are read here, and their findings published."""

import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.clock import Clock
from exporter.errors import ConfigurationError
from exporter.exposition.allowed_hosts import AllowedHosts
from exporter.live.findings import OBJECTIVE, RunFindings
from exporter.live.ingest import Ingest
from exporter.live.message import Phase, RunInfo
from exporter.live.run_durations import RunDurations
from exporter.live.run_seconds import RunSeconds
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.live.wire import VERSION
from exporter.settings.strict_yaml import first_problem
from exporter.settings.watch import OWNER_HEADER
from exporter.verdict.objectives import CHECKS

_DAY_SECONDS = 86_400.0
_SECOND = re.compile(r"[0-9]{1,10}")
_Token = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Announcement(RunInfo):
    version: int
    phase: Phase
    token: _Token


@dataclass(frozen=True, slots=True, kw_only=True)
class _Findings(RunFindings):
    version: int
    token: _Token


_announcement, _findings = TypeAdapter(_Announcement), TypeAdapter(_Findings)
_shown = TypeAdapter(RunFindings)


class RunsApi:
    """GET and PUT of `/api/runs/<id>` and `/api/runs/<id>/findings`, GET of its `/seconds` and `/durations`.

    A PUT of a run has the fields of RunInfo and `version` (of the live message), `phase` and `token` (the
    secret of the run, 32 hexadecimal digits). Every answer to it names the exporter's `version`, and one of
    200 the UDP port of the ingest. Where there is no ingest every announcement is refused, and where there is
    an owner all whose header OWNER_HEADER has not this secret. So are those that a web page makes, or that
    are sent to another name (allowed_hosts.py). Datagrams that wait at the ingest are taken before either
    request: a run's last reports are refused once it is announced as over.

    A PUT of findings has the fields of RunFindings, `version` and `token`, and is refused alike, and where it
    names a check that there is not; it says no more than that the run is known. They can be read by anybody.
    """

    def __init__(
        self,
        runs: LiveRuns,
        ingest: Ingest | None,
        clock: Clock,
        ingest_port: int | None,
        owner: str | None = None,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self._owner = owner
        self._hosts = hosts or AllowedHosts()
        self._runs = runs
        self._ingest = ingest
        self._clock = clock
        self._ingest_port = ingest_port
        self.routes = [
            Route("/api/runs/{run}", self._run_status, methods=["GET"]),
            Route("/api/runs/{run}", self._announce, methods=["PUT"]),
            Route("/api/runs/{run}/seconds", self._seconds, methods=["GET"]),
            Route("/api/runs/{run}/durations", self._durations, methods=["GET"]),
            Route("/api/runs/{run}/findings", self._shown_findings, methods=["GET"]),
            Route("/api/runs/{run}/findings", self._publish, methods=["PUT"]),
        ]

    async def _run_status(self, request: Request) -> Response:
        if self._ingest is not None:
            self._ingest.take_waiting()
        with self._runs.lock:
            run = self._runs.runs.get(request.path_params["run"])
            if run is None:
                return JSONResponse({"error": "no such run"}, status_code=404)
            status = RunStatus.of(run, self._clock.monotonic())
        return Response(status.to_json(), media_type="application/json")

    async def _seconds(self, request: Request) -> Response:
        """The seconds of a run later than `after` (0: from the first that is kept), RunSeconds as JSON."""
        after = request.query_params.get("after", "")
        if [name for name, _ in request.query_params.multi_items()] != ["after"] or not _SECOND.fullmatch(
            after
        ):
            return JSONResponse(
                {"error": "after: give the Unix second of the last one that you have, ?after=0 for all"},
                status_code=400,
            )
        with self._runs.lock:
            run = self._runs.runs.get(request.path_params["run"])
            if run is None:
                return JSONResponse({"error": "no such run"}, status_code=404)
            found = RunSeconds.of(run, int(after), self._clock.wall(), self._clock.monotonic())
        return Response(found.to_json(), media_type="application/json")

    async def _durations(self, request: Request) -> Response:
        if self._ingest is not None:
            self._ingest.take_waiting()
        with self._runs.lock:
            run = self._runs.runs.get(request.path_params["run"])
            if run is None:
                return JSONResponse({"error": "no such run"}, status_code=404)
            found = RunDurations.of(run)
        return Response(found.to_json(), media_type="application/json")

    def _refused(self, request: Request) -> Response | None:
        """The refusal of an announcement whose body is not read, None where it is."""
        refusal = self._hosts.refusal(request)
        shown = request.headers.get(OWNER_HEADER, "")
        if self._ingest is None:
            refusal = 409, "it takes no runs, its --ingest.listen-address is empty"
        elif self._owner is not None and not secrets.compare_digest(shown.encode(), self._owner.encode()):
            refusal = 409, "it was started by another run, for that run alone"
        return _refusal(refusal[1], refusal[0]) if refusal else None

    async def _announce(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        body = await request.body()
        if self._ingest is not None:
            self._ingest.take_waiting()
        return _answered("an announcement", lambda: self._announced(request, body))

    def _announced(self, request: Request, body: bytes) -> dict[str, Any]:
        found = _of_this_version(body, _announcement, request)
        if found.start_timestamp_seconds > self._clock.wall() + _DAY_SECONDS:
            raise ConfigurationError(
                "start_timestamp_seconds: more than a day ahead of the exporter's clock; set both clocks"
            )
        if len({bool(found.engine), bool(found.pairs), bool(found.connections)}) > 1:
            raise ConfigurationError("engine, pairs, connections: of a load all of them, of a watch none")
        info = RunInfo(**{each.name: getattr(found, each.name) for each in fields(RunInfo)})
        self._runs.register(info, bytes.fromhex(found.token), found.phase)
        return {"run": info.run, "phase": found.phase.value, "ingest_port": self._ingest_port}

    async def _shown_findings(self, request: Request) -> Response:
        with self._runs.lock:
            found = self._runs.findings.get(request.path_params["run"])
        if found is None:
            return JSONResponse({"error": "no findings of such a run"}, status_code=404)
        return Response(_shown.dump_json(found), media_type="application/json")

    async def _publish(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused is not None:
            return refused
        body = await request.body()
        return _answered("findings", lambda: self._published(request, body))

    def _published(self, request: Request, body: bytes) -> dict[str, Any]:
        found = _of_this_version(body, _findings, request)
        for each in found.findings:
            if each.check not in CHECKS and not each.check.startswith(OBJECTIVE):
                raise ConfigurationError(f"there is no check {each.check!r}")
        findings = RunFindings(**{each.name: getattr(found, each.name) for each in fields(RunFindings)})
        self._runs.publish(bytes.fromhex(found.token), findings)
        return {"run": found.run}


def _of_this_version(body: bytes, adapter: TypeAdapter[Any], request: Request) -> Any:
    """What a body says, strictly; raises what `_answered` takes for a refusal."""
    document = json.loads(body, object_pairs_hook=_without_repetition)
    if document.get("version") != VERSION:
        raise ConfigurationError(
            "its command does not speak the exporter's version of the live message "
            f"({VERSION}); use the same release for both"
        )
    found = adapter.validate_json(body, strict=True)
    if found.run != request.path_params["run"]:
        raise ConfigurationError("the run in the path is not the run in the body")
    return found


def _answered(what: str, take: Callable[[], dict[str, Any]]) -> Response:
    """What `take` answers, or why it refuses."""
    try:
        return _answer(take(), 200)
    except ValidationError as error:
        return _refusal(first_problem(error), 400)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        return _refusal(f"not {what}: {type(error).__name__}", 400)
    except ConfigurationError as error:
        return _refusal(str(error), 409)


def _answer(document: dict[str, Any], status: int) -> Response:
    return JSONResponse({**document, "version": VERSION}, status_code=status)


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key is there twice")
    return document


def _refusal(reason: str, status: int) -> Response:
    return _answer({"error": reason}, status)
