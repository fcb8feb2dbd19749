"""Plugins of Python and WebAssembly: what their code provides, as a connector serves it."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from prometheus_client import REGISTRY
from starlette.routing import Mount

from slipway_crds.contract import GATEWAY_URL, PLUGIN_FAILED
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import answer_seconds
from slipway_runtime.connector.agent_questions import AgentQuestions
from slipway_runtime.plugin_api import PluginTool
from slipway_runtime.plugins.loaded import LoadedPlugin, LoadedTool, PluginNotLoaded, ToolAnswer
from slipway_runtime.plugins.loading.apart import Apart
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed, for_callers, for_log, told
from slipway_runtime.plugins.loading.loading import load_isolated
from slipway_runtime.plugins.loading.questions import ROUNDS, AskedOfAgents

log = logging.getLogger(__name__)


async def load_code_plugin(
    plugin: Plugin, source: bytes, *, folder: Path, gateway_url: str = GATEWAY_URL
) -> LoadedPlugin:
    """Load a plugin. Runs its code.

    Args:
        folder: where a wheel is unpacked.
        gateway_url: where the plugin's questions for agents go.

    Raises:
        PluginNotLoaded: `PluginFailed`, if it cannot be loaded.
    """
    try:
        made = await load_isolated(plugin, source, folder=folder)
        _register(made)
    except PluginBroken as error:
        raise PluginNotLoaded(PLUGIN_FAILED, str(error)) from error
    seconds = answer_seconds(plugin)
    questions = AgentQuestions(gateway_url, plugin.metadata.namespace, seconds=seconds)

    async def close() -> None:
        for each in made.collectors:
            REGISTRY.unregister(each)
        made.close()

    return LoadedPlugin(
        tools=[_tool(made, each, seconds, questions) for each in made.tools],
        routes=[Mount("/", app=Apart(made.app, made.isolated.loop, seconds=seconds))] if made.app is not None else [],
        metadata=_metadata(made),
        close=close,
    )


def _metadata(made: CodePlugin) -> PluginMetadata | None:
    """With all of its extensions of the OpenAPI document."""
    if made.metadata is None:
        unnamed = PluginMetadata(name=made.name, version="0", openapi_extensions=dict(made.openapi))
        return unnamed if made.openapi else None
    return made.metadata.model_copy(update={"openapi_extensions": dict(made.openapi) or None})


def _register(made: CodePlugin) -> None:
    """Serve its metrics along with those of the process. Raises PluginBroken for one whose name is taken."""
    for number, each in enumerate(made.collectors):
        try:
            REGISTRY.register(each)
        except Exception as error:
            for former in made.collectors[:number]:
                REGISTRY.unregister(former)
            made.close()
            raise PluginBroken(f"its metrics cannot be served ({told(error)}): give them names of their own") from error


def _tool(made: CodePlugin, tool: PluginTool, seconds: float, questions: AgentQuestions) -> LoadedTool:
    return LoadedTool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        call=partial(_call, made, tool.name, seconds, questions),
        read_only=tool.read_only,
        repeatable=tool.read_only,
    )


async def _call(
    made: CodePlugin, name: str, seconds: float, questions: AgentQuestions, arguments: Mapping[str, Any]
) -> ToolAnswer:
    try:
        async with asyncio.timeout(seconds):
            given = await made.call_tool(name, arguments, seconds=seconds)
            for _ in range(ROUNDS):
                if not isinstance(given, AskedOfAgents):
                    break
                given = await made.resume(given, await questions.answers(given.asked), seconds=seconds)
    except TimeoutError:
        return ToolAnswer(for_callers(made.name, "TimedOut"), failed=True)
    except PluginCallFailed as error:
        if error.kind == "ToolFailed":
            return ToolAnswer(error.message, failed=True)
        log.warning("a tool of a plugin failed: %s", for_log(error), extra={"plugin": made.name, "tool": name})
        return ToolAnswer(for_callers(made.name, error.kind), failed=True)
    if isinstance(given, AskedOfAgents):
        return ToolAnswer(f"the plugin {made.name} asks agents more than {ROUNDS} times for one call", failed=True)
    text = given if isinstance(given, str) else orjson.dumps(given, default=str).decode()
    return ToolAnswer(text, given if isinstance(given, dict) else None)
