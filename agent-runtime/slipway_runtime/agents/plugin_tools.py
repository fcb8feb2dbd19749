"""Tools of plugins as tools of a model: listed and called through the gateway, by the run's grant, as its caller.

A list is a step, so a run that is taken over has the tools that it began with. A call is a step that must not run
twice, unless the server says that the tool only reads or may be repeated. It has the same `Idempotency-Key` then.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import aiohttp
from pydantic_ai import FunctionToolset, RunContext, Tool
from pydantic_ai.messages import ToolReturn
from pydantic_ai.toolsets import AbstractToolset, DynamicToolset

from slipway_crds.contract import PLUGIN_PATH
from slipway_crds.runtimeconfig import PluginConfig
from slipway_runtime.agents.calling import AgentCalls, CallFailed, run_headers
from slipway_runtime.agents.tool_results import MOST_CHARACTERS, SAID, as_data
from slipway_runtime.models.durable import METADATA, current_unit
from slipway_runtime.models.scopes import SCOPES
from slipway_runtime.plugins.event_streams import EventReader, TooLong, data_of, loads
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.headers import IDEMPOTENCY_HEADER
from slipway_runtime.run import Run
from slipway_runtime.tool_names import Names

MOST_BYTES = 8 * 1024 * 1024
"""Of an answer, with all that comes before it in its stream."""
MOST_TOOLS = 1000
MOST_PAGES = 100
CALL_SECONDS = 1800.0
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
    "io.modelcontextprotocol/clientInfo": {"name": "slipway-agent", "version": "1"},
}


def plugin_toolsets(
    plugins: Sequence[PluginConfig], calls: AgentCalls, *, approved: Collection[str] = ()
) -> list[AbstractToolset[Any]]:
    """The tools of each of the plugins.

    Args:
        approved: names of the entries whose calls a person has to approve.
    """
    return [_toolset(each, calls, approved=each.name in approved) for each in plugins]


def _toolset(plugin: PluginConfig, calls: AgentCalls, *, approved: bool) -> AbstractToolset[Any]:
    async def made(_: RunContext[Any]) -> AbstractToolset[Any]:
        run = _run()
        tools = await _listed(plugin, calls, run)
        names = Names(plugin.name, list(tools))
        return FunctionToolset(
            [
                _tool(plugin, calls, each, name=names.outer(original), approved=approved)
                for original, each in tools.items()
                if names.inner(names.outer(original)) == original
            ]
        )

    return DynamicToolset(made, id=f"plugin {plugin.name}")


def _run() -> Run:
    scopes = SCOPES.get()
    assert scopes is not None, "tools are listed within runs"
    return scopes.run


def _key() -> str:
    """Of the step that calls."""
    unit = current_unit()
    assert unit is not None, "tools are called within steps"
    return hashlib.sha256(unit.key.encode()).hexdigest()


async def _listed(plugin: PluginConfig, calls: AgentCalls, run: Run) -> dict[str, Mapping[str, Any]]:
    """The plugin's tools by their names there. One that cannot be asked has none: the model goes on without it, unless
    it is required."""
    found: dict[str, Mapping[str, Any]] = {}
    params: dict[str, Any] = {}
    try:
        for _ in range(MOST_PAGES):
            result = await _asked(plugin, calls, run, "tools/list", params)
            tools = result.get("tools")
            for each in tools if isinstance(tools, list) else []:
                if isinstance(each, dict) and isinstance(each.get("name"), str):
                    found.setdefault(each["name"], each)
            following = result.get("nextCursor")
            if not isinstance(following, str) or not following or len(found) >= MOST_TOOLS:
                break
            params = {"cursor": following}
    except CallFailed as error:
        _check_required(plugin, error)
        return {}
    return dict(list(found.items())[:MOST_TOOLS])


def _check_required(plugin: PluginConfig, error: CallFailed) -> None:
    """Raise Problem if the answer needs the plugin."""
    if plugin.required:
        said = f"{error.reason}: {error.message.rstrip('.')}"
        detail = f"The plugin {plugin.plugin} is required, and gave no result ({said})."
        raise Problem(Reason.REQUIRED_TOOL_FAILED, detail) from error


def _tool(
    plugin: PluginConfig, calls: AgentCalls, listed: Mapping[str, Any], *, name: str, approved: bool
) -> Tool[Any]:
    original = str(listed["name"])
    schema = listed.get("inputSchema")

    async def call(**arguments: Any) -> ToolReturn[str]:
        try:
            params = {"name": original, "arguments": arguments}
            result = await _asked(plugin, calls, _run(), "tools/call", params, name=original, key=_key())
        except CallFailed as error:
            _check_required(plugin, error)
            return ToolReturn(f"The tool gave no result ({error.reason}): {error.message} Say what is missing.")
        text = _text(result)
        if result.get("isError"):
            return ToolReturn(as_data(name, f"The tool failed: {text}"))
        return ToolReturn(as_data(name, text), metadata={SAID: text[:MOST_CHARACTERS]})

    made = Tool.from_schema(
        call,
        name=name,
        description=str(listed.get("description") or original)[:2000],
        json_schema=schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
    )
    made.metadata = {METADATA: {"repeat": "safe" if _repeatable(listed) else "never"}}
    made.requires_approval = approved
    return made


def _repeatable(listed: Mapping[str, Any]) -> bool:
    hints = listed.get("annotations")
    return isinstance(hints, Mapping) and (hints.get("readOnlyHint") is True or hints.get("idempotentHint") is True)


def _text(result: Mapping[str, Any]) -> str:
    """What a model reads of a result: its texts, and of other blocks what they are."""
    blocks = result.get("content")
    parts = [_block(each) for each in blocks if isinstance(each, dict)] if isinstance(blocks, list) else []
    if not parts and result.get("structuredContent") is not None:
        parts = [json.dumps(result["structuredContent"], ensure_ascii=False)]
    return "\n\n".join(filter(None, parts)) or "The tool gave nothing."


def _block(block: Mapping[str, Any]) -> str:
    if block.get("type") == "text":
        return str(block.get("text"))
    resource = block.get("resource")
    if isinstance(resource, Mapping) and isinstance(resource.get("text"), str):
        return str(resource["text"])
    return f"[{block.get('type')}: {block.get('uri') or block.get('mimeType') or 'not shown'}]"


async def _asked(
    plugin: PluginConfig,
    calls: AgentCalls,
    run: Run,
    method: str,
    params: Mapping[str, Any],
    *,
    name: str = "",
    key: str = "",
) -> Mapping[str, Any]:
    """The result of a request.

    Args:
        name: of the tool.
        key: names the call within the run, the same in every attempt.

    Raises:
        CallFailed: if there is none.
    """
    namespace = run.agent.partition("/")[0]
    headers = run_headers(run) | {
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": method,
    }
    if name:
        headers["Mcp-Name"] = name
    if key:
        headers[IDEMPOTENCY_HEADER] = key
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    path = PLUGIN_PATH.format(namespace=namespace, name=plugin.plugin)
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=3.0)
    try:
        async with calls.http().post(path, json=body, headers=headers, timeout=timeout) as response:
            content = await _answer(response)
    except TooLong as error:
        raise CallFailed("AnswerTooLarge", f"It answered {error}.") from None
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        said = str(error) or type(error).__name__
        unknown = f"The gateway gave no answer: {said}. What was done is not known."
        raise CallFailed("GatewayUnreachable", unknown) from None
    refusal, result = content.get("error"), content.get("result")
    if isinstance(result, dict):
        return result
    told = refusal if isinstance(refusal, dict) else content
    data = told.get("data")
    reason = data.get("reason") if isinstance(data, dict) else content.get("reason")
    message = told.get("message") or content.get("detail") or "there is no reason given"
    raise CallFailed(str(reason or "ToolRefused"), f"{str(message)[:500].rstrip('.')}.")


async def _answer(response: aiohttp.ClientResponse) -> Mapping[str, Any]:
    """The one answer, as JSON or in a stream.

    Raises:
        CallFailed: for more than 8 MiB.
        ValueError: if there is none.
    """
    stream = response.content_type == "text/event-stream"
    reader, body, size = EventReader(), bytearray(), 0
    async for piece in response.content.iter_any():
        size += len(piece)
        if size > MOST_BYTES:
            raise CallFailed("AnswerTooLarge", f"It answered more than {MOST_BYTES // 2**20} MiB.")
        if not stream:
            body += piece
        elif (found := _first(reader.feed(piece))) is not None:
            return found
    if not stream:
        return loads(bytes(body))
    if (found := _first(reader.end())) is None:
        raise ValueError("a stream without an answer")
    return found


def _first(events: Sequence[bytes]) -> Mapping[str, Any] | None:
    """The first answer in events; None if there is none."""
    return next((each for each in map(data_of, events) if each is not None and "method" not in each), None)
