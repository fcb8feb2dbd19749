"""Servers that objects name: where they must not be, and how they are checked and signed in to."""

from typing import Annotated

from slipway_crds.fields import Key, SpecModel, SubdomainName, emulated, same
from slipway_crds.rules import unlike

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


class SecretKey(SpecModel):
    """A value in a Secret of the object's namespace."""

    local = emulated("Read from a Secret among the manifests, or from the environment variable that `key` names.")

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
