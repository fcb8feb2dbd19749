"""What a connector is started with, and which files it finds its credentials in."""

from collections.abc import Mapping
from dataclasses import dataclass

from slipway_crds.plugins.model import Plugin
from slipway_crds.plugins.upstream import McpUpstream, ToolNames, server_of
from slipway_crds.runtimeconfig import ConfigModel

CREDENTIALS_DIR = "/etc/slipway/credentials"
"""Where a connector has the values of headers and the certificates of the server's authorities."""
CA_FILE = "ca.crt"


class HeaderConfig(ConfigModel):
    """A header of each request to the server."""

    name: str
    file: str
    """In `CREDENTIALS_DIR`: holds the value alone, and is read again when it changes. It may be missing."""
    bearer: bool = False
    """Whether the value is a token, and `Bearer` goes before it."""


class ConnectorConfig(ConfigModel):
    """One Plugin's server, as its connector calls it."""

    namespace: str
    name: str
    url: str
    timeout_seconds: float
    connect_timeout_seconds: float
    allowed: tuple[str, ...] | None = None
    """The server's names of tools; None for all of them."""
    renamed: Mapping[str, str] = {}
    headers: tuple[HeaderConfig, ...] = ()
    ca_file: str = ""
    """In `CREDENTIALS_DIR`; empty for the system's authorities."""

    def upstream(self) -> McpUpstream:
        """The server."""
        return McpUpstream(
            namespace=self.namespace,
            name=self.name,
            url=self.url,
            in_cluster=True,
            tools=ToolNames(
                allowed=frozenset(self.allowed) if self.allowed is not None else None, renamed=self.renamed
            ),
            timeout=self.timeout_seconds,
            connect_timeout=self.connect_timeout_seconds,
        )


@dataclass(frozen=True)
class CredentialFile:
    """A file of a connector, and what it is a key of: a `secret` or a `configMap`."""

    kind: str
    name: str
    key: str
    file: str


def connector_config(plugin: Plugin) -> ConnectorConfig:
    """The configuration of a Plugin's connector."""
    server, mcp = server_of(plugin), plugin.spec.mcp
    headers = [HeaderConfig(name="Authorization", file=_header_file("authorization"), bearer=True)]
    headers = headers if mcp.token_ref else []
    headers += [HeaderConfig(name=each.name, file=_header_file(each.name)) for each in mcp.headers]
    return ConnectorConfig(
        namespace=server.namespace,
        name=server.name,
        url=server.url,
        timeout_seconds=server.timeout,
        connect_timeout_seconds=server.connect_timeout,
        allowed=tuple(sorted(server.tools.allowed)) if server.tools.allowed is not None else None,
        renamed=dict(sorted(server.tools.renamed.items())),
        headers=tuple(headers),
        ca_file=CA_FILE if mcp.tls else "",
    )


def credential_files(plugin: Plugin) -> list[CredentialFile]:
    """The files of a Plugin's connector."""
    mcp = plugin.spec.mcp
    files = [
        CredentialFile("secret", each.secret_ref.name, each.secret_ref.key, _header_file(each.name))
        for each in mcp.headers
    ]
    if mcp.token_ref:
        files.insert(0, CredentialFile("secret", mcp.token_ref.name, mcp.token_ref.key, _header_file("authorization")))
    if mcp.tls:
        bundle = mcp.tls.ca_bundle_ref
        files.append(CredentialFile("configMap", bundle.name, bundle.key, CA_FILE))
    return files


def _header_file(name: str) -> str:
    return f"headers/{name}"
