"""What is applied: many Agents that share one index, and the objects that the operator makes of an Agent."""

import json
from collections.abc import Mapping
from typing import Any

from slipway_crds.agents.model import Agent
from slipway_crds.bindings import host_files
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.references import by_ref
from slipway_crds.registry import KINDS
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_operator.agents.builders import Revision, agent_objects, revision_name, revision_objects
from slipway_operator.core.drift import stamp
from slipway_operator.core.inputs import BuildSettings, Owner
from slipway_operator.core.manifests import Manifest
from tests.support.operator_manifests import agent, documents, index

INDEX = "handbook"
SETTINGS = BuildSettings(
    runtime_image="slipway.local/runtime:benchmark",
    chroma_image="slipway.local/chroma:benchmark",
    identity_anchor="A" * 43 + "=",
    host_resources={"requests": {"cpu": "100m", "memory": "384Mi"}, "limits": {"memory": "768Mi"}},
)
"""Of the chart's kind and size."""


def agent_name(number: int) -> str:
    """Name of the nth Agent; all have the same length, so that one's status can stand for another's."""
    return f"agent-{number:04}"


def agent_manifest(namespace: str, number: int, *, min_score: str = "0.45") -> dict[str, Any]:
    """An Agent as a user applies it."""
    return agent(namespace, agent_name(number), min_score=min_score)


def sources(namespace: str) -> list[dict[str, Any]]:
    """The index and its documents, small ones: the index is not what is measured."""
    return [documents(namespace), index(namespace, INDEX)]


def children(namespace: str, number: int, *, uid: str) -> list[Manifest]:
    """What the operator makes of an Agent, by the operator's own builders. The Deployment is the last."""
    model, found = _models(namespace, number)
    config = resolve_agent(model, by_ref([found]))
    if isinstance(config, tuple):
        raise ValueError(f"the Agent cannot be resolved: {config}")
    revision = Revision(config=runtime_config(config), files=host_files(model), state="Serving")
    owner = Owner(kind=Agent.__name__, namespace=namespace, name=agent_name(number), uid=uid)
    made = agent_objects(owner, SETTINGS, model.spec, [config], serving=revision.name)
    made += revision_objects(owner, SETTINGS, revision, pod=None, store_secret="slipway-store-00000000")
    return [stamp(manifest) for manifest in made]


def revision_of(namespace: str, number: int) -> str:
    """Name of the Agent's revision."""
    model, found = _models(namespace, number)
    config = resolve_agent(model, by_ref([found]))
    if isinstance(config, tuple):
        raise ValueError(f"the Agent cannot be resolved: {config}")
    return revision_name(runtime_config(config))


def _models(namespace: str, number: int) -> tuple[Agent, VectorIndex]:
    model = KINDS["Agent"].model_validate(agent_manifest(namespace, number))
    found = KINDS["VectorIndex"].model_validate(sources(namespace)[1])
    assert isinstance(model, Agent)
    assert isinstance(found, VectorIndex)
    return model, found


def like(status: Mapping[str, Any], *, names: Mapping[str, str]) -> dict[str, Any]:
    """A status as it would be under other names, such as that of another Agent's revision."""
    text = json.dumps(status)
    for old, new in sorted(names.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(old, new)
    copied: dict[str, Any] = json.loads(text)
    return copied
