"""Plugins of Python and WebAssembly: what their code provides, as a connector serves it."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from starlette.routing import BaseRoute

from slipway_crds.fields import parse_duration, parse_quantity
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import answer_seconds
from slipway_runtime.plugin_api import PluginTool
from slipway_runtime.plugins.loaded import LoadedPlugin, LoadedTool, PluginNotLoaded, ToolAnswer
from slipway_runtime.plugins.loading.code import CallLimits, PluginCode
from slipway_runtime.plugins.loading.code_plugin import CodePlugin
from slipway_runtime.plugins.loading.failures import PluginBroken, PluginCallFailed
from slipway_runtime.plugins.loading.loading import load_code


def code_of(plugin: Plugin) -> PluginCode:
    """What a loader of code has to know of a Plugin."""
    spec, name = plugin.spec, plugin.metadata.name
    config = spec.config or {}
    if spec.wasm is not None:
        limits = spec.wasm.limits
        bounds = CallLimits(
            fuel=limits.fuel,
            memory_bytes=int(parse_quantity(limits.memory)),
            seconds=parse_duration(limits.timeout).total_seconds(),
        )
        return PluginCode(name, "wasm", limits=bounds, config=config)
    assert spec.python is not None, "other types have no code"
    return PluginCode(name, "wheel" if spec.python.wheel else "module", entry=spec.python.entry or "", config=config)


async def load_code_plugin(plugin: Plugin, source: bytes, *, folder: Path) -> LoadedPlugin:
    """Load a plugin. Runs its code.

    Args:
        folder: where a wheel is unpacked.

    Raises:
        PluginNotLoaded: `PluginFailed`, if it cannot be loaded.
    """
    try:
        made = await asyncio.to_thread(_load, plugin, source, folder)
    except PluginBroken as error:
        raise PluginNotLoaded("PluginFailed", str(error)) from error
    seconds = answer_seconds(plugin)

    async def close() -> None:
        made.close()

    return LoadedPlugin(
        tools=[_tool(made, each, seconds) for each in made.tools],
        routes=_routes(made),
        metadata=_metadata(made),
        close=close,
    )


def _load(plugin: Plugin, source: bytes, folder: Path) -> CodePlugin:
    folder.mkdir(parents=True, exist_ok=True)
    return load_code(code_of(plugin), source, folder=folder)


def _metadata(made: CodePlugin) -> PluginMetadata | None:
    """With all of its extensions of the OpenAPI document."""
    if made.metadata is None:
        unnamed = PluginMetadata(name=made.name, version="0", openapi_extensions=dict(made.openapi))
        return unnamed if made.openapi else None
    return made.metadata.model_copy(update={"openapi_extensions": dict(made.openapi) or None})


def _routes(made: CodePlugin) -> list[BaseRoute]:
    return [route for router in made.routers for route in router.routes]


def _tool(made: CodePlugin, tool: PluginTool, seconds: float) -> LoadedTool:
    return LoadedTool(
        name=tool.name,
        description=tool.description,
        input_schema=tool.input_schema,
        call=partial(_call, made, tool.name, seconds),
        read_only=tool.read_only,
        repeatable=tool.read_only,
    )


async def _call(made: CodePlugin, name: str, seconds: float, arguments: Mapping[str, Any]) -> ToolAnswer:
    try:
        given = await made.call_tool(name, arguments, seconds=seconds)
    except PluginCallFailed as error:
        return ToolAnswer(str(error), failed=True)
    text = given if isinstance(given, str) else orjson.dumps(given, default=str).decode()
    return ToolAnswer(text, given if isinstance(given, dict) else None)
