"""What Starlette lacks for the gateway: bounded bodies, safe headers, and knowing when a client has gone."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders

from slipway_runtime.gateway.admission import Full, Held
from slipway_runtime.problems import SAFE_HEADERS, Problem, Reason

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_LIMIT = 64 * 1024
"""Bytes in a request's body, and what each request may hold by itself of one that may be longer."""

OWN_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?", re.IGNORECASE)


class SafeHeaders:
    """Adds `SAFE_HEADERS` to every answer of an application that has not its own ones."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SAFE_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending)


class OwnNames:
    """Refuses requests by another name than this machine's own, and those without one."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not OWN_HOST.fullmatch(Headers(scope=scope).get("host", "")):
            refused = Problem(
                Reason.MALFORMED_REQUEST,
                "the header Host names another machine: ask for localhost or 127.0.0.1, or start with --keys FILE",
            )
            await refused.response()(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class ClientGone(Exception):
    """The client closed its connection; nobody is left to answer."""


async def read_body(receive: Receive, *, limit: int = BODY_LIMIT, held: Held | None = None) -> bytes:
    """The request's whole body.

    Args:
        limit: bytes that it may have.
        held: takes the bytes beyond `BODY_LIMIT`.

    Raises:
        Problem: QuestionTooLarge, as soon as the limit is passed, without reading the rest; Overloaded if other
            requests hold so much that there is no room.
        ClientGone: if the client goes before its request is complete, or takes longer than the server waits for it.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Problem(Reason.QUESTION_TOO_LARGE, f"the body may have at most {limit} bytes: send less")
        if held is not None and size > BODY_LIMIT:
            _hold(held, size - BODY_LIMIT - held.size)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _hold(held: Held, size: int) -> None:
    try:
        held.take(size)
    except Full:
        raise Problem(
            Reason.OVERLOADED, "long questions take all the memory that there is for them: ask again later"
        ) from None


async def unless_gone(
    work: Coroutine[Any, Any, None], receive: Receive, *, answered: Callable[[], bool] = lambda: False
) -> None:
    """Do the work, but stop it when the client goes; what the work raises is raised.

    The request's body must have been read: from then on `receive` says nothing but that the client has gone, or that
    it has all that there is for it.

    Args:
        answered: whether the client was sent everything. What is left to do then is done whether or not it goes.

    Raises:
        ClientGone: if it went first.
    """
    working = asyncio.current_task()
    assert working is not None
    gone = False

    async def watch() -> None:
        nonlocal gone
        await receive()
        if not answered():
            gone = True
            working.cancel()

    watching = asyncio.create_task(watch())
    try:
        await work
    except asyncio.CancelledError:
        if not gone or working.uncancel():
            raise
        raise ClientGone from None
    finally:
        watching.cancel()
