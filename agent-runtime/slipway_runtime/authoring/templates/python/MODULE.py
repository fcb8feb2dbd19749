"""What the plugin NAME does. Say it in a sentence."""

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter

from slipway_runtime.plugin_api import PluginMetadata, PluginTool, hookimpl, tool


@hookimpl
def slipway_metadata() -> PluginMetadata:
    """What the plugin is, and which other plugins it needs."""
    return PluginMetadata(name="MODULE", version="0.1.0", description="Greets people.", author="You", dependencies=())


@hookimpl
def slipway_tools(config: Mapping[str, Any]) -> list[PluginTool]:
    """Tools, for callers and for agents. `config` is `spec.config` of the Plugin."""

    @tool(read_only=True)
    def greet(name: str) -> str:
        """Greet somebody.

        Args:
            name: who is greeted.
        """
        return f"{config.get('greeting', 'Hello')}, {name}!"

    return [greet]


@hookimpl
def slipway_router(config: Mapping[str, Any]) -> APIRouter:
    """Endpoints of HTTP, below /plugins/demo/NAME."""
    router = APIRouter()

    @router.get("/greeting")
    def greeting() -> dict[str, str]:
        """The greeting that is used."""
        return {"greeting": str(config.get("greeting", "Hello"))}

    return router
