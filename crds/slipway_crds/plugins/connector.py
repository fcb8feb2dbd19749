"""What a connector is started with, and which files it finds its credentials and the plugin's code in."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway_crds.plugins.code import PluginFile
from slipway_crds.plugins.model import Plugin
from slipway_crds.runtimeconfig import ConfigModel
from slipway_crds.servers import ConfigMapKey

CREDENTIALS_DIR = "/etc/slipway/credentials"
"""Where a connector has the values of headers and the certificates of the server's authorities."""
CA_FILE = "ca.crt"
SOURCE_FILE = "source"
"""In the same folder: the document, wheel or module."""


class HeaderConfig(ConfigModel):
    """A header of each request to the server."""

    name: str
    file: str
    """In `CREDENTIALS_DIR`: holds the value alone, and is read again when it changes. It may be missing."""
    bearer: bool = False
    """Whether the value is a token, and `Bearer` goes before it."""


class ConnectorConfig(ConfigModel):
    """One Plugin, as its connector serves it."""

    namespace: str
    name: str
    spec: Mapping[str, Any]
    """Of the Plugin, without who may use it."""

    def plugin(self) -> Plugin:
        """The Plugin."""
        metadata = {"namespace": self.namespace, "name": self.name}
        return Plugin.model_validate({"metadata": metadata, "spec": self.spec})


@dataclass(frozen=True)
class CredentialFile:
    """A file of a connector, and what it is a key of: a `secret` or a `configMap`."""

    kind: str
    name: str
    key: str
    file: str


def connector_config(plugin: Plugin) -> ConnectorConfig:
    """The configuration of a Plugin's connector. What is at its default is left out, so that a field added later
    restarts nothing."""
    spec = plugin.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"access"})
    return ConnectorConfig(namespace=plugin.metadata.namespace, name=plugin.metadata.name, spec=spec)


def version_of(plugin: Plugin) -> str:
    """What a Plugin is now, in ten hexadecimal digits: another version does, or may do, something else."""
    return connector_config(plugin).digest()


def header_configs(plugin: Plugin) -> tuple[HeaderConfig, ...]:
    """The headers of each request to a Plugin's server or API."""
    server = plugin.spec.mcp or plugin.spec.openapi
    if server is None:
        return ()
    token = HeaderConfig(name="Authorization", file=_header_file("authorization"), bearer=True)
    headers = (HeaderConfig(name=each.name, file=_header_file(each.name)) for each in server.headers)
    return (*((token,) if server.token_ref else ()), *headers)


def authorities_file(plugin: Plugin) -> str:
    """The file with the certificates that a Plugin's server or API is checked with; empty for the system's."""
    server = plugin.spec.mcp or plugin.spec.openapi
    return CA_FILE if server and server.tls else ""


def credential_files(plugin: Plugin) -> list[CredentialFile]:
    """The files of a Plugin's connector: credentials, certificates, and what `code_files` names."""
    files: list[CredentialFile] = []
    if server := plugin.spec.mcp or plugin.spec.openapi:
        if server.token_ref:
            ref = server.token_ref
            files.append(CredentialFile("secret", ref.name, ref.key, _header_file("authorization")))
        files += [
            CredentialFile("secret", each.secret_ref.name, each.secret_ref.key, _header_file(each.name))
            for each in server.headers
        ]
        if server.tls:
            bundle = server.tls.ca_bundle_ref
            files.append(CredentialFile("configMap", bundle.name, bundle.key, CA_FILE))
    return files + code_files(plugin)


def code_files(plugin: Plugin) -> list[CredentialFile]:
    """What is read of a Plugin wherever its code is loaded: its source, unless that is at a URL, and public keys."""
    refs: list[tuple[ConfigMapKey, str]] = []
    if ref := _source_ref(plugin):
        refs.append((ref, SOURCE_FILE))
    if signature := plugin.spec.signature:
        keys = enumerate(signature.keys)
        refs += [(each.config_map_ref, key_file(at)) for at, each in keys if each.config_map_ref]
    return [CredentialFile("configMap", ref.name, ref.key, file) for ref, file in refs]


def source_url(plugin: Plugin) -> str:
    """Where a Plugin's source is fetched from; empty if it is a file, or there is none."""
    source = _source(plugin)
    return (source.url or "") if source else ""


def key_file(position: int) -> str:
    """The file of the public key at a position of `signature.keys`, where it is in a ConfigMap."""
    return f"keys/{position}.pem"


def _source(plugin: Plugin) -> PluginFile | None:
    spec = plugin.spec
    if spec.openapi:
        return spec.openapi.source
    if spec.wasm:
        return spec.wasm.source
    return spec.python.wheel if spec.python else None


def _source_ref(plugin: Plugin) -> ConfigMapKey | None:
    if plugin.spec.python and plugin.spec.python.module:
        return plugin.spec.python.module
    source = _source(plugin)
    return source.config_map_ref if source else None


def _header_file(name: str) -> str:
    return f"headers/{name}"
