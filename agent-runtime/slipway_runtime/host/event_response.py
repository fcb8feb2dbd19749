"""A stream of events as a response, which ends when its reader goes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import cast

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from slipway_runtime.protocols.sse import PING


class EventResponse(StreamingResponse):
    """Starlette's, without its group of tasks: that costs more than the events of a short answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        streaming = asyncio.current_task()
        assert streaming is not None
        gone = False

        async def listen() -> None:
            nonlocal gone
            await self.listen_for_disconnect(receive)
            gone = True
            streaming.cancel()

        listening = asyncio.create_task(listen())
        try:
            await self.stream_response(send)
        except asyncio.CancelledError:
            if not gone or streaming.uncancel():
                raise
        finally:
            listening.cancel()


class WholeEventResponse(EventResponse):
    """Events that come in one piece (`sse.in_one`): where no ping comes first, the head is sent together with them.

    So the gateway wakes once for an answer, and knows its end from its length.
    """

    async def stream_response(self, send: Send) -> None:
        """Send all pieces."""
        async with aclosing(cast(AsyncGenerator[bytes], self.body_iterator)) as pieces:
            piece = await anext(pieces, b"")
            if piece != PING:
                self.headers["content-length"] = str(len(piece))
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            while piece == PING:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                piece = await anext(pieces, b"")
            await send({"type": "http.response.body", "body": piece, "more_body": False})
