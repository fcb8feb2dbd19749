"""The code of plugins around agents in the local driver: from ConfigMaps among the manifests to files."""

import shutil
from pathlib import Path

from slipway_crds.plugins.connector import code_files
from slipway_crds.plugins.model import Plugin
from slipway_crds.runtimeconfig import MiddlewareConfig
from slipway_runtime.addresses import AddressRule
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.plugins.loading.places import PluginPlaces

ANYWHERE = AddressRule(loopback=True, private=True)
"""The machine's user wrote the manifests."""


def local_places(folder: Path) -> PluginPlaces:
    """Where the code is below a folder, by namespace and name of the Plugin."""

    def folder_of(namespace: str, entry: MiddlewareConfig) -> Path:
        return folder / namespace / entry.plugin

    return PluginPlaces(folder_of, ANYWHERE)


def write_code(manifests: Manifests, folder: Path) -> None:
    """Make the files below a folder those of the manifests' Plugins. What is missing among them has no file."""
    shutil.rmtree(folder, ignore_errors=True)
    for plugin in (each for each in manifests.objects if isinstance(each, Plugin)):
        for each in code_files(plugin):
            items = manifests.config_maps.get(NamespacedName(plugin.metadata.namespace, each.name), {})
            if each.key in items:
                file = folder / str(key_of(plugin)) / each.file
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(items[each.key])
