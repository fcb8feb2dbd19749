"""What a plugin must be before it runs, and what it may do then."""

from typing import Annotated

from pydantic import Field

from slipway_crds.egress import Egress
from slipway_crds.fields import (
    ATOMIC,
    BASE64_PATTERN,
    DAY_PATTERN,
    DIGEST_PATTERN,
    PUBLIC_KEY_PATTERN,
    Name,
    SpecModel,
    SubdomainName,
    emulated,
    ignored,
    same,
)
from slipway_crds.rules import exactly_one
from slipway_crds.servers import ConfigMapKey

Digest = Annotated[str, Field(min_length=71, max_length=71, pattern=DIGEST_PATTERN)]


class VerificationKey(SpecModel):
    """A public key of somebody whose signature counts, as PEM: exactly one of `pem` and `configMapRef`."""

    local = same("The same keys are used.")
    rules = (exactly_one(["pem", "configMapRef"]),)

    pem: Annotated[str | None, Field(min_length=50, max_length=4096, pattern=PUBLIC_KEY_PATTERN)] = None
    """The key itself, ECDSA P-256 or Ed25519, as `cosign public-key` prints it."""
    config_map_ref: ConfigMapKey | None = None
    """A ConfigMap with the key."""
    expires: Annotated[str | None, Field(min_length=10, max_length=10, pattern=DAY_PATTERN)] = None
    """The last day, in UTC, on which a signature of this key counts, like 2027-01-31. For ever if not given."""


class Signature(SpecModel):
    """A signature as cosign makes it, which is verified without a network before anything of the plugin runs."""

    local = same("The same signature is verified.")

    value: Annotated[str, Field(min_length=16, max_length=8192, pattern=BASE64_PATTERN)]
    """The signature, as base64: of the bytes that `digest` is of, as `cosign sign-blob` makes it, or of `payload`."""
    payload: Annotated[
        str | None, Field(min_length=2, max_length=8192), ignored("No image is pulled, so none is verified.")
    ] = None
    """For an image: the text that `cosign generate` prints and that is signed. It has to name the image's digest."""
    keys: Annotated[tuple[VerificationKey, ...], Field(min_length=1, max_length=8), ATOMIC]
    """One of these keys has to have signed."""


class Permissions(SpecModel):
    """What a plugin may reach besides what its own fields name. What is not given is closed."""

    egress: Annotated[tuple[Egress, ...], Field(max_length=16), ATOMIC, ignored("Nothing is closed locally.")] = ()
    """Where the plugin's pods may connect to."""
    agents: Annotated[tuple[Name, ...], Field(max_length=32), ATOMIC, same("The same agents can be asked.")] = ()
    """Agents of the namespace that the plugin may ask while a tool of it is called, for the caller of the tool."""
    secrets: Annotated[
        tuple[SubdomainName, ...], Field(max_length=8), ATOMIC, emulated("Not mounted: your program has its own.")
    ] = ()
    """Secrets of the namespace that a program of an image finds in `/etc/slipway/secrets/NAME/KEY`."""
