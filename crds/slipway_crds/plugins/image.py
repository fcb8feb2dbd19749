"""An MCP server that the operator starts from an image."""

from typing import Annotated

from pydantic import Field

from slipway_crds import contract
from slipway_crds.fields import (
    ATOMIC,
    BY_NAME,
    PATH_PATTERN,
    PINNED_IMAGE_PATTERN,
    VARIABLE_PATTERN,
    Rule,
    SpecModel,
    emulated,
    ignored,
)
from slipway_crds.podsettings import PullSecret, Resources

TAKEN = (contract.HTTP_PORT, contract.METRICS_PORT, contract.TLS_PORT)
"""Ports of the connector, which shares the pod's addresses."""
PORT_IS_FREE = Rule(
    cel=f"!(self.port in [{', '.join(map(str, TAKEN))}])",
    message=f"must not be {', '.join(map(str, TAKEN[:-1]))} or {TAKEN[-1]}, which the connector in the same pod has",
    holds=lambda value: value["port"] not in TAKEN,
    field="port",
)


class EnvironmentVariable(SpecModel):
    """An environment variable of the server."""

    local = ignored("No container is started.")

    name: Annotated[str, Field(min_length=1, max_length=128, pattern=VARIABLE_PATTERN)]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=4096)]
    """Its value. What is secret belongs into a Secret that `permissions.secrets` names."""


class McpImage(SpecModel):
    """An image with an MCP server. It runs beside the connector in a pod of the Plugin's namespace, without a token and
    as an ordinary user, and only the connector can reach it."""

    rules = (PORT_IS_FREE,)

    name: Annotated[
        str,
        Field(min_length=1, max_length=512, pattern=PINNED_IMAGE_PATTERN),
        ignored("No image is pulled: start the server yourself."),
    ]
    """The image, with its digest (`registry.example.com/issues@sha256:...`), or with a tag and `spec.digest`."""
    port: Annotated[
        int, Field(ge=1024, le=65535), emulated("Reached at the same port of this machine: start the server there.")
    ] = 8000
    """Where the server listens. It gets the port as the environment variable `PORT` too."""
    path: Annotated[
        str,
        Field(min_length=1, max_length=256, pattern=PATH_PATTERN),
        emulated("Reached at the same port of this machine: start the server there."),
    ] = "/mcp"
    """Path of the MCP end point."""
    command: Annotated[
        tuple[Annotated[str, Field(max_length=4096)], ...] | None,
        Field(min_length=1, max_length=32),
        ATOMIC,
        ignored("No container is started."),
    ] = None
    """What is run in place of the image's entry point."""
    args: Annotated[
        tuple[Annotated[str, Field(max_length=4096)], ...] | None,
        Field(min_length=1, max_length=64),
        ATOMIC,
        ignored("No container is started."),
    ] = None
    """Arguments in place of the image's own."""
    env: Annotated[
        tuple[EnvironmentVariable, ...], Field(max_length=32), BY_NAME, ignored("No container is started.")
    ] = ()
    """Environment variables of the server. `SLIPWAY_PLUGIN_CONFIG` holds `spec.config` as JSON."""
    resources: Annotated[Resources | None, ignored("No container is started.")] = None
    """Requests and limits of the server."""
    pull_secrets: Annotated[tuple[PullSecret, ...], Field(max_length=8), BY_NAME, ignored("No image is pulled.")] = ()
    """Secrets to pull the image with, besides those of the chart's `image.pullSecrets`."""
