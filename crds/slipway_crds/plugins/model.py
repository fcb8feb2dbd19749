"""The `Plugin` kind: tools that others serve, and that agents and callers use through the gateway."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from slipway_crds.access import WITH_KEYS, Access
from slipway_crds.fields import (
    ATOMIC,
    BY_NAME,
    BY_TOOL,
    BY_TYPE,
    MCP_TOOL_PATTERN,
    PATH_PATTERN,
    SHOWN_TOOL_PATTERN,
    Duration,
    Name,
    SpecModel,
    StatusModel,
    Url,
    emulated,
    ignored,
    same,
)
from slipway_crds.meta import AGE_COLUMN, READY_COLUMNS, Condition, CustomObject, Phase
from slipway_crds.plugins.code import Python, Wasm
from slipway_crds.plugins.image import McpImage
from slipway_crds.plugins.metadata import PluginMetadata
from slipway_crds.plugins.openapi import OpenApi
from slipway_crds.plugins.trust import Digest, Permissions, Signature
from slipway_crds.plugins.types import SPEC_RULES, PluginType
from slipway_crds.rules import duration_within, exactly_one, unique, unlike
from slipway_crds.servers import FROM_SECRET, NO_METADATA_URL, Header, SecretKey, ServerTls

LOOPBACK_HOSTS = r"(?i)^https?://(localhost|[-.a-z0-9]+\.localhost|127\.[0-9.]+)(:[0-9]+)?(/.*)?$"
"""Where the gateway itself is."""
TOOLS_SHOWN = 100
"""Tools whose names are in the status."""
USERS_SHOWN = 100
"""Agents that use a plugin and are in its status."""

ToolName = Annotated[str, Field(min_length=1, max_length=128, pattern=MCP_TOOL_PATTERN)]
ShownToolName = Annotated[str, Field(min_length=1, max_length=64, pattern=SHOWN_TOOL_PATTERN)]


class ServiceRef(SpecModel):
    """A Service of the Plugin's namespace."""

    local = emulated("Reached at the same port of this machine: start the server there.")

    name: Name
    """Name of the Service, in the Plugin's namespace."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the Service."""
    path: Annotated[str, Field(min_length=1, max_length=256, pattern=PATH_PATTERN)] = "/mcp"
    """Path of the MCP end point."""


class Rename(SpecModel):
    """Another name for a tool."""

    local = same("The same names are shown.")

    tool: ToolName
    """The server's name of the tool."""
    to: ShownToolName
    """What agents and callers call it."""


class PluginTools(SpecModel):
    """Which of the server's tools there are, and what they are called."""

    local = same("The same tools are shown.")
    rules = (unique("rename", by="to", message="must not give two tools the same name"),)

    allow: Annotated[list[ToolName] | None, Field(max_length=256), ATOMIC] = None
    """The server's names of the tools that may be used; all of them if not given. Others can neither be listed nor
    called."""
    rename: Annotated[tuple[Rename, ...], Field(max_length=64), BY_TOOL] = ()
    """Other names for tools. The server's own name cannot be used then."""


class McpServer(SpecModel):
    """An MCP server, of revision 2025-11-25, 2026-07-28 or both: exactly one of `url`, `serviceRef` and `image`
    says where."""

    rules = (
        exactly_one(["url", "serviceRef", "image"]),
        NO_METADATA_URL,
        unlike("url", LOOPBACK_HOSTS, "must not be the gateway itself: write the server's own address"),
        duration_within("timeout", "1s", "30m"),
        duration_within("connectTimeout", "1s", "30s"),
    )

    url: Annotated[Url | None, same("The same server is called.")] = None
    """Where the server is, at a public address. Private ones need the chart value `gateway.plugins.privateNetworks`."""
    service_ref: Annotated[
        ServiceRef | None, emulated("Reached at the same port of this machine: start the server there.")
    ] = None
    """A Service of the Plugin's namespace that the server is behind."""
    image: Annotated[McpImage | None, emulated("Reached at the same port of this machine: start the server there.")] = (
        None
    )
    """An image that the operator starts the server from."""
    token_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """A token that the server is called with, as `Authorization: Bearer`. A client's own token is never sent. With a
    token, headers or `tls`, a connector of the Plugin's namespace calls the server."""
    headers: Annotated[
        tuple[Header, ...],
        Field(max_length=8),
        BY_NAME,
        FROM_SECRET,
    ] = ()
    """Headers that the server is called with."""
    tls: Annotated[ServerTls | None, same("The same certificates are used.")] = None
    """How the server is checked."""
    tools: Annotated[PluginTools, same("The same tools are shown.")] = PluginTools()
    """Which of the server's tools there are."""
    timeout: Annotated[Duration, same("The same time applies.")] = "60s"
    """A server that sends nothing for this long has failed."""
    connect_timeout: Annotated[Duration, same("The same time applies.")] = "5s"
    """A connection that is not made in this time has failed."""


class PluginSpec(SpecModel):
    """What a platform engineer writes: `type`, and the field of that name."""

    rules = SPEC_RULES

    type: Annotated[PluginType, same("The same tools are there.")]
    """What the plugin is: an MCP server, an HTTP API with an OpenAPI document, Python code or a WebAssembly module."""
    mcp: Annotated[McpServer | None, same("The same server is called.")] = None
    """The MCP server."""
    openapi: Annotated[OpenApi | None, Field(alias="openapi"), same("The same operations are tools.")] = None
    """The HTTP API."""
    python: Annotated[Python | None, same("The same code is loaded.")] = None
    """The Python code."""
    wasm: Annotated[Wasm | None, same("The same module is loaded.")] = None
    """The WebAssembly module."""
    config: Annotated[dict[str, Any] | None, same("The plugin gets the same.")] = None
    """What the plugin is told, in its own words. Nothing in it is secret."""
    digest: Annotated[Digest | None, same("The same digest is demanded.")] = None
    """What the bytes of the wheel, the module, the document or the image's manifest hash to. Others do not run."""
    signature: Annotated[Signature | None, same("The same signature is verified.")] = None
    """Who has to have signed what runs."""
    permissions: Annotated[Permissions | None, ignored("Nothing is closed locally.")] = None
    """What the plugin may reach. Python has what its process has, so it takes none."""
    metadata: Annotated[PluginMetadata | None, same("The same is said of the plugin.")] = None
    """What the plugin is and needs. Its code may say that itself: then the code's name, version and words count, and
    the dependencies and extensions of both."""
    access: Annotated[Access | None, WITH_KEYS] = None
    """Who may use the tools. Tools have the names that are shown."""

    @property
    def needs_connector(self) -> bool:
        """Whether pods of the Plugin's namespace serve it: they call its server with what only they can mount, have the
        server beside them, or are the server themselves."""
        mcp = self.mcp
        return mcp is None or bool(mcp.token_ref or mcp.headers or mcp.tls or mcp.image)


Era = Literal["2025-11-25", "2026-07-28"]


class PluginUserStatus(StatusModel):
    """An agent that uses the plugin."""

    name: Annotated[str, Field(max_length=253)]
    """Name of the Agent."""
    revision: Annotated[str | None, Field(max_length=63)] = None
    """Its revision that serves."""
    version: Annotated[str | None, Field(max_length=10)] = None
    """The version of the plugin that this revision runs."""


class PluginStatus(StatusModel):
    """What the operator reports. Never read back as a source of truth."""

    observed_generation: int = -1
    """Generation of the spec that this status is about; -1 before the first look."""
    phase: Phase | None = None
    """The conditions in one word, for tools that compare a string."""
    url: Annotated[str | None, Field(max_length=512)] = None
    """Where the gateway serves the tools, inside the cluster."""
    mcp_name: Annotated[str | None, Field(max_length=128)] = None
    """What names begin with on the federated MCP server. It stays as long as the object lives."""
    era: Era | None = None
    """The revision of MCP whose rules the server goes by."""
    protocol_version: Annotated[str | None, Field(max_length=32)] = None
    """The revision that was agreed on with the server."""
    tool_count: int | None = None
    """Tools that can be used."""
    tools: Annotated[list[Annotated[str, Field(max_length=128)]] | None, Field(max_length=TOOLS_SHOWN), ATOMIC] = None
    """Names of the first hundred of them, sorted."""
    metadata: PluginMetadata | None = None
    """What the plugin says of itself, in its code and in `spec.metadata`."""
    version: Annotated[str | None, Field(max_length=10)] = None
    """Ten digits that are others for each change of what the plugin does."""
    agents: Annotated[list[PluginUserStatus] | None, Field(max_length=USERS_SHOWN), ATOMIC] = None
    """The first hundred agents that use the plugin, by name."""
    last_error: Annotated[str | None, Field(max_length=1024)] = None
    """What went wrong last, until the server answers again."""
    conditions: Annotated[list[Condition] | None, Field(max_length=16), BY_TYPE] = None
    """Ready always; Reconciling and Stalled only while True; Reachable explains Ready."""


class Plugin(CustomObject):
    """Tools that others serve, and that agents and callers use through the gateway."""

    kind: Literal["Plugin"] = "Plugin"
    spec: PluginSpec
    """The desired plugin."""
    status: PluginStatus = PluginStatus()
    """What the operator reports."""

    PLURAL: ClassVar[str] = "plugins"
    SHORT_NAMES: ClassVar[tuple[str, ...]] = ("plg",)
    PRINTER_COLUMNS: ClassVar[tuple[dict[str, Any], ...]] = (
        *READY_COLUMNS,
        {"name": "Era", "type": "string", "jsonPath": ".status.era"},
        {"name": "Tools", "type": "integer", "jsonPath": ".status.toolCount"},
        {"name": "Version", "type": "string", "jsonPath": ".status.metadata.version"},
        AGE_COLUMN,
    )
