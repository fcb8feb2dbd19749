"""Which web pages may speak MCP: a page could otherwise reach a server that only its visitor may reach."""

from collections.abc import Collection

from starlette.requests import Request

from slipway_runtime.problems import Problem, Reason


def check_origin(request: Request, allowed: Collection[str], *, remedy: str) -> None:
    """Refuse a page of another origin, as the specification demands.

    Args:
        remedy: how to allow an origin.

    Raises:
        Problem: OriginNotAllowed.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin not in allowed:
        raise Problem(Reason.ORIGIN_NOT_ALLOWED, f"pages of this origin may not ask: {remedy}")
