"""Who refused: the router itself, or the upstream behind it, as far as head and body of an answer say.

Conservative: an answer that does not say it is neither. OpenAI's form of an error alone says nothing, since
routers answer in it too; what a provider alone writes, or a router alone, does.
"""

import json
import re
from collections.abc import Mapping
from enum import Enum

KEPT_BYTES = 4096
"""of the body of a refusal"""


class RefusedBy(Enum):
    """Whose answer it is."""

    ROUTER = "router"
    UPSTREAM = "upstream"


_UPSTREAM_HEADERS = re.compile(
    rb"openai-(organization|processing-ms|version|project|model)|anthropic-.+|x-goog-.+|x-ratelimit-.+"
    rb"|x-ms-(region|client-request-id)|azureml-.+|x-groq-.+|x-upstream-.+"
)
_ROUTER_HEADERS = re.compile(rb"x-(llm-)?router-(error|refused|reason)")
_UPSTREAM_TYPES = frozenset({"insufficient_quota", "requests", "tokens", "overloaded_error", "api_error"})
"""of an error, in OpenAI's and Anthropic's own"""
_GOOGLE_STATUS = re.compile(r"[A-Z]+(_[A-Z]+)*")
_ROUTER_CODES = frozenset(
    {
        *("missing_cloud_key", "unknown_prefix", "no_node_available", "no_nodes_available"),
        *("no_available_node", "no_online_nodes", "no_endpoint_available"),
        *("router_error", "router_overloaded", "queue_full"),
    }
)
_ROUTER_WORDS = re.compile(
    r"\b(OPENAI|GOOGLE|GEMINI|ANTHROPIC)_API_KEY\b"
    r"|\bno (\w+ )?(node|endpoint|runtime|backend|deployment)s? (is |are )?(online|available|ready)\b"
    r"|\bno (online|available|healthy) (node|endpoint|runtime|backend|deployment)s?\b"
    r"|\bunknown (cloud )?(prefix|provider)\b",
    re.IGNORECASE,
)
_PROVIDER_WORDS = re.compile(
    r"platform\.openai\.com|help\.openai\.com|Rate limit reached for .+ in organization"
    r"|generativelanguage\.googleapis\.com|docs\.anthropic\.com|console\.anthropic\.com",
)


def refused_by(status: int, headers: Mapping[bytes, bytes], body: bytes) -> RefusedBy | None:
    """Whose a non-2xx answer is; None where it does not say. Header names are in lower case.

    `body` is its begin, KEPT_BYTES at most.
    """
    if any(_UPSTREAM_HEADERS.fullmatch(name) for name in headers):
        return RefusedBy.UPSTREAM
    if any(_ROUTER_HEADERS.fullmatch(name) for name in headers):
        return RefusedBy.ROUTER
    text = body.decode("utf-8", "replace")
    by = _by_document(text)
    if by is not None:
        return by
    if _PROVIDER_WORDS.search(text):
        return RefusedBy.UPSTREAM
    if _ROUTER_WORDS.search(text):
        return RefusedBy.ROUTER
    is_plain = headers.get(b"content-type", b"").lower().startswith(b"text/plain")
    # Providers answer in JSON; the router's own word for a key that is missing or wrong is plain text.
    return RefusedBy.ROUTER if status == 401 and is_plain else None


def _by_document(text: str) -> RefusedBy | None:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return None
    code, kind, status = error.get("code"), str(error.get("type")), error.get("status")
    if str(code) in _ROUTER_CODES or kind in _ROUTER_CODES:
        return RefusedBy.ROUTER
    is_anthropics = document.get("type") == "error" and ("request_id" in document or kind in _UPSTREAM_TYPES)
    is_openais = kind in _UPSTREAM_TYPES and "code" in error
    is_googles = isinstance(code, int) and isinstance(status, str) and bool(_GOOGLE_STATUS.fullmatch(status))
    return RefusedBy.UPSTREAM if is_anthropics or is_openais or is_googles else None
