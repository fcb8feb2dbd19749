"""Calls of agents through the gateway: which agents there are, what their tools take, and what they answer.

An agent's tools are those of its MCP server, and a call names itself by an idempotency key, so that one which is
repeated attaches to what the first one began.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import aiohttp
import orjson

from slipway_crds import contract
from slipway_runtime import retrying
from slipway_runtime.plugins.event_streams import EventReader, TooLong, data_of, loads
from slipway_runtime.telemetry.tracing import outgoing
from slipway_runtime.workflows.records import WorkflowRun
from slipway_runtime.workflows.steps.failures import TryFailed

VERSION = "2026-07-28"
CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""Less than the 5 s after which a gateway closes an unused connection."""
LISTED_SECONDS = 5.0
"""How long lists of agents and of their tools are kept."""
OUTPUT_BYTES = 10 * 1024 * 1024
"""Of what a step gives."""
ANSWER_BYTES = OUTPUT_BYTES + 1024 * 1024
CONTEXT_META = "slipway.dev/context"
KEY_META = "slipway.dev/idempotency-key"
FINAL = frozenset(
    {"InvalidRequest", "InvalidJSON", "Unauthenticated", "NotAMember", "AgentNotFound", "QuestionTooLarge", "NotFound"}
)
"""Reasons of problems that no other try removes."""

PASSING = frozenset(
    {"NoPodReady", "Draining", "Overloaded", "RateLimited", "NotReady", "StoreUnavailable", "IdentityUnavailable"}
)
"""Reasons that may be gone in a moment, with which nothing was done."""
PATIENCE_SECONDS = 20.0
"""How long a call is sent again without counting as a try."""
T = TypeVar("T")

Headers = Callable[[WorkflowRun], Mapping[str, str]]
"""By what a run proves for whom it asks."""


@dataclass(frozen=True)
class CapableAgent:
    """An agent as the gateway lists it."""

    name: str
    ready: bool
    capabilities: frozenset[str]
    knowledge: tuple[str, ...]


@dataclass(frozen=True)
class StepCall:
    """A call of a tool of an agent."""

    agent: str
    """Without its namespace, which is the run's."""
    tool: str
    arguments: Mapping[str, Any]
    context: Mapping[str, Any]
    """The outputs of steps before, and what this one requires."""
    key: str
    """The same for the same call."""
    repeatable: bool = True
    """Whether it may be sent again when nobody knows what came of it."""


class GatewayCalls:
    """The way of one worker to the agents of its namespace. It connects at the first call.

    Args:
        url: the gateway's.
        headers: by what a run proves for whom it asks.
    """

    def __init__(self, url: str, headers: Headers) -> None:
        self._url = url.rstrip("/")
        self._headers = headers
        self._http: aiohttp.ClientSession | None = None
        self._kept: dict[tuple[str, ...], tuple[float, Any]] = {}

    async def agents(self, run: WorkflowRun) -> tuple[CapableAgent, ...]:
        """The agents of the run's namespace, by name. Kept for some seconds.

        Raises:
            TryFailed: if the gateway does not say.
        """

        async def ask() -> tuple[CapableAgent, ...]:
            listed = (await self._json("GET", "/agents", run)).get("agents") or ()
            here = (each for each in listed if each.get("namespace") == namespace)
            return tuple(sorted(map(_listed, here), key=lambda agent: agent.name))

        namespace = run.workflow.partition("/")[0]
        found: tuple[CapableAgent, ...] = await _patiently(
            lambda: self._remembered(("agents", namespace, run.caller), ask), repeatable=True
        )
        return found

    async def call(self, run: WorkflowRun, call: StepCall) -> Any:
        """What a tool gives: its structured content, or its text as `{"text": ...}`.

        Raises:
            TryFailed: if it gives nothing.
        """
        return await _patiently(lambda: self._called(run, call), repeatable=call.repeatable)

    async def _called(self, run: WorkflowRun, call: StepCall) -> Any:
        arguments = dict(call.arguments)
        given = await self._context_argument(run, call)
        if given is not None:
            arguments.setdefault("context", given)
        params = {"name": call.tool, "arguments": arguments}
        meta = {CONTEXT_META: call.context, KEY_META: call.key}
        result = await self._rpc(run, call.agent, "tools/call", params, name=call.tool, meta=meta, key=call.key)
        return _output(call, result)

    async def _context_argument(self, run: WorkflowRun, call: StepCall) -> Any:
        """The context as the tool takes it: an object, or its JSON as a text; None if it takes none."""
        tools = await self._tools(run, call.agent)
        if call.tool not in tools:
            has = ", ".join(sorted(tools)) or "none"
            raise TryFailed("NoSuchTool", f"agent {call.agent} has no tool {call.tool}; it has {has}", final=True)
        properties = (tools[call.tool].get("inputSchema") or {}).get("properties") or {}
        schema = properties.get("context")
        if not isinstance(schema, Mapping):
            return None
        if "object" in _types(schema) or not _types(schema):
            return call.context
        return orjson.dumps(call.context).decode()[: _longest(schema)]

    async def _tools(self, run: WorkflowRun, agent: str) -> Mapping[str, Mapping[str, Any]]:
        async def ask() -> Mapping[str, Mapping[str, Any]]:
            result = await self._rpc(run, agent, "tools/list", {})
            return {each["name"]: each for each in result.get("tools") or ()}

        found: Mapping[str, Mapping[str, Any]] = await self._remembered(("tools", run.workflow, agent, run.caller), ask)
        return found

    async def _remembered(self, key: tuple[str, ...], ask: Callable[[], Any]) -> Any:
        kept = self._kept.get(key)
        if kept is not None and time.monotonic() - kept[0] < LISTED_SECONDS:
            return kept[1]
        found = await ask()
        if len(self._kept) >= 1024:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), found)
        return found

    async def _rpc(
        self,
        run: WorkflowRun,
        agent: str,
        method: str,
        params: Mapping[str, Any],
        *,
        name: str = "",
        meta: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> Mapping[str, Any]:
        namespace = run.workflow.partition("/")[0]
        path = contract.AGENT_PATH.format(namespace=namespace, name=agent) + "/mcp"
        headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": VERSION}
        headers |= {"Mcp-Method": method, **({"Mcp-Name": name} if name else {})}
        headers |= {"Idempotency-Key": key} if key else {}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": {**META, **(meta or {})}}}
        content = await self._json("POST", path, run, body=orjson.dumps(body), headers=headers)
        result, refusal = content.get("result"), content.get("error")
        if isinstance(result, Mapping):
            return result
        told = refusal if isinstance(refusal, Mapping) else content
        data = told.get("data")
        reason = data.get("reason") if isinstance(data, Mapping) else None
        raise _refused(str(reason or "ToolRefused"), str(told.get("message") or "no reason is given"))

    async def _json(
        self,
        method: str,
        path: str,
        run: WorkflowRun,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, Any]:
        sent = {"Content-Type": "application/json", **(headers or {}), **self._headers(run)}
        outgoing(sent)
        try:
            async with self._session().request(method, path, data=body, headers=sent) as response:
                content = await _answer(response)
        except TooLong as error:
            raise TryFailed("OutputTooLarge", f"the answer has {error}", final=True) from None
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            said = str(error) or type(error).__name__
            unsent = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
            message = f"the gateway gave no answer: {said}"
            raise TryFailed("GatewayUnreachable", message, known=unsent, passing=True) from None
        if response.status >= 400 and "reason" in content:
            raise _refused(str(content["reason"]), str(content.get("detail")))
        return content

    def _session(self) -> aiohttp.ClientSession:
        if self._http is None:
            self._http = aiohttp.ClientSession(
                self._url,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            )
        return self._http

    async def close(self) -> None:
        """Close all connections."""
        if self._http is not None:
            await self._http.close()


META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "slipway-worker", "version": "1"},
}


def _refused(reason: str, message: str) -> TryFailed:
    return TryFailed(reason, message[:1000], final=reason in FINAL, passing=reason in PASSING)


async def _patiently(step: Callable[[], Awaitable[T]], *, repeatable: bool) -> T:
    """A call, again and again while somebody on the way is not there. Raises TryFailed."""

    def again(error: BaseException) -> bool:
        return isinstance(error, TryFailed) and error.passing and (repeatable or error.known)

    return await retrying.retry(step, policy=retrying.REFUSED, on=again, seconds=PATIENCE_SECONDS)


async def _answer(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """The one answer, as JSON or in a stream. Raises TryFailed for one that is too large, ValueError for none."""
    stream = response.content_type == "text/event-stream"
    reader, body, size = EventReader(longest=ANSWER_BYTES), bytearray(), 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > ANSWER_BYTES:
            raise TryFailed("OutputTooLarge", f"the answer has more than {OUTPUT_BYTES // 2**20} MiB", final=True)
        if not stream:
            body += piece
            continue
        for event in map(data_of, reader.feed(piece)):
            if event is not None and "method" not in event:
                return event
    if not stream:
        return loads(bytes(body))
    raise ValueError("the stream ended without an answer")


def _output(call: StepCall, result: Mapping[str, Any]) -> Any:
    blocks = [each for each in result.get("content") or () if isinstance(each, Mapping)]
    text = "\n\n".join(str(each.get("text")) for each in blocks if each.get("type") == "text")
    if result.get("isError"):
        structured = result.get("structuredContent")
        reason = structured.get("reason") if isinstance(structured, Mapping) else None
        said = text[:1000] or "it says nothing"
        raise TryFailed(str(reason or "ToolFailed"), f"{call.tool} of agent {call.agent} failed: {said}")
    if isinstance(result.get("structuredContent"), Mapping):
        return result["structuredContent"]
    return {"text": text}


def _listed(each: Mapping[str, Any]) -> CapableAgent:
    return CapableAgent(
        str(each["name"]),
        bool(each.get("ready")),
        frozenset(map(str, each.get("capabilities") or ())),
        tuple(map(str, each.get("knowledge") or ())),
    )


def _types(schema: Mapping[str, Any]) -> set[str]:
    types = [schema.get("type"), *(each.get("type") for each in schema.get("anyOf") or ())]
    return {each for each in types if isinstance(each, str)}


def _longest(schema: Mapping[str, Any]) -> int | None:
    found = [each.get("maxLength") for each in (schema, *(schema.get("anyOf") or ()))]
    return next((each for each in found if isinstance(each, int)), None)
