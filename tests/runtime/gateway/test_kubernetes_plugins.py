"""What the gateway takes from Plugins of the API server."""

from typing import Any

from slipway_runtime.addresses import AddressRule
from slipway_runtime.gateway.plugins.source import KubernetesPlugins
from slipway_runtime.gateway.plugins.table import PluginTable
from slipway_runtime.gateway.reflector import ObjectKey
from slipway_runtime.gateway.routes import PluginKey, RouteTable
from slipway_runtime.plugins.server import ServerAccess

KEY = PluginKey("demo", "words")
MCP = {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}}


def stored(spec: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": "words", "namespace": "demo"}, "spec": {**MCP, **spec}, "status": status}


async def test_the_metadata_of_the_status_comes_before_that_of_the_manifest() -> None:
    table = PluginTable()
    source = KubernetesPlugins(table, RouteTable(), lambda _: ServerAccess(reach=AddressRule()))
    said, known = ({"metadata": {"name": "words", "version": version}} for version in ("1", "2"))
    versions = []
    for spec, status in (({}, {}), (said, {}), (said, known), ({}, {})):
        source.change_plugin(ObjectKey("demo", "words"), stored(spec, status))
        ((key, metadata),) = table.described()
        assert key == KEY
        versions.append(metadata.version if metadata else None)
    source.change_plugin(ObjectKey("demo", "words"), None)
    assert (versions, table.described()) == ([None, "1", "2", None], [])
    await table.aclose()
