"""What the gateway and a connector are told of an MCP server: the spec without what they must not know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_crds.contract import CONNECTOR_MCP_PATH, HTTP_PORT, TLS_PORT, connector_name
from slipway_crds.fields import parse_duration
from slipway_crds.plugins.model import Plugin


@dataclass(frozen=True, kw_only=True)
class ToolNames:
    """Which tools there are, by the server's names, and what they are called."""

    allowed: frozenset[str] | None = None
    """None: all of them."""
    renamed: Mapping[str, str] = field(default_factory=dict)
    """From the server's name to the shown one."""
    originals: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "originals", {shown: name for name, shown in self.renamed.items()})

    def shown(self, original: str) -> str | None:
        """What a tool of the server is called; None if it is not to be used, or its name is another one's."""
        if self.allowed is not None and original not in self.allowed:
            return None
        name = self.renamed.get(original, original)
        return name if self.original(name) == original else None

    def original(self, shown: str) -> str | None:
        """The server's name of what a caller calls; None if there is no such tool for callers."""
        name = self.originals.get(shown)
        if name is None:
            if shown in self.renamed:
                return None
            name = shown
        return name if self.allowed is None or name in self.allowed else None

    @property
    def plain(self) -> bool:
        """Whether everything is passed on as it is."""
        return self.allowed is None and not self.renamed


@dataclass(frozen=True, kw_only=True)
class McpUpstream:
    """Where a Plugin's server is, and what of it may be used. Seconds."""

    namespace: str
    name: str
    url: str
    in_cluster: bool
    """Whether it is a Service, and so at a private address."""
    tools: ToolNames
    timeout: float
    connect_timeout: float
    connector: bool = False
    """Whether `url` is the Plugin's connector, which wants the gateway's identity."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


def upstream_of(plugin: Plugin, *, tls: bool = False) -> McpUpstream:
    """What the gateway of a cluster calls: the server, or the connector in front of it.

    Args:
        tls: whether connectors speak TLS.
    """
    server = server_of(plugin)
    if not plugin.spec.mcp.needs_connector:
        return server
    host = f"{connector_name(server.name)}.{server.namespace}.svc"
    return McpUpstream(
        namespace=server.namespace,
        name=server.name,
        url=f"{f'https://{host}:{TLS_PORT}' if tls else f'http://{host}:{HTTP_PORT}'}{CONNECTOR_MCP_PATH}",
        in_cluster=True,
        tools=server.tools,
        timeout=server.timeout,
        connect_timeout=server.connect_timeout,
        connector=True,
    )


def server_of(plugin: Plugin, *, service_host: str = "") -> McpUpstream:
    """The server itself.

    Args:
        service_host: where Services are; by their names in the cluster if not given.
    """
    mcp, namespace = plugin.spec.mcp, plugin.metadata.namespace
    url, service = mcp.url or "", mcp.service_ref
    if service is not None:
        url = f"http://{service_host or f'{service.name}.{namespace}.svc'}:{service.port}{service.path}"
    return McpUpstream(
        namespace=namespace,
        name=plugin.metadata.name,
        url=url,
        in_cluster=service is not None,
        tools=ToolNames(
            allowed=frozenset(mcp.tools.allow) if mcp.tools.allow is not None else None,
            renamed={each.tool: each.to for each in mcp.tools.rename},
        ),
        timeout=parse_duration(mcp.timeout).total_seconds(),
        connect_timeout=parse_duration(mcp.connect_timeout).total_seconds(),
    )
