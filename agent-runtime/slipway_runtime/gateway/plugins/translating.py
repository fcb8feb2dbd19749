"""Calls between the eras of MCP: a client of the one uses a server of the other.

A client of 2026-07-28 gets a session with the server that is its caller's alone, and begun anew once the server has
forgotten it. A client of 2025-11-25 gets a session that is nothing but a sealed text, which any gateway reads.
"""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import aiohttp
from mcp_types import CLIENT_CAPABILITIES_META_KEY
from mcp_types.jsonrpc import INTERNAL_ERROR, METHOD_NOT_FOUND
from mcp_types.version import LATEST_MODERN_VERSION

from slipway_runtime.gateway.plugins.answer import NO_SESSION, PluginAnswer, once
from slipway_runtime.plugins import eras
from slipway_runtime.plugins.answers import answers, event_of
from slipway_runtime.plugins.discovery import Discovery, ServerLink
from slipway_runtime.plugins.event_streams import Content, EventReader, TooLong, data_of, loads
from slipway_runtime.plugins.messages import (
    ENDLESS,
    EVENT_STREAM,
    JSON,
    SESSION_HEADER,
    ClientMessage,
    Kind,
    MessageRefused,
    dumps,
)
from slipway_runtime.plugins.server import ServerFailed, media_type
from slipway_runtime.protocols.mcp.sdk import inbound, subscriptions
from slipway_runtime.responses import InvalidAnswer, PodResponse
from slipway_runtime.telemetry.tracing import outgoing

if TYPE_CHECKING:
    from slipway_runtime.gateway.plugins.calls import PluginCall

OWN = "slipway"
"""The server's id of a session that no server has."""
BROKEN = (aiohttp.ClientError, TimeoutError, ConnectionError, InvalidAnswer, TooLong, ValueError)
OF_SESSIONS = frozenset({"initialize", "ping", "logging/setLevel", "resources/subscribe", "resources/unsubscribe"})
"""Methods that 2026-07-28 has no more."""
CHANGES = {
    "notifications/tools/list_changed": "toolsListChanged",
    "notifications/prompts/list_changed": "promptsListChanged",
    "notifications/resources/list_changed": "resourcesListChanged",
}
NUMBERS = itertools.count(1)
"""Of requests and progress, so that no two calls in one session have the same."""


@dataclass(frozen=True)
class Translation:
    """A call whose client and server are of different eras."""

    call: "PluginCall"
    found: Discovery

    @asynccontextmanager
    async def posted(self, message: ClientMessage) -> AsyncIterator[PluginAnswer]:
        """See `PluginCall`."""
        answered = self._to_session if message.modern else self._to_modern
        async with answered(message) as answer:
            yield answer

    # A client of 2026-07-28 and a server of 2025-11-25

    @asynccontextmanager
    async def _to_session(self, message: ClientMessage) -> AsyncIterator[PluginAnswer]:
        if message.kind is not Kind.REQUEST:
            yield PluginAnswer(202, {}, once(b""))
            return
        if message.method == "server/discover":
            yield _json(eras.discovered(self.found, message.id))
            return
        if message.method in OF_SESSIONS:
            raise MessageRefused(METHOD_NOT_FOUND, f"Method not found: {message.method}", message_id=message.id)
        sessions, owner = self.call.plugin.sessions, self.call.caller.owner
        for attempt in itertools.count():
            link = await sessions.of(owner)
            opened = self._listened(link, message) if message.method == ENDLESS else None
            async with opened or self._asked(link, message) as answer:
                if answer is not None:
                    yield answer
                    return
            sessions.forget(owner, link)  # the server did not know it, and so did nothing
            if attempt:
                raise ServerFailed(
                    "InvalidAnswer", f"the server of plugin {self.call.key} forgets its sessions at once"
                )

    @asynccontextmanager
    async def _asked(self, link: ServerLink, message: ClientMessage) -> AsyncIterator[PluginAnswer | None]:
        """The answer to a request in a session; None if the server does not know the session."""
        number, params = f"s{next(NUMBERS)}", eras.to_session(message.params)
        name = self.call.server_name(message)
        if name is not None and message.method == "tools/call":
            params = {**params, "name": name}
        token = params.get("_meta", {}).get("progressToken")
        logs = eras.LOG_LEVEL in message.params["_meta"]
        if token is not None:
            params = {**params, "_meta": {**params["_meta"], "progressToken": number}}
        body = dumps({"jsonrpc": "2.0", "id": number, "method": message.method, "params": params})
        headers = {**link.headers(message.method), **self.call.granted(message)}
        outgoing(headers)
        async with self.call.server.open("POST", headers, body) as response:
            if response.status == 404 and link.session is not None:
                yield None
                return

            def translate(content: Content) -> Content | None:
                if "method" in content:
                    unasked = content["method"] == "notifications/message" and not logs
                    return None if "id" in content or unasked else _with_token(content, number, token)
                if not answers(content, number):
                    return None
                answer = eras.modern_answer({**content, "id": message.id}, message.method)
                answer = eras.only_what_it_can(answer, message.params["_meta"][CLIENT_CAPABILITIES_META_KEY])
                return self.call.listed(answer, modern=message.modern) if message.method == "tools/list" else answer

            try:
                yield await self._translated(message, response, translate, link=link)
            except asyncio.CancelledError:
                await _cancel(link, number)
                raise

    @asynccontextmanager
    async def _listened(self, link: ServerLink, message: ClientMessage) -> AsyncIterator[PluginAnswer | None]:
        """The stream of a session as that of a subscription."""
        wanted = message.params.get("notifications")
        wanted = wanted if isinstance(wanted, dict) else {}
        headers = {**link.headers(""), "Accept": EVENT_STREAM}
        async with self.call.server.open("GET", headers, endless=True) as response:
            if response.status == 404 and link.session is not None:
                yield None
                return
            tag = {subscriptions.SUBSCRIPTION_ID_META_KEY: message.id}

            def translate(content: Content) -> Content | None:
                asked = wanted.get(CHANGES.get(content.get("method", ""), ""))
                if asked is not True or content.get("method") not in subscriptions.LISTEN_STREAM_METHODS:
                    return None
                params = content.get("params") or {}
                return {**content, "params": {**params, "_meta": {**params.get("_meta", {}), **tag}}}

            agreed = {name: True for name in CHANGES.values() if wanted.get(name) is True}
            known: Content = {
                "jsonrpc": "2.0",
                "method": "notifications/subscriptions/acknowledged",
                "params": {"notifications": agreed, "_meta": tag},
            }
            if response.status == 405:  # it has no such stream, and so nothing to say
                yield PluginAnswer(200, _stream(), _silent(event_of(known)))
                return
            pieces = self._events(message, response, translate, link=link)
            yield PluginAnswer(200, _stream(), _after(event_of(known), pieces))

    # A client of 2025-11-25 and a server of 2026-07-28

    @asynccontextmanager
    async def _to_modern(self, message: ClientMessage) -> AsyncIterator[PluginAnswer]:
        if message.method == "initialize":
            begun = eras.initialized(self.found, message.id, message.params)
            yield _json(begun, {SESSION_HEADER: self.call.sealed(OWN)})
            return
        if SESSION_HEADER in self.call.headers and self.call.session() != OWN:
            raise NO_SESSION
        if message.kind is not Kind.REQUEST:
            if message.method == "notifications/cancelled":
                self._cancelled(message)
            yield PluginAnswer(202, {}, once(b""))
            return
        if message.method == "ping":
            yield _json({"jsonrpc": "2.0", "id": message.id, "result": {}})
            return
        if message.method in ("logging/setLevel", "resources/subscribe", "resources/unsubscribe"):
            raise MessageRefused(
                METHOD_NOT_FOUND, f"Method not found: {message.method}", message_id=message.id, status=200
            )
        async with self._modern(message) as answer:
            yield answer

    @asynccontextmanager
    async def _modern(self, message: ClientMessage) -> AsyncIterator[PluginAnswer]:
        name, params = self.call.server_name(message), eras.to_modern(message.params)
        if name is not None and message.method == "tools/call":
            params = {**params, "name": name}
        headers = {
            "Content-Type": JSON,
            "Accept": f"{JSON}, {EVENT_STREAM}",
            "MCP-Protocol-Version": LATEST_MODERN_VERSION,
            "Mcp-Method": message.method,
            **self.call.granted(message),
        }
        if name is not None:
            headers["Mcp-Name"] = inbound.encode_header_value(name)
            headers |= eras.param_headers(self.found, message.name or "", params.get("arguments"))
        outgoing(headers)
        body = dumps({"jsonrpc": "2.0", "id": message.id, "method": message.method, "params": params})

        def translate(content: Content) -> Content | None:
            if "method" in content:
                return content if "id" not in content else None
            if not answers(content, message.id):
                return None
            answer = {**eras.without_result(eras.session_answer(content)), "id": message.id}
            return self.call.listed(answer, modern=message.modern) if message.method == "tools/list" else answer

        with self._cancellable(message) as given_up:
            async with self.call.server.open("POST", headers, body) as response:
                answer = await self._translated(message, response, translate, given_up=given_up)
                # A client of 2025-11-25 takes another status for the end of its session.
                yield PluginAnswer(200, answer.headers, answer.body)

    @contextlib.contextmanager
    def _cancellable(self, message: ClientMessage) -> Iterator[asyncio.Event]:
        ongoing, key = self.call.plugin.ongoing, self._ongoing_key(message.id)
        given_up = ongoing[key] = asyncio.Event()
        try:
            yield given_up
        finally:
            if ongoing.get(key) is given_up:
                del ongoing[key]

    def _ongoing_key(self, number: object) -> tuple[str, object]:
        return f"{self.call.caller.owner} {self.call.headers.get(SESSION_HEADER, '')}", number

    def _cancelled(self, message: ClientMessage) -> None:
        """The client gave up a request: closing its stream is how a server of 2026-07-28 learns of that."""
        number = message.params.get("requestId")
        if isinstance(number, str | int):
            given_up = self.call.plugin.ongoing.get(self._ongoing_key(number))
            if given_up is not None:
                given_up.set()

    # Both

    async def _translated(
        self,
        message: ClientMessage,
        response: PodResponse,
        translate: Callable[[Content], Content | None],
        *,
        link: ServerLink | None = None,
        given_up: asyncio.Event | None = None,
    ) -> PluginAnswer:
        kind = media_type(response)
        if kind == EVENT_STREAM:
            pieces = self._events(message, response, translate, link=link)
            return PluginAnswer(200, _stream(), _until(pieces, given_up) if given_up else pieces)
        try:
            content = translate(loads(await self.call.server.whole(response)))
        except ValueError as error:
            raise self._invalid(str(error)) from None
        if content is None:
            raise self._invalid("an answer to another request")
        refusal = content.get("error")
        code = refusal.get("code") if isinstance(refusal, dict) else None
        status = inbound.ERROR_CODE_HTTP_STATUS.get(code, 200) if isinstance(code, int) and message.modern else 200
        return _json(content, status=status)

    def _invalid(self, what: str) -> ServerFailed:
        return ServerFailed("InvalidAnswer", f"the server of plugin {self.call.key} gave {what}")

    async def _events(
        self,
        message: ClientMessage,
        response: PodResponse,
        translate: Callable[[Content], Content | None],
        *,
        link: ServerLink | None,
    ) -> AsyncIterator[bytes]:
        """A stream, event by event, up to the answer."""
        reader, ended = EventReader(), False
        try:
            while not ended:
                piece = await response.some()
                for event in reader.feed(piece) if piece else reader.end():
                    content = data_of(event)
                    if content is None:
                        continue
                    if "method" in content and "id" in content and link is not None:
                        refused = await _answer_server(link, content)
                        content = {**refused, "id": message.id} if refused else None
                    else:
                        content = translate(content)
                    if content is None:
                        continue
                    yield event_of(content)
                    if "method" not in content:
                        return
                ended = not piece
            if message.kind is Kind.REQUEST and message.method != ENDLESS:
                yield self._ended(message, "ended its stream without an answer", reason="InvalidAnswer")
        except TooLong as error:
            yield self._ended(message, f"sent {error}", reason="AnswerTooLarge")
        except BROKEN:
            yield self._ended(message, "broke off in the middle of its answer", reason="InvalidAnswer")

    def _ended(self, message: ClientMessage, what: str, *, reason: str) -> bytes:
        """What ends a stream that the server did not end."""
        said = f"the server of plugin {self.call.key} {what}"
        error = {"code": INTERNAL_ERROR, "message": said, "data": {"reason": reason}}
        return event_of({"jsonrpc": "2.0", "id": message.id, "error": error})


async def _answer_server(link: ServerLink, asked: Content) -> Content | None:
    """Answer what a server asks its client. Gives the error that ends the client's call, or None for a ping."""
    method = str(asked.get("method"))
    answer: Content = {"jsonrpc": "2.0", "id": asked.get("id")}
    if method == "ping":
        answer["result"] = {}
    else:
        answer["error"] = {"code": METHOD_NOT_FOUND, "message": "the client is of another era of MCP"}
    with contextlib.suppress(ServerFailed):
        async with link.server.open("POST", link.headers(""), dumps(answer)):
            pass
    if method == "ping":
        return None
    return eras.without_result({"jsonrpc": "2.0", **eras.cannot_ask(method)})


async def _cancel(link: ServerLink, number: str) -> None:
    """Tell the server that a request was given up, if it takes that at once."""
    params = {"requestId": number, "reason": "the client left"}
    body = dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})

    async def tell() -> None:
        with contextlib.suppress(ServerFailed):
            async with link.server.open("POST", link.headers(""), body):
                pass

    await asyncio.shield(tell())


def _with_token(content: Content, number: str, token: object) -> Content:
    """A notification with the client's own token of progress."""
    params = content.get("params")
    if token is not None and isinstance(params, dict) and params.get("progressToken") == number:
        return {**content, "params": {**params, "progressToken": token}}
    return content


def _json(content: Content, headers: dict[str, str] | None = None, *, status: int = 200) -> PluginAnswer:
    return PluginAnswer(status, {"content-type": JSON, **(headers or {})}, once(dumps(content)))


def _stream() -> dict[str, str]:
    return {"content-type": EVENT_STREAM, "x-accel-buffering": "no"}


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece


async def _silent(first: bytes) -> AsyncIterator[bytes]:
    """A stream that says nothing more, but that it is there."""
    yield first
    while True:
        await asyncio.sleep(15)
        yield b": \n\n"


async def _until(pieces: AsyncIterator[bytes], given_up: asyncio.Event) -> AsyncIterator[bytes]:
    """The pieces up to when nobody waits for them any more."""
    stopped = asyncio.ensure_future(given_up.wait())
    iterator = aiter(pieces)
    try:
        while True:
            following = asyncio.ensure_future(anext(iterator, None))
            await asyncio.wait({following, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not following.done():
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
                return
            piece = following.result()
            if piece is None:
                return
            yield piece
    finally:
        stopped.cancel()
