"""Cross-origin requests: which web pages may read what the gateway answers, and with which headers they may ask."""

import re
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from slipway_runtime.protocols.openai_request import HOLD_HEADER

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?|https?://\[[0-9a-f:.]+\](:[0-9]{1,5})?")
"""An origin as browsers send it (RFC 6454, 6.1): in small letters, without a path."""
ASKED_WITH = (
    *("authorization", "x-api-key", "content-type", "accept", "last-event-id", "idempotency-key"),
    *("traceparent", "tracestate", HOLD_HEADER),
    *("mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name"),
    # What OpenAI's client for browsers sends.
    *("openai-organization", "openai-project", "x-stainless-arch", "x-stainless-helper-method", "x-stainless-lang"),
    *("x-stainless-os", "x-stainless-package-version", "x-stainless-retry-count", "x-stainless-runtime"),
    *("x-stainless-runtime-version", "x-stainless-timeout"),
)
READ = ("retry-after", "www-authenticate", "traceparent", "x-should-retry", "mcp-session-id")
PREFLIGHT_SECONDS = 600


def invalid_origins(origins: Iterable[str]) -> list[str]:
    """Those that no browser would ever send."""
    return [origin for origin in origins if not ORIGIN.fullmatch(origin)]


class _Cors(CORSMiddleware):
    """Answers preflights without a body: browsers read nothing but the status and the headers."""

    def preflight_response(self, request_headers: Headers) -> Response:
        answer = super().preflight_response(request_headers)
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return Response(status_code=answer.status_code, headers=kept)


def cors(origins: Iterable[str]) -> Middleware:
    """Answers preflights, which carry no key, and lets pages of these origins read answers.

    Credentials stay off: callers prove who they are with a header, never with a cookie.
    """
    return Middleware(
        _Cors,
        allow_origins=tuple(origins),
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=ASKED_WITH,
        allow_credentials=False,
        expose_headers=READ,
        max_age=PREFLIGHT_SECONDS,
    )
