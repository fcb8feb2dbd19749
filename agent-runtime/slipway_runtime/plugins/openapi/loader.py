"""A plugin of type `openapi`: its document read, and a tool for each operation."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import aiohttp

from slipway_crds.fields import parse_duration
from slipway_crds.plugins.metadata import PluginMetadata, checked_or_none
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import CONNECT_SECONDS
from slipway_runtime.plugins.connection import new_session
from slipway_runtime.plugins.loaded import Arguments, LoadedPlugin, LoadedTool, ToolAnswer
from slipway_runtime.plugins.openapi.calling import WrongArguments, called, request_of
from slipway_runtime.plugins.openapi.document import invalid, read_document
from slipway_runtime.plugins.openapi.operations import READING, REPEATABLE, ApiOperation, ApiOperations, operations_of
from slipway_runtime.plugins.server import ServerAccess


async def load_openapi(plugin: Plugin, source: bytes, access: ServerAccess, *, service_host: str) -> LoadedPlugin:
    """The plugin of a document.

    Args:
        access: how the API is called.
        service_host: where Services are; by their names in the cluster if empty.

    Raises:
        PluginNotLoaded: if the document cannot be used.
    """
    api = plugin.spec.openapi
    assert api is not None, "only Plugins of type openapi have a document"
    operations, metadata = await asyncio.to_thread(_read, plugin, source)
    seconds = parse_duration(api.timeout).total_seconds()
    session = new_session(access.reach, timeout=seconds, connect_timeout=CONNECT_SECONDS, tls=access.tls)
    call = partial(_call, session=session, access=access, base=base_url(plugin, service_host), seconds=seconds)
    tools = [_tool(each, partial(call, each)) for each in operations.known]
    return LoadedPlugin(tools=tools, metadata=metadata, note=operations.note, close=session.close)


def base_url(plugin: Plugin, service_host: str) -> str:
    """What the paths of the document come after."""
    api = plugin.spec.openapi
    assert api is not None, "only Plugins of type openapi have a document"
    if api.base_url:
        return api.base_url
    service = api.service_ref
    assert service is not None, "one of the two is given"
    host = service_host or f"{service.name}.{plugin.metadata.namespace}.svc"
    return f"http://{host}:{service.port}{service.path}"


def _read(plugin: Plugin, source: bytes) -> tuple[ApiOperations, PluginMetadata | None]:
    """What of the document is used. Raises PluginNotLoaded."""
    assert plugin.spec.openapi is not None, "only Plugins of type openapi have a document"
    document = read_document(source)
    found = operations_of(document, plugin.spec.openapi.operations)
    if not found.known:
        raise invalid(f"has no operation that can be called{': ' + found.note if found.note else ''}")
    return found, metadata_of(document, plugin.metadata.name)


def metadata_of(document: Mapping[str, Any], name: str) -> PluginMetadata | None:
    """What a document's `info` says; None if it has no version that can be compared."""
    info = document.get("info")
    if not isinstance(info, dict):
        return None
    contact = info.get("contact")
    author = contact.get("name") if isinstance(contact, dict) else ""
    texts = {"description": info.get("title"), "author": author, "version": info.get("version")}
    most = {"description": 512, "author": 128, "version": 64}
    said = {key: str(value or "")[: most[key]] for key, value in texts.items()}
    return checked_or_none({"name": name, **said})


def _tool(operation: ApiOperation, call: Callable[[Arguments], Awaitable[ToolAnswer]]) -> LoadedTool:
    method = operation.method.lower()
    return LoadedTool(
        name=operation.name,
        description=operation.description,
        input_schema=operation.input_schema,
        call=call,
        read_only=method in READING,
        repeatable=method in REPEATABLE,
    )


async def _call(
    operation: ApiOperation,
    arguments: Arguments,
    *,
    session: aiohttp.ClientSession,
    access: ServerAccess,
    base: str,
    seconds: float,
) -> ToolAnswer:
    try:
        asked = request_of(operation, arguments, base)
    except WrongArguments as error:
        return ToolAnswer(str(error), failed=True)
    return await called(session, access, asked, seconds=seconds)
