"""Agents that are asked by A2A from a host: in a container of the same pod, or anywhere that the agent may reach.

Nothing that such an agent sends is believed: its card may lead nowhere but to where it was read, and every answer is
bounded. A call has one message id in every attempt, and the same `Idempotency-Key`.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx2
import orjson

from slipway_crds.runtimeconfig import HeaderBinding
from slipway_runtime.agents.calling import CallFailed
from slipway_runtime.agents.remote_task import Nonsense, RemoteTask
from slipway_runtime.events import Event, InputRequired
from slipway_runtime.models.connection import ApiKeyFile, KeyProblem, guarded_client
from slipway_runtime.protocols.ask import Ask, DataPart, ImagePart, TextPart

log = logging.getLogger(__name__)

CARD_PATH = ".well-known/agent-card.json"
CARD_SECONDS = 300.0
"""How long a card is kept."""
CARD_BYTES = 256 * 1024
ANSWER_BYTES = 8 * 1024 * 1024
SILENCE_SECONDS = 60.0
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 20.0
"""How long a task whose stream broke off is looked for."""
VERSION = "1.0"
Broken = (httpx2.HTTPError, httpx2.StreamError, Nonsense, KeyProblem)


def bound_headers(bindings: Callable[[], Sequence[HeaderBinding]]) -> Callable[[], Mapping[str, str]]:
    """The headers that the bindings lead to, read again when they change."""
    files: dict[str, ApiKeyFile] = {}

    def current() -> Mapping[str, str]:
        """Raises KeyProblem for a value that is missing, or none of a header."""
        return {each.name: value_of(each) for each in bindings()}

    def value_of(binding: HeaderBinding) -> str:
        what, ref = (f"the header {binding.name}", "secretRef") if not binding.bearer else ("the token", "tokenRef")
        value = files.setdefault(
            binding.file, ApiKeyFile(Path(binding.file), what, ref, spaces=not binding.bearer)
        ).key()
        return f"Bearer {value}" if binding.bearer else value

    return current


@dataclass(frozen=True)
class CardInterface:
    """Where an agent is asked, by its card."""

    url: str
    streams: bool


@dataclass
class RemoteAgent:
    """An agent at a URL, below which its card is."""

    url: str
    headers: Callable[[], Mapping[str, str]] = dict
    """Credentials of the moment, which go to its origin alone. It may raise KeyProblem."""
    _http: httpx2.AsyncClient | None = None
    _card: tuple[float, Any] | None = field(default=None)

    @property
    def http(self) -> httpx2.AsyncClient:
        """The connections to it, made at the first call."""
        if self._http is None:
            self._http = guarded_client(self._authorize, seconds=SILENCE_SECONDS)
        return self._http

    async def _authorize(self, request: httpx2.Request) -> None:
        request.headers.update(self.headers())

    async def endpoint(self) -> CardInterface:
        """Where it is asked. Its card is read again after some minutes.

        Raises:
            CallFailed: if it has no card that can be used.
        """
        return endpoint_of(await self.card(), self.url)

    async def card(self) -> Any:
        """What it says of itself: a JSON object that names where it is asked, and may say anything else.

        Raises:
            CallFailed: as `endpoint`.
        """
        if self._card is None or time.monotonic() - self._card[0] > CARD_SECONDS:
            try:
                card = await self._read_card()
            except Broken as error:
                raise unreachable(self.url, error) from error
            endpoint_of(card, self.url)
            self._card = time.monotonic(), card
        return self._card[1]

    async def _read_card(self) -> Any:
        async with self.http.stream("GET", urljoin(self.url.rstrip("/") + "/", CARD_PATH)) as response:
            body = await _whole(response, CARD_BYTES)
        if response.status_code != 200:
            log.warning("%s answers %s, and should be the card of an A2A agent", response.url, response.status_code)
            raise CallFailed("RemoteAgentUnreachable", f"its card answers {response.status_code}")
        return _json(body)

    def call(self, ask: Ask, *, key: str, name: str, context: str | None = None) -> "RemoteCall":
        """What asks it.

        Args:
            key: names the call, the same in every attempt.
            name: of the agent, for whoever reads of it.
            context: the conversation that the question belongs to.
        """
        return RemoteCall(self, ask, key, name, context)

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.aclose()


def endpoint_of(card: object, url: str) -> CardInterface:
    """The place that a card names for JSON-RPC.

    Raises:
        CallFailed: if it names none of version 1, or one at another origin than the card's: a card of somebody else
            would lead questions there.
    """
    interfaces = card.get("supportedInterfaces") if isinstance(card, Mapping) else None
    for each in interfaces if isinstance(interfaces, list) else ():
        if not isinstance(each, Mapping) or each.get("protocolBinding") != "JSONRPC":
            continue
        if str(each.get("protocolVersion")).split(".")[0] != "1":
            continue
        place = str(each.get("url"))
        if _origin(place) != _origin(url):
            log.warning("the card below %s names %s, which is at another origin", url, place[:200])
            raise CallFailed(
                "RemoteAgentRefused",
                "its card names a place at another origin: give the URL of that agent itself, if it is the one that is "
                "meant",
            )
        capabilities = card.get("capabilities") if isinstance(card, Mapping) else None
        return CardInterface(place, isinstance(capabilities, Mapping) and capabilities.get("streaming") is True)
    raise CallFailed("RemoteAgentRefused", f"its card names no JSON-RPC interface of A2A {VERSION}")


@dataclass
class RemoteCall:
    """One question to a remote agent."""

    remote: RemoteAgent
    ask: Ask
    key: str
    agent: str
    context: str | None = None
    _task: RemoteTask = field(default_factory=RemoteTask)

    def with_ask(self, ask: Ask, *, key: str) -> "RemoteCall":
        """The same with another question."""
        return RemoteCall(self.remote, ask, key, self.agent, self.context)

    async def events(self) -> AsyncGenerator[Event]:
        """What becomes of the question, as events of a run; the last one is its last, or an `InputRequired`.

        Raises:
            CallFailed: if it cannot be asked, or its answer cannot be used.
        """
        endpoint = await self.remote.endpoint()
        try:
            async with aclosing(self._asked(endpoint)) as coming:
                async for event in coming:
                    yield event
        except Broken as error:
            if not self._task.id:
                raise unreachable(self.remote.url, error) from error
        async for event in self._looked_up(endpoint):
            yield event
        if self._task.waits:
            yield InputRequired(id="remote", kind="form", answerers=("caller",), expires=0.0)

    async def cancel(self) -> None:
        """End its task, if that works at once."""
        if self._task.id:
            with suppress(CallFailed, *Broken):
                endpoint = await self.remote.endpoint()
                await self._rpc(endpoint, "CancelTask", {"id": self._task.id})

    async def _asked(self, endpoint: CardInterface) -> AsyncGenerator[Event]:
        if not endpoint.streams:
            for event in self._task.take(await self._rpc(endpoint, "SendMessage", self._params())):
                yield event
            return
        request = self._request(endpoint, "SendStreamingMessage", self._params())
        response = await self.remote.http.send(request, stream=True)
        try:
            if not response.headers.get("content-type", "").startswith("text/event-stream"):
                _result(_json(await _whole(response, ANSWER_BYTES)))
                raise Nonsense("no event stream")
            async for data in _frames(response):
                for event in self._task.take(_result(_json(data))):
                    yield event
                if self._task.rests:
                    return
        finally:
            await response.aclose()

    async def _looked_up(self, endpoint: CardInterface) -> AsyncGenerator[Event]:
        """What became of a task whose stream broke off, or which goes on after the answer."""
        lost = time.monotonic()
        while not self._task.rests:
            if not self._task.id:
                raise CallFailed("RemoteAgentFailed", "its answer ended before the task did")
            await asyncio.sleep(POLL_SECONDS)
            try:
                task = await self._rpc(endpoint, "GetTask", {"id": self._task.id})
            except Broken as error:
                if time.monotonic() - lost > PATIENCE_SECONDS:
                    raise unreachable(self.remote.url, error) from error
                continue
            lost = time.monotonic()
            for event in self._task.take({"task": task}):
                yield event

    def _params(self) -> Mapping[str, Any]:
        if self.ask.output_schema is not None:
            raise CallFailed("InvalidRequest", "This agent does not take: output_schema. Ask for text.")
        message: dict[str, Any] = {
            "messageId": self._name(),
            "role": "ROLE_USER",
            "parts": [_part(part) for part in self.ask.parts],
        }
        if self.context:
            message["contextId"] = self.context
        return {"message": message}

    def _name(self) -> str:
        return hashlib.sha256(self.key.encode()).hexdigest()[:32]

    def _request(self, endpoint: CardInterface, method: str, params: Mapping[str, Any]) -> httpx2.Request:
        headers = {"A2A-Version": VERSION, "Content-Type": "application/json", "Idempotency-Key": self._name()}
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        return self.remote.http.build_request("POST", endpoint.url, content=body, headers=headers)

    async def _rpc(self, endpoint: CardInterface, method: str, params: Mapping[str, Any]) -> Any:
        response = await self.remote.http.send(self._request(endpoint, method, params), stream=True)
        try:
            return _result(_json(await _whole(response, ANSWER_BYTES)))
        finally:
            await response.aclose()


def _part(part: object) -> Mapping[str, Any]:
    match part:
        case TextPart():
            return {"text": part.text}
        case DataPart():
            return {"data": part.data, "mediaType": "application/json"}
        case ImagePart():
            return {"raw": part.data, "mediaType": part.media_type}
        case _:
            raise CallFailed("InvalidRequest", "This agent does not take: file. Leave it out.")


def _result(answer: Any) -> Any:
    """Raises CallFailed for an error, and Nonsense for what is no answer."""
    if not isinstance(answer, Mapping):
        raise Nonsense("an answer that is no object")
    error = answer.get("error")
    if isinstance(error, Mapping):
        raise CallFailed("RemoteAgentFailed", f"it answers {error.get('code')}: {str(error.get('message'))[:300]}")
    if "result" not in answer:
        raise Nonsense("an answer without a result")
    return answer["result"]


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Nonsense("what is no JSON") from None


async def _whole(response: httpx2.Response, limit: int) -> bytes:
    """Raises Nonsense above the limit."""
    body = bytearray()
    async for piece in response.aiter_raw():
        body += piece
        if len(body) > limit:
            raise Nonsense(f"more than {limit} bytes")
    return bytes(body)


async def _frames(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The data of each event of a stream. Raises Nonsense above the limit."""
    rest, size = bytearray(), 0
    async for piece in response.aiter_raw():
        size += len(piece)
        if size > ANSWER_BYTES:
            raise Nonsense(f"more than {ANSWER_BYTES} bytes")
        rest += piece.replace(b"\r\n", b"\n")
        while (end := rest.find(b"\n\n")) >= 0:
            lines = bytes(rest[:end]).split(b"\n")
            del rest[: end + 2]
            if data := b"".join(line[5:].strip() for line in lines if line.startswith(b"data:")):
                yield data


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    try:
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        port = None
    return parts.scheme, parts.hostname, port


def unreachable(url: str, error: Exception) -> CallFailed:
    """It cannot be asked. Where it is, and which Secret is missing, is for logs: callers get to know the rest."""
    if isinstance(error, KeyProblem):
        log.warning("the A2A agent at %s was not asked: %s", url, error)
        return CallFailed("CredentialMissing", f"it was not asked: {error}")
    said = f"it sent {error}" if isinstance(error, Nonsense) else type(error).__name__
    log.warning("the A2A agent at %s cannot be asked: %s", url, f"{said}: {error}")
    return CallFailed("RemoteAgentUnreachable", f"it cannot be asked: {said}")
