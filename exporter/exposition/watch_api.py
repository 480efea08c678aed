"""/api/watch: what this exporter watches, so that a run can tell whether it is its router."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.settings.watch import Watch


def watch_route(watch: Watch) -> Route:
    """GET of `/api/watch`: the fields of Watch as one JSON object."""
    body = watch.to_json()

    async def answer(_request: Request) -> Response:
        return Response(body, media_type="application/json")

    return Route("/api/watch", answer, methods=["GET"])
