"""Plugins that a pod serves in a cluster, and this process here: each at a port of its own, in the same way."""

import asyncio
import shutil
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from slipway_crds.contract import CONNECTOR_MCP_PATH
from slipway_crds.plugins.connector import CredentialFile, connector_config, credential_files
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.model import Plugin
from slipway_crds.servers import SecretKey
from slipway_runtime.addresses import AddressRule
from slipway_runtime.connector.hosted_app import create_hosted_app
from slipway_runtime.connector.hosting import HostedPlugin
from slipway_runtime.connector.loaders import Surroundings
from slipway_runtime.dev.listening import ADDRESS, bound, serving, url_of
from slipway_runtime.dev.manifests import Manifests, NamespacedName, key_of
from slipway_runtime.dev.model_files import Missing, secret_value
from slipway_runtime.gateway.plugins.source import ClusterAccess
from slipway_runtime.identity import Verifier

ANYWHERE = AddressRule(loopback=True, private=True)
"""The machine's user wrote the manifests."""


@dataclass
class PluginPod:
    """A plugin that is served here."""

    config: bytes
    url: str
    hosted: HostedPlugin
    stack: AsyncExitStack = field(repr=False)


class PluginPods:
    """All of them.

    Args:
        folder: of this process alone, for their files.
        environment: where credentials are looked for that no Secret has.
        gateway_url: where plugins ask agents.
    """

    def __init__(
        self,
        folder: Path,
        verifier: Verifier,
        access: ClusterAccess,
        environment: Mapping[str, str],
        *,
        gateway_url: str,
    ) -> None:
        self._gateway_url = gateway_url
        self._folder = folder
        self._verifier = verifier
        self._environment = environment
        self._pods: dict[NamespacedName, PluginPod] = {}
        self.access = access
        """How the gateway calls them."""

    def url(self, key: NamespacedName) -> str:
        """Where a plugin is served."""
        return self._pods[key].url

    def metadata(self, key: NamespacedName) -> PluginMetadata | None:
        """What the code of a plugin says of it; None if it is not served here."""
        pod = self._pods.get(key)
        return pod.hosted.metadata if pod is not None else None

    async def serve(self, plugin: Plugin, manifests: Manifests) -> None:
        """Serve a plugin as it is now. One that stays the same goes on, and looks at its files again."""
        key, config = key_of(plugin), connector_config(plugin).canonical()
        folder = self._folder / str(key)
        known = self._pods.get(key)
        if known is not None and known.config != config:
            await self._end(key)
            known = None
        await asyncio.to_thread(write_files, plugin, manifests, self._environment, folder)
        if known is not None:
            await known.hosted.look()
            return
        surroundings = Surroundings(
            folder, ANYWHERE, service_host=ADDRESS, unpacked=folder / "unpacked", gateway_url=self._gateway_url
        )
        hosted = HostedPlugin(plugin, surroundings)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(hosted.close)
            listening = stack.enter_context(bound(0))
            await stack.enter_async_context(
                serving(create_hosted_app(hosted, self._verifier), listening, lifespan=True)
            )
            await hosted.look()
            hosted.watch()
            self._pods[key] = PluginPod(config, url_of(listening) + CONNECTOR_MCP_PATH, hosted, stack.pop_all())

    async def keep(self, keys: Collection[NamespacedName]) -> None:
        """End all others."""
        for gone in [key for key in self._pods if key not in keys]:
            await self._end(gone)

    async def close(self) -> None:
        """End all."""
        await self.keep(())

    async def _end(self, key: NamespacedName) -> None:
        if (pod := self._pods.pop(key, None)) is not None:
            await pod.stack.aclose()
            shutil.rmtree(self._folder / str(key), ignore_errors=True)


def write_files(plugin: Plugin, manifests: Manifests, environment: Mapping[str, str], folder: Path) -> None:
    """Make the files of a plugin those that its pod would have mounted. What is missing has no file."""
    for each in credential_files(plugin):
        file, value = folder / each.file, _value(each, plugin.metadata.namespace, manifests, environment)
        if value is None:
            file.unlink(missing_ok=True)
        elif not file.exists() or file.read_bytes() != value:
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_name(f"{file.name}.draft")
            draft.touch(mode=0o600)
            draft.write_bytes(value)
            draft.replace(file)


def _value(file: CredentialFile, namespace: str, manifests: Manifests, environment: Mapping[str, str]) -> bytes | None:
    if file.kind == "configMap":
        return manifests.config_maps.get(NamespacedName(namespace, file.name), {}).get(file.key)
    ref = SecretKey(name=file.name, key=file.key)
    value = secret_value(ref, namespace, manifests, environment, lacks=f"{file.name} has no value")
    return None if isinstance(value, Missing) else value
