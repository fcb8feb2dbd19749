"""What loads each type of plugin: one row a type."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_crds.contract import GATEWAY_URL
from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.types import PluginType
from slipway_runtime.addresses import AddressRule
from slipway_runtime.connector.code_loader import load_code_plugin
from slipway_runtime.connector.credential_files import access_of
from slipway_runtime.plugins.loaded import LoadedPlugin, PluginNotLoaded
from slipway_runtime.plugins.openapi.loader import load_openapi
from slipway_runtime.plugins.sources import read_source


@dataclass(frozen=True)
class Surroundings:
    """What a plugin is loaded within.

    Args:
        folder: of this plugin's files: its source, credentials and keys.
        reach: the addresses that it may have its source and its API at.
        service_host: where Services are; by their names in the cluster if empty.
        unpacked: a folder of this plugin alone that it may be unpacked in.
        gateway_url: where it may ask agents.
    """

    folder: Path
    reach: AddressRule
    service_host: str = ""
    unpacked: Path = Path("/tmp/plugin")
    gateway_url: str = GATEWAY_URL


Loader = Callable[[Plugin, bytes, Surroundings], Awaitable[LoadedPlugin]]
"""Makes a plugin of its bytes, which have been checked. Raises PluginNotLoaded."""


async def _openapi(plugin: Plugin, source: bytes, surroundings: Surroundings) -> LoadedPlugin:
    access = access_of(plugin, surroundings.folder, surroundings.reach)
    return await load_openapi(plugin, source, access, service_host=surroundings.service_host)


async def _code(plugin: Plugin, source: bytes, surroundings: Surroundings) -> LoadedPlugin:
    return await load_code_plugin(plugin, source, folder=surroundings.unpacked, gateway_url=surroundings.gateway_url)


LOADERS: Mapping[PluginType, Loader] = {"openapi": _openapi, "python": _code, "wasm": _code}


async def load(plugin: Plugin, surroundings: Surroundings) -> LoadedPlugin:
    """Load a plugin.

    Raises:
        PluginNotLoaded: if it cannot be, with what to do about it.
    """
    loader = LOADERS.get(plugin.spec.type)
    if loader is None:
        raise PluginNotLoaded("UnknownType", f"plugins of type {plugin.spec.type} cannot be loaded here yet")
    source = await read_source(plugin, surroundings.folder, surroundings.reach)
    return await loader(plugin, source, surroundings)
