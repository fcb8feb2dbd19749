"""Tools of plugins as tools of a model: listed and called through the gateway, by the run's grant, as its caller.

A list is a step, so a run that is taken over has the tools that it began with. A call is a step that must not run
twice, unless the server says that the tool only reads or may be repeated.
"""

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
from slipway_runtime.models.durable import METADATA
from slipway_runtime.models.scopes import SCOPES
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.run import Run

PLUGIN_MARK = "__"
"""Between the name of an entry and that of a tool."""
LONGEST_NAME = 64
MOST_BYTES = 8 * 1024 * 1024
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
        return FunctionToolset([_tool(plugin, calls, each, approved=approved) for each in tools])

    return DynamicToolset(made, id=f"plugin {plugin.name}")


def _run() -> Run:
    scopes = SCOPES.get()
    assert scopes is not None, "tools are listed within runs"
    return scopes.run


async def _listed(plugin: PluginConfig, calls: AgentCalls, run: Run) -> list[Mapping[str, Any]]:
    """The plugin's tools. One that cannot be asked has none: the model goes on without it, unless it is required."""
    try:
        result = await _asked(plugin, calls, run, "tools/list", {})
    except CallFailed as error:
        _check_required(plugin, error)
        return []
    tools = result.get("tools")
    return [each for each in tools if isinstance(each, dict)] if isinstance(tools, list) else []


def _check_required(plugin: PluginConfig, error: CallFailed) -> None:
    """Raise Problem if the answer needs the plugin."""
    if plugin.required:
        said = f"{error.reason}: {error.message.rstrip('.')}"
        detail = f"The plugin {plugin.plugin} is required, and gave no result ({said})."
        raise Problem(Reason.REQUIRED_TOOL_FAILED, detail) from error


def _tool(plugin: PluginConfig, calls: AgentCalls, listed: Mapping[str, Any], *, approved: bool) -> Tool[Any]:
    original = str(listed.get("name"))
    schema = listed.get("inputSchema")

    async def call(**arguments: Any) -> ToolReturn[str]:
        name = f"{plugin.name}{PLUGIN_MARK}{original}"
        try:
            params = {"name": original, "arguments": arguments}
            result = await _asked(plugin, calls, _run(), "tools/call", params, name=original)
        except CallFailed as error:
            _check_required(plugin, error)
            return ToolReturn(f"The tool gave no result ({error.reason}): {error.message} Say what is missing.")
        text = _text(result)
        if result.get("isError"):
            return ToolReturn(as_data(name, f"The tool failed: {text}"))
        return ToolReturn(as_data(name, text), metadata={SAID: text[:MOST_CHARACTERS]})

    made = Tool.from_schema(
        call,
        name=_name(plugin, original),
        description=str(listed.get("description") or original)[:2000],
        json_schema=schema if isinstance(schema, dict) else {"type": "object", "properties": {}},
    )
    made.metadata = {METADATA: {"repeat": "safe" if _repeatable(listed) else "never"}}
    made.requires_approval = approved
    return made


def _name(plugin: PluginConfig, tool: str) -> str:
    """What models call it: every provider takes these characters, and no more of them."""
    plain = "".join(each if (each.isalnum() and each.isascii()) or each in "_-" else "_" for each in tool)
    return f"{plugin.name}{PLUGIN_MARK}{plain}"[:LONGEST_NAME]


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
    plugin: PluginConfig, calls: AgentCalls, run: Run, method: str, params: Mapping[str, Any], *, name: str = ""
) -> Mapping[str, Any]:
    """The result of a request.

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
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    path = PLUGIN_PATH.format(namespace=namespace, name=plugin.plugin)
    timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, sock_connect=3.0)
    try:
        async with calls.http().post(path, json=body, headers=headers, timeout=timeout) as response:
            content = await _answer(response)
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
    """The one answer, as JSON or at the end of a stream. Raises ValueError."""
    if response.content_type != "text/event-stream":
        content = json.loads(await response.content.read(MOST_BYTES))
        if not isinstance(content, dict):
            raise ValueError("no object of JSON")
        return content
    size = 0
    async for line in response.content:
        size += len(line)
        if size > MOST_BYTES:
            raise ValueError("an answer that is too long")
        if line.startswith(b"data:"):
            content = json.loads(line[5:])
            if isinstance(content, dict) and "method" not in content:
                return content
    raise ValueError("a stream without an answer")
