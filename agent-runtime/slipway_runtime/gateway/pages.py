"""`/docs`: the OpenAPI document as a web page, by Swagger UI. The files hold no secrets, so they need no key."""

from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.problems import Problem, Reason

FOLDER = Path(__file__).parent / "docs_page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: nothing but what this gateway serves. Swagger UI needs styles in its elements."""
HEADERS = {"content-security-policy": POLICY, "referrer-policy": "no-referrer"}
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".txt": "text/plain"}


async def docs(_: Request) -> Response:
    """The page."""
    return _file("index.html")


async def asset(request: Request) -> Response:
    """A file that the page loads.

    Raises:
        Problem: `NotFound`.
    """
    return _file(request.path_params["asset"])


@cache
def _files() -> dict[str, Path]:
    """What there is to serve, by the name under which it is asked for. Large files are kept compressed."""
    return {path.name.removesuffix(".gz"): path for path in FOLDER.iterdir() if path.is_file()}


def _file(name: str) -> Response:
    path = _files().get(name)
    if path is None:
        raise Problem(Reason.NOT_FOUND, "There is nothing at this path. The page is at /docs.")
    encoded = {"content-encoding": "gzip"} if path.suffix == ".gz" else {}
    media_type = TYPES.get(Path(name).suffix, "application/octet-stream")
    return Response(path.read_bytes(), media_type=media_type, headers={**HEADERS, **encoded})
