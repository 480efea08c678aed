"""The APIs whose streams are read, by the path of the request."""

from enum import StrEnum


class Api(StrEnum):
    """Whose events a stream has."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    MESSAGES = "messages"
    RESPONSES = "responses"


_ENDS = {
    "/chat/completions": Api.CHAT,
    "/completions": Api.COMPLETIONS,
    "/messages": Api.MESSAGES,
    "/responses": Api.RESPONSES,
}


def api_of(endpoint: str) -> Api:
    """The API of an endpoint by the end of its path; chat completions where it is none of those known."""
    path = endpoint.partition("?")[0].rstrip("/")
    return next((api for end, api in _ENDS.items() if path.endswith(end)), Api.CHAT)
