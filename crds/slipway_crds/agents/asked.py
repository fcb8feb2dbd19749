"""What else an agent is made of: agents that it asks, plugins whose tools it calls, and plugins around its answers."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from slipway_crds.fields import BY_NAME, Name, Rule, SpecModel, Url, same
from slipway_crds.rules import exactly_one, only_with, unlike
from slipway_crds.servers import FROM_SECRET, METADATA_HOSTS, Header, SecretKey


class ObjectRef(SpecModel):
    """A reference to an object of a known kind in the same namespace."""

    local = same("Looked up among the manifests given to `slipway dev`.")

    name: Name
    """Name of the object, in the Agent's namespace."""


NO_METADATA = unlike(
    "url",
    METADATA_HOSTS,
    "must not be a link-local address or one where a cloud answers about its machines: write the server's own",
)


HEADERS_ELSEWHERE = Rule(
    cel="self.headers.size() == 0 || has(self.url)",
    message="are for an agent elsewhere: write its url",
    holds=lambda value: not value["headers"] or value.get("url") is not None,
    field="headers",
)
CREDENTIALS_ELSEWHERE = (
    only_with("tokenRef", "url", "is for an agent elsewhere: write its url"),
    HEADERS_ELSEWHERE,
)
Token = Annotated[SecretKey | None, FROM_SECRET]
Headers = Annotated[tuple[Header, ...], Field(max_length=8), BY_NAME, FROM_SECRET]


class Member(SpecModel):
    """An agent that an orchestrator may choose, here or elsewhere: exactly one of `agentRef` and `url`."""

    rules = (
        exactly_one(["agentRef", "url"]),
        only_with("name", "url", "is for an agent elsewhere: one here has the name of its Agent"),
        only_with("url", "name", "needs a name, by which the agent is chosen"),
        NO_METADATA,
        *CREDENTIALS_ELSEWHERE,
    )

    agent_ref: Annotated[ObjectRef | None, same("Resolved among the manifests given to `slipway dev`.")] = None
    """The Agent."""
    name: Annotated[Name | None, same("Chosen by the same name.")] = None
    """Name of an agent elsewhere, which no other member has."""
    url: Annotated[Url | None, same("Asked at the same address.")] = None
    """An agent elsewhere that speaks A2A 1.0: the address below which its card is at `.well-known/agent-card.json`. The
    card must name the same origin."""
    token_ref: Token = None
    """A token that the agent elsewhere is asked with, as `Authorization: Bearer`. Of callers no token is sent."""
    headers: Headers = ()
    """Headers that the agent elsewhere is asked with."""


MEMBERS_ONCE = Rule(
    cel="self.members.all(one, self.members.exists_one(other, "
    + " == ".join(
        f"(has({each}.agentRef) ? {each}.agentRef.name : has({each}.name) ? {each}.name : '')"
        for each in ("one", "other")
    )
    + "))",
    message="must not name an agent twice",
    holds=lambda value: len({_member_name(each) for each in value["members"]}) == len(value["members"]),
    field="members",
)


def _member_name(member: Mapping[str, Any]) -> str:
    return str((member.get("agentRef") or member).get("name") or "")


DESCRIBED_AGENTS = Rule(
    cel="!has(self.description) || !has(self.pluginRef)",
    message="is for agents: a plugin's server describes its tools",
    holds=lambda value: value.get("description") is None or value.get("pluginRef") is None,
    field="description",
)


class AgentTool(SpecModel):
    """Another agent that the model may ask, here or elsewhere, or a plugin whose tools it may call: exactly one of
    `agentRef`, `pluginRef` and `url`."""

    rules = (
        exactly_one(["agentRef", "pluginRef", "url"]),
        DESCRIBED_AGENTS,
        NO_METADATA,
        *CREDENTIALS_ELSEWHERE,
    )

    name: Annotated[Name, same("The model gets the same tool.")]
    """Name of the tool, unique within the list. Tools of a plugin are called `name__tool`."""
    description: Annotated[str | None, Field(min_length=1, max_length=1024), same("The model gets the same text.")] = (
        None
    )
    """What the tool is for, as the model reads it; if not given, only the name of the agent."""
    agent_ref: Annotated[ObjectRef | None, same("Resolved among the manifests given to `slipway dev`.")] = None
    """The Agent."""
    url: Annotated[Url | None, same("Asked at the same address.")] = None
    """An agent elsewhere that speaks A2A 1.0: the address below which its card is at `.well-known/agent-card.json`. The
    card must name the same origin."""
    token_ref: Token = None
    """A token that the agent elsewhere is asked with, as `Authorization: Bearer`. Of callers no token is sent."""
    headers: Headers = ()
    """Headers that the agent elsewhere is asked with."""
    plugin_ref: Annotated[ObjectRef | None, same("Resolved among the manifests given to `slipway dev`.")] = None
    """The Plugin. Its tools are called for the agent's callers, who need the right to use them."""
    required: Annotated[bool, same("The same rule applies.")] = False
    """Whether an answer fails if this agent was asked and gave none. Otherwise the model is notified and goes on."""


class AgentPlugin(SpecModel):
    """A plugin that acts around the agent's answers: on questions before the agent sees them, and on each sentence
    before it is stored."""

    name: Annotated[Name, same("Events name the plugin the same.")]
    """Name of this entry, unique within the list."""
    plugin_ref: Annotated[ObjectRef, same("Resolved among the manifests given to `slipway dev`.")]
    """The Plugin, of type `python` or `wasm`. Its code runs in the agent's pods."""
    required: Annotated[bool, same("The same rule applies.")] = False
    """Whether answers fail if the plugin does. Otherwise they go on without it and say so."""
