"""What the gateway and a connector are told of an MCP server: the spec without what they must not know."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slipway_crds.contract import CONNECTOR_MCP_PATH, HTTP_PORT, TLS_PORT, connector_name
from slipway_crds.fields import parse_duration
from slipway_crds.plugins.model import Plugin, PluginTools

BESIDE = "127.0.0.1"
"""Where the server of an image is: in the connector's pod, or on the machine of `slipway dev`."""
CONNECT_SECONDS = 5.0
PYTHON_SECONDS = 60.0
ASKING_SECONDS = 120.0
"""For what a WebAssembly module asks agents, besides the time of a call."""
WITHIN_SECONDS = 5.0
"""More than a plugin's own time, so that the plugin says itself that it was late."""


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
    agents: tuple[str, ...] = ()
    """Names of the agents of its namespace that it may ask while it is called."""

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"


def upstream_of(plugin: Plugin, *, tls: bool = False) -> McpUpstream:
    """What the gateway of a cluster calls: the server, or the pod that stands for it.

    Args:
        tls: whether connectors speak TLS.
    """
    host = f"{connector_name(plugin.metadata.name)}.{plugin.metadata.namespace}.svc"
    if plugin.spec.needs_connector:
        door = f"https://{host}:{TLS_PORT}" if tls else f"http://{host}:{HTTP_PORT}"
        return connector_of(plugin, f"{door}{CONNECTOR_MCP_PATH}")
    return server_of(plugin)


def connector_of(plugin: Plugin, url: str) -> McpUpstream:
    """A Plugin's connector, which is at a URL."""
    mcp, seconds = plugin.spec.mcp, answer_seconds(plugin)
    return McpUpstream(
        namespace=plugin.metadata.namespace,
        name=plugin.metadata.name,
        url=url,
        in_cluster=True,
        tools=_names(mcp.tools) if mcp else ToolNames(),
        timeout=seconds if mcp else seconds + WITHIN_SECONDS,
        connect_timeout=_seconds(mcp.connect_timeout) if mcp else CONNECT_SECONDS,
        connector=True,
        agents=_agents(plugin),
    )


def answer_seconds(plugin: Plugin) -> float:
    """How long an answer of a Plugin may take."""
    spec = plugin.spec
    if spec.mcp:
        return _seconds(spec.mcp.timeout)
    if spec.openapi:
        return _seconds(spec.openapi.timeout)
    if spec.wasm:
        return _seconds(spec.wasm.limits.timeout) + (ASKING_SECONDS if _agents(plugin) else 0)
    return PYTHON_SECONDS


def server_of(plugin: Plugin, *, service_host: str = "") -> McpUpstream:
    """The MCP server itself.

    Args:
        service_host: where Services are; by their names in the cluster if not given.
    """
    mcp, namespace = plugin.spec.mcp, plugin.metadata.namespace
    assert mcp is not None, "only Plugins of type mcp have a server elsewhere"
    url, service, image = mcp.url or "", mcp.service_ref, mcp.image
    if service is not None:
        url = f"http://{service_host or f'{service.name}.{namespace}.svc'}:{service.port}{service.path}"
    if image is not None:
        url = f"http://{BESIDE}:{image.port}{image.path}"
    return McpUpstream(
        namespace=namespace,
        name=plugin.metadata.name,
        url=url,
        in_cluster=service is not None,
        tools=_names(mcp.tools),
        timeout=_seconds(mcp.timeout),
        connect_timeout=_seconds(mcp.connect_timeout),
        agents=_agents(plugin),
    )


def _agents(plugin: Plugin) -> tuple[str, ...]:
    return plugin.spec.permissions.agents if plugin.spec.permissions else ()


def _names(tools: PluginTools) -> ToolNames:
    return ToolNames(
        allowed=frozenset(tools.allow) if tools.allow is not None else None,
        renamed={each.tool: each.to for each in tools.rename},
    )


def _seconds(duration: str) -> float:
    return parse_duration(duration).total_seconds()
