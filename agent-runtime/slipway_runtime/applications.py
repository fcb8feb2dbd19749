"""Applications of the runtime: what gateway and host do alike with a path that does not exist.

Starlette redirects a path with a slash too many, to the scheme and the host that it believes it has. Behind TLS that is
`http`, so a client would send its key once more in the clear. Nothing here redirects: the answer names the right path.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Router
from starlette.types import Lifespan

from slipway_runtime.problems import Problem, Reason

Handlers = Mapping[Any, Callable[..., Any]]


def new_application(
    routes: Sequence[BaseRoute],
    *,
    handlers: Handlers,
    middleware: Sequence[Middleware] = (),
    lifespan: Lifespan[Starlette] | None = None,
) -> Starlette:
    """An application with these routes, without redirects, that answers with a problem where there is no route.

    Args:
        handlers: what else becomes of exceptions, as Starlette's `exception_handlers`.
    """
    app = Starlette(
        routes=routes,
        exception_handlers={**NO_SUCH_ROUTE, **handlers},
        middleware=middleware,
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code != 404:
        return Problem(Reason.METHOD_NOT_ALLOWED, "This path does not take this method.").response()
    right = meant(request.app.router, request.scope)
    hint = f"Send the request to {right} instead." if right else "docs/http-api.md lists all paths."
    return Problem(Reason.NOT_FOUND, f"There is nothing at this path. {hint}").response()


NO_SUCH_ROUTE: Handlers = {HTTPException: _no_such_route}
"""How a path that does not exist, and a method that does not fit, are answered."""


def meant(router: Router, scope: Mapping[str, Any]) -> str | None:
    """The path that a path with too many slashes probably stands for; None if there is none."""
    right = "/" + "/".join(part for part in scope["path"].split("/") if part)
    if right == scope["path"]:
        return None
    there = {**scope, "path": right}
    return right if any(route.matches(there)[0] is not Match.NONE for route in router.routes) else None
