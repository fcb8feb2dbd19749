"""What results have apart from their content: what each era wants of them."""

from collections.abc import Mapping, Sequence
from typing import Any

from mcp_types import SERVER_INFO_META_KEY

from slipway_runtime.protocols.mcp.eras import Context
from slipway_runtime.protocols.mcp.messages import Json
from slipway_runtime.version import VERSION


def finished(content: Json, context: Context, *, method: str, info: Json) -> Json:
    """A result as its era wants it.

    What a caller may see depends on who it is, and may change at any time: no cache in between keeps lists.

    Args:
        info: name and version of the server.
    """
    if not context.modern:
        return content
    from mcp_types.methods import CACHEABLE_METHODS  # see `eras`

    cache: Json = {"ttlMs": 0, "cacheScope": "private"} if method in CACHEABLE_METHODS else {}
    meta = {**content.get("_meta", {}), SERVER_INFO_META_KEY: dict(info)}
    return {"resultType": "complete", **cache, **content, "_meta": meta}


def info(name: str, title: str) -> Json:
    """What a server says it is."""
    return {"name": name, "title": title, "version": VERSION}


def text(words: str, **more: Any) -> Json:
    """A tool's result in words."""
    return {"content": [{"type": "text", "text": words}], **more}


def failed(words: str) -> Json:
    """A tool's result for the model to read: the tool could not do it."""
    return text(words, isError=True)


def tool(name: str, description: str, properties: Mapping[str, Json], required: Sequence[str], **hints: bool) -> Json:
    """A tool as it is listed."""
    schema = {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}
    return {"name": name, "description": description, "inputSchema": schema, "annotations": hints}
