"""Servers that objects name: where they must not be, and how they are checked and signed in to."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import HEADER_PATTERN, Key, SpecModel, SubdomainName, emulated, same
from slipway_crds.rules import given_where, unlike

METADATA_HOSTS = (
    r"(?i)^https?://(169\.254\.[0-9.]+|100\.100\.100\.200|168\.63\.129\.16|0\.[0-9.]+|metadata|metadata\.google\.internal|instance-data"
    r"|instance-data\.[-.a-z0-9]+\.internal)(:[0-9]+)?(/.*)?$"
)
"""Where clouds answer pods about their node, link-local addresses, and those of no machine."""
NO_METADATA_HOST = unlike(
    "baseURL",
    METADATA_HOSTS,
    "must not be a link-local address or one where a cloud answers about its machines: write the service's own",
)
BASE_URL_OF_COMPATIBLE = given_where(
    "baseURL",
    "provider",
    ["openai-compatible"],
    "must be given for provider openai-compatible: the address of the server, like http://llm.models.svc:8000/v1",
)
NO_METADATA_URL = unlike(
    "url",
    METADATA_HOSTS,
    "must not be a link-local address or one where a cloud answers about its machines: write the server's own",
)


RESERVED_HEADERS = (
    r"(?i)^(a2a-.*|accept|accept-.*|connection|content-.*|cookie|expect|forwarded|host|idempotency-key|keep-alive"
    r"|last-event-id|mcp-.*|proxy-.*|te|trailer|transfer-encoding|upgrade|via|x-(forwarded|slipway)-.*)$"
)
"""Headers that belong to HTTP, to a protocol or to Slipway."""
FROM_SECRET = emulated("Read from a Secret among the manifests, or from the environment variable that `key` names.")


class SecretKey(SpecModel):
    """A value in a Secret of the object's namespace."""

    local = FROM_SECRET

    name: SubdomainName
    """Name of the Secret, in the object's namespace."""
    key: Key
    """Key within it."""


class ConfigMapKey(SpecModel):
    """A value in a ConfigMap of the object's namespace."""

    local = same("Read from a ConfigMap among the manifests.")

    name: SubdomainName
    """Name of the ConfigMap, in the object's namespace."""
    key: Key
    """Key within it."""


class ServerTls(SpecModel):
    """How a server is checked."""

    ca_bundle_ref: Annotated[ConfigMapKey, same("The same certificates are used.")]
    """PEM certificates of the authorities that sign the server's, instead of the ordinary ones."""


class Header(SpecModel):
    """A header that each request to the server has, with a value from a Secret."""

    local = FROM_SECRET
    rules = (
        unlike(
            "name",
            RESERVED_HEADERS,
            "must not be a header of HTTP, MCP, A2A or Slipway: write the one that the server asks a credential in",
        ),
    )

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=HEADER_PATTERN)]
    """Name of the header, like X-API-Key."""
    secret_ref: SecretKey
    """Its value."""
