"""The models that an Agent calls."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import (
    ATOMIC,
    MODEL_PATTERN,
    Duration,
    Name,
    Price,
    Score,
    SpecModel,
    Temperature,
    Url,
    emulated,
    same,
)
from slipway_crds.rules import duration_within, given_where
from slipway_crds.runtimeconfig import Provider, Role
from slipway_crds.servers import BASE_URL_OF_COMPATIBLE, METADATA_HOSTS, NO_METADATA_HOST, SecretKey, ServerTls

METADATA_REDIS = METADATA_HOSTS.replace("https?://", "rediss?://([^@/]*@)?")


class ModelSettingsSpec(SpecModel):
    """How a model writes. What is not given is up to the provider."""

    local = same("Sent to the model alike.")

    temperature: Temperature | None = None
    """How freely it writes. A decimal from "0" to "2", as a string."""
    top_p: Annotated[Score | None, Field(alias="topP")] = None
    """Share of the likeliest tokens that it chooses from. A decimal from "0" to "1", as a string."""
    max_tokens: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Tokens of one response at most."""


class ModelPrice(SpecModel):
    """US dollars per million tokens."""

    local = same("Cost is counted alike.")

    input: Price
    """Of what is sent. A decimal, as a string."""
    output: Price
    """Of what comes back. A decimal, as a string."""
    cached_input: Price | None = None
    """Of what is sent and was cached by the provider; as `input` if not given. A decimal, as a string."""


class ModelSpec(SpecModel):
    """One model. If it fails, the next one in the list is asked."""

    local = same("The same model is called.")
    rules = (
        BASE_URL_OF_COMPATIBLE,
        given_where(
            "apiKeyRef",
            "provider",
            ["openai", "anthropic", "google"],
            "must be given for providers openai, anthropic and google: name the Secret and the key in it",
        ),
        NO_METADATA_HOST,
        duration_within("timeout", "1s", "10m"),
    )

    name: Name
    """Name of this entry, unique within the list."""
    provider: Provider
    """Whose interface it has. `openai-compatible` is LightLLM, vLLM, Ollama and others, at `baseURL`."""
    model: Annotated[str, Field(min_length=1, max_length=256, pattern=MODEL_PATTERN)]
    """The provider's name of the model."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """Where it is served, if not at the provider's own address. A server in the cluster, or at a private address, also
    has to be in `egress`."""
    api_key_ref: Annotated[
        SecretKey | None,
        emulated("Read from a Secret among the manifests, or from the environment variable that `key` names."),
    ] = None
    """The key to call it with. The operator never reads it; pods read it again when it changes."""
    timeout: Duration = "30s"
    """A model that sends nothing for this long has failed."""
    context_tokens: Annotated[int | None, Field(ge=1024, le=100_000_000)] = None
    """Tokens that a request and its response may have together, if Slipway does not know the model."""
    images: bool = False
    """Whether the model takes images."""
    settings: Annotated[ModelSettingsSpec | None, same("Sent to the model alike.")] = None
    """How the model writes."""
    roles: Annotated[list[Role] | None, Field(max_length=3), ATOMIC] = None
    """What the model is chosen for; for everything if not given."""
    price: Annotated[ModelPrice | None, same("Cost is counted alike.")] = None
    """What tokens cost; from a table of Slipway's if not given."""
    tls: Annotated[ServerTls | None, same("The same certificates are used.")] = None
    """How the model's server is checked."""
