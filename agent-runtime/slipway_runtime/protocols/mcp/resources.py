"""Addresses of resources in results of a source, as the federated server has them."""

from collections.abc import Callable, Mapping
from typing import Any

from slipway_runtime.protocols.mcp.messages import Json


def with_outer_uris(result: Json, outer: Callable[[str], str]) -> Json:
    """A result of `tools/call`, `prompts/get` or `resources/read` with other addresses; all else stays."""
    changed: dict[str, Any] = dict(result)
    if isinstance(contents := result.get("contents"), list):
        changed["contents"] = [_resource(each, outer) for each in contents]
    if isinstance(content := result.get("content"), list):
        changed["content"] = [_block(each, outer) for each in content]
    if isinstance(messages := result.get("messages"), list):
        changed["messages"] = [
            {**each, "content": _block(each["content"], outer)}
            if isinstance(each, Mapping) and "content" in each
            else each
            for each in messages
        ]
    return changed


def _block(block: Any, outer: Callable[[str], str]) -> Any:
    if not isinstance(block, Mapping):
        return block
    if block.get("type") == "resource_link":
        return _resource(block, outer)
    if block.get("type") == "resource":
        return {**block, "resource": _resource(block.get("resource"), outer)}
    return block


def _resource(resource: Any, outer: Callable[[str], str]) -> Any:
    if not isinstance(resource, Mapping) or not isinstance(resource.get("uri"), str):
        return resource
    return {**resource, "uri": outer(resource["uri"])}
