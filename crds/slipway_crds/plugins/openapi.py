"""An HTTP API that an OpenAPI document describes, whose operations become tools."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import ATOMIC, BY_NAME, PATH_PATTERN, Duration, Name, SpecModel, Url, emulated, same
from slipway_crds.plugins.code import PluginFile
from slipway_crds.rules import duration_within, exactly_one
from slipway_crds.servers import FROM_SECRET, NO_METADATA_HOST, Header, SecretKey, ServerTls


class ApiService(SpecModel):
    """A Service of the Plugin's namespace that the API is behind."""

    local = emulated("Reached at the same port of this machine: start the API there.")

    name: Name
    """Name of the Service, in the Plugin's namespace."""
    port: Annotated[int, Field(ge=1, le=65535)]
    """Port of the Service."""
    path: Annotated[str, Field(min_length=1, max_length=256, pattern=PATH_PATTERN)] = "/"
    """What the document's paths come after."""


class OpenApi(SpecModel):
    """An OpenAPI 3.0 or 3.1 document, and the API that it describes: exactly one of `baseURL` and `serviceRef` says
    where. Where the document says it is does not count."""

    rules = (exactly_one(["baseURL", "serviceRef"]), NO_METADATA_HOST, duration_within("timeout", "1s", "10m"))

    source: Annotated[PluginFile, same("The same document is read.")]
    """The document, as JSON or YAML, 4 MiB at most."""
    base_url: Annotated[Url | None, Field(alias="baseURL"), same("The same API is called.")] = None
    """What the document's paths come after. Calls go nowhere else."""
    service_ref: Annotated[
        ApiService | None, emulated("Reached at the same port of this machine: start the API there.")
    ] = None
    """A Service of the Plugin's namespace that the API is behind."""
    operations: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] | None,
        Field(max_length=256),
        ATOMIC,
        same("The same operations become tools."),
    ] = None
    """The operations that become tools, each by its `operationId` or as `GET /orders/{id}`; all if not given."""
    token_ref: Annotated[SecretKey | None, FROM_SECRET] = None
    """A token that the API is called with, as `Authorization: Bearer`."""
    headers: Annotated[tuple[Header, ...], Field(max_length=8), BY_NAME, FROM_SECRET] = ()
    """Headers that the API is called with."""
    tls: Annotated[ServerTls | None, same("The same certificates are used.")] = None
    """How the API's server is checked."""
    timeout: Annotated[Duration, same("The same time applies.")] = "30s"
    """A call that has no whole answer after this time has failed."""
