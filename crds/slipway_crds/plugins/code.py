"""Plugins whose code Slipway loads: Python, and WebAssembly."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import (
    ENTRY_POINT_PATTERN,
    Bytes,
    Duration,
    Rule,
    SpecModel,
    Url,
    emulated,
    ignored,
    parse_quantity,
    same,
)
from slipway_crds.rules import OneOf, duration_within, exactly_one
from slipway_crds.servers import NO_METADATA_URL, ConfigMapKey


class PluginFile(OneOf):
    """A file of a plugin: exactly one of `configMapRef` and `url`."""

    rules = (NO_METADATA_URL,)

    config_map_ref: Annotated[ConfigMapKey | None, same("Read from a ConfigMap among the manifests.")] = None
    """A key of a ConfigMap: of `data` for text, of `binaryData` for others."""
    url: Annotated[Url | None, same("The same file is fetched.")] = None
    """Where the file is fetched from when the plugin starts, 64 MiB at most."""


class Python(SpecModel):
    """Code that runs with all rights of its process: only for code that you trust as you trust Slipway itself. Exactly
    one of `wheel` and `module` says where it is."""

    rules = (exactly_one(["wheel", "module"]),)

    wheel: Annotated[PluginFile | None, same("The same wheel is loaded.")] = None
    """A wheel of pure Python. It is unpacked beside the runtime, and nothing is installed for it."""
    module: Annotated[ConfigMapKey | None, same("Read from a ConfigMap among the manifests.")] = None
    """A key of a ConfigMap with one module."""
    entry: Annotated[
        str | None,
        Field(min_length=3, max_length=256, pattern=ENTRY_POINT_PATTERN),
        same("The same object is taken."),
    ] = None
    """The plugin in the code, as `package.module:object`; if not given, what the wheel registers as an entry point of
    the group `slipway.plugins`, or the module itself."""
    store: Annotated[bool, ignored("Nothing is mounted: the plugin keeps what it has to keep in a file.")] = False
    """Whether the Plugin's pod gets the namespace's login to the store, in `/etc/slipway/store/dsn`: for tables of its
    own. It can read and change the tables of the namespace's agents too."""
    agent_metrics: Annotated[
        bool, emulated("Agents answer in the same process: their metrics are in prometheus_client's registry.")
    ] = False
    """Whether the Plugin's pod may read the metrics of the namespace's agents. `SLIPWAY_AGENT_METRICS` is the host and
    the port of all of their pods."""


class WasmLimits(SpecModel):
    """What one call of a module may cost."""

    local = same("The same limits apply.")
    rules = (
        duration_within("timeout", "1s", "5m"),
        Rule(
            cel="quantity(self.memory).compareTo(quantity('1Gi')) <= 0",
            message="must be at most 1Gi",
            holds=lambda value: parse_quantity(value["memory"]) <= 2**30,
            field="memory",
        ),
    )

    fuel: Annotated[int, Field(ge=1000, le=1_000_000_000_000)] = 1_000_000_000
    """Instructions, about."""
    memory: Bytes = "64Mi"
    """Memory of the module."""
    timeout: Duration = "10s"
    """Time of a call."""


class Wasm(SpecModel):
    """A WebAssembly module. It reaches nothing: no network, no files, no clock, no environment."""

    source: Annotated[PluginFile, same("The same module is loaded.")]
    """The module, in the binary format."""
    limits: Annotated[WasmLimits, same("The same limits apply.")] = WasmLimits()
    """What one call may cost."""
