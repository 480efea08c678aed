"""The place where runs are announced, and where what has arrived of them is asked."""

import json

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from exporter.clock import Clock
from exporter.errors import ConfigurationError
from exporter.live.ingest import Ingest
from exporter.live.message import Phase, RunInfo
from exporter.live.runs import LiveRuns
from exporter.live.status import RunStatus
from exporter.settings.exporter_config import first_problem

_announcement = TypeAdapter(RunInfo)


class Announcements:
    """GET and PUT of `/api/runs/<id>`; an answer to the latter names the UDP port of the ingest.

    Where there is none every announcement is refused. What has come to the ingest before either request is
    taken first: a run's last reports would be refused once it is announced to be over.
    """

    def __init__(self, runs: LiveRuns, ingest: Ingest | None, clock: Clock, ingest_port: int | None) -> None:
        self._runs = runs
        self._ingest = ingest
        self._clock = clock
        self._ingest_port = ingest_port
        self.routes = [
            Route("/api/runs/{run}", self._run_status, methods=["GET"]),
            Route("/api/runs/{run}", self._announce, methods=["PUT"]),
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

    async def _announce(self, request: Request) -> Response:
        if self._ingest is None:
            return JSONResponse(
                {"error": "it takes no runs, its --ingest.listen-address is empty"}, status_code=409
            )
        body = await request.body()
        self._ingest.take_waiting()
        try:
            document = json.loads(body)
            phase = Phase(document.pop("phase"))
            info = _announcement.validate_python(document)
            if info.run != request.path_params["run"]:
                raise ConfigurationError("the run in the path is not the run in the body")
            self._runs.announce(info, phase)
        except ValidationError as error:
            return JSONResponse({"error": first_problem(error)}, status_code=400)
        except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
            return JSONResponse({"error": f"not an announcement: {type(error).__name__}"}, status_code=400)
        except ConfigurationError as error:
            return JSONResponse({"error": str(error)}, status_code=409)
        return JSONResponse({"run": info.run, "phase": phase.value, "ingest_port": self._ingest_port})
