"""The paths of plugins."""

from slipway_crds.contract import PLUGIN_HTTP_PATH, PLUGIN_PATH
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.plugins.http_path import METHODS, PluginHttpPath
from slipway_runtime.gateway.plugins.path import PluginPath


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    return [
        # The specification of MCP says what is there, so the document has nothing of it.
        Endpoint(("POST", "GET", "DELETE"), PLUGIN_PATH, answered_by(PluginPath(gateway))),
        # Each plugin has a document of its own below its path.
        Endpoint(METHODS, PLUGIN_HTTP_PATH, answered_by(PluginHttpPath(gateway))),
    ]
