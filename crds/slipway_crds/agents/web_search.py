"""The web as a tool of an Agent's models."""

from typing import Annotated

from pydantic import Field

from slipway_crds.fields import SpecModel, Url, emulated, same
from slipway_crds.rules import given_where, only_where
from slipway_crds.runtimeconfig import SearchProvider
from slipway_crds.servers import NO_METADATA_HOST, SecretKey, ServerTls


class WebSearch(SpecModel):
    """A service that searches the web. The model gets the tool `web_search`."""

    local = same("The same service is asked.")
    rules = (
        given_where(
            "baseURL",
            "provider",
            ["searxng"],
            "must be given for provider searxng: the address of your server, like http://searxng.search.svc:8080",
        ),
        given_where(
            "apiKeyRef",
            "provider",
            ["brave", "tavily"],
            "must be given for providers brave and tavily: name the Secret and the key in it",
        ),
        only_where(
            "apiKeyRef", "provider", ["brave", "tavily"], "is for providers brave and tavily: SearXNG takes none"
        ),
        NO_METADATA_HOST,
    )

    provider: SearchProvider
    """Whose interface it has. SearXNG is a server of your own, whose format json has to be enabled."""
    base_url: Annotated[Url | None, Field(alias="baseURL")] = None
    """Where it is served, if not at the provider's own address. A server in the cluster, or at a private address, also
    has to be in `egress`."""
    api_key_ref: Annotated[
        SecretKey | None,
        emulated("Read from a Secret among the manifests, or from the environment variable that `key` names."),
    ] = None
    """The key to call it with. The operator never reads it; pods read it again when it changes."""
    tls: Annotated[ServerTls | None, same("The same certificates are used.")] = None
    """How the service is checked."""
    required: Annotated[bool, same("The same rule applies.")] = False
    """Whether an answer fails if the web was searched and the service gave no results. Otherwise the model is notified
    and goes on."""
