"""What the OpenAPI document says of plugins: `x-plugins`, and the extensions that they bring along."""

from collections.abc import Iterable
from typing import Any

from slipway_crds.plugins.metadata import PluginMetadata
from slipway_runtime.gateway.routes import PluginKey

FIELD = "x-plugins"
PATH = "/plugins/{namespace}/{name}"


def plugin_fields(plugins: Iterable[tuple[PluginKey, PluginMetadata | None]]) -> dict[str, Any]:
    """Fields of the document. Of two plugins with an extension of the same name, the first one's is the document's;
    both are in `x-plugins`.

    Args:
        plugins: those that the reader may use, sorted.
    """
    entries: list[dict[str, Any]] = []
    extensions: dict[str, Any] = {}
    for key, metadata in plugins:
        path = PATH.format(namespace=key.namespace, name=key.name)
        entry: dict[str, Any] = {"namespace": key.namespace, "name": key.name, "path": path}
        if metadata is not None:
            own = {name: _placed(value, path) for name, value in (metadata.openapi_extensions or {}).items()}
            entry["metadata"] = {**metadata.model_dump(mode="json", by_alias=False), "openapi_extensions": own}
            extensions = {**own, **extensions}
        entries.append(entry)
    return {**extensions, FIELD: entries}


def _placed(value: object, path: str) -> object:
    """The value with the plugin's path before each of its own paths, also in a list."""
    if isinstance(value, str) and value.startswith("/"):
        return path + value
    return [_placed(each, path) for each in value] if isinstance(value, list) else value
