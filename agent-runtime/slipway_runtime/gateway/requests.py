"""What the gateway makes of a client's request for a host: the run that it is, and the path and query of it."""

import re
import uuid
from collections.abc import Mapping
from urllib.parse import quote, urlencode

from starlette.requests import Request

from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.grants import named_run
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.headers import IDEMPOTENCY_HEADER

_KEY = re.compile("[\x21-\x7e]{1,255}")
_QUERY = ("wait", "session", "state", "page")
"""What a host reads of a query."""


def request_id(request: Request, *, owner: str, agent: AgentKey, within: str | None = None) -> str:
    """The id of what a POST begins: random, or named by its owner, the agent and its `Idempotency-Key`.

    Args:
        within: the run in which an agent asks; its keys are apart from those of all others.

    Raises:
        Problem: `InvalidRequest` for a key that is none.
    """
    key = _key(request)
    if key is None:
        return uuid.uuid4().hex
    given = "input" in request.path_params
    return named_run(owner=owner, agent=str(agent), key=key, within=within, input=given)


def named_request(request: Request, *, owner: str, subject: str) -> str:
    """The id of a POST: random, or named by its owner, what it is about and its `Idempotency-Key`.

    Raises:
        Problem: `InvalidRequest` for a key that is none.
    """
    key = _key(request)
    return uuid.uuid4().hex if key is None else named_run(owner=owner, agent=subject, key=key)


def call_key(request: Request, *, owner: str, subject: str, within: str | None = None) -> str | None:
    """What a server gets as the `Idempotency-Key` of a call that has one: of this caller alone, and not to be guessed.

    Args:
        subject: what is called.
        within: the run in which an agent calls.

    Raises:
        Problem: `InvalidRequest` for a key that is none.
    """
    key = _key(request)
    return None if key is None else named_run(owner=owner, agent=subject, key=key, within=within)


def _key(request: Request) -> str | None:
    """The `Idempotency-Key`. Raises Problem."""
    keys = request.headers.getlist(IDEMPOTENCY_HEADER)
    if not keys:
        return None
    if len(keys) > 1 or not _KEY.fullmatch(keys[0]):
        raise Problem(
            Reason.INVALID_REQUEST,
            f"{IDEMPOTENCY_HEADER} must be one word of 1 to 255 visible ASCII characters, new for each question",
        )
    return keys[0]


def is_question(request: Request) -> bool:
    """Whether it starts a run."""
    return request.method == "POST" and "input" not in request.path_params


def host_path(request: Request, agent: AgentKey, *, watch: bool) -> str:
    """The same path on the host, put together anew so that nothing of a client's spelling gets through.

    Args:
        watch: False where it counts how a run's events end.
    """
    given: Mapping[str, str] = request.path_params
    parts = ["agents", agent.namespace, agent.name, "sessions" if "session" in given else "runs"]
    parts += [given[name] for name in ("session", "run") if name in given]
    parts += ["input", given["input"]] if "input" in given else []
    query = {name: request.query_params[name] for name in _QUERY if name in request.query_params}
    query |= {} if watch else {"watch": "false"}
    return "/" + "/".join(quote(part, safe="") for part in parts) + (f"?{urlencode(query)}" if query else "")
