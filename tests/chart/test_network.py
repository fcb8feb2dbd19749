"""Whatever an example needs is allowed by the chart's policies, those of the operator, and its own, taken together.

They are rendered and evaluated here, because the network of a trial cluster enforces none.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from slipway_crds.agents.model import Agent
from slipway_crds.bindings import host_files
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.manifests import load_paths
from slipway_crds.references import by_ref
from slipway_crds.resolve import resolve_agent, runtime_config
from slipway_crds.runtimeconfig import AgentConfig
from slipway_demo.paths import ROOT
from slipway_operator.agents.builders import Revision, agent_objects, revision_objects
from slipway_operator.core.inputs import Owner
from slipway_operator.indexes.server import index_objects
from tests.chart.conftest import Render
from tests.support.network_needs import closed, needed
from tests.support.network_policies import Pod, connects
from tests.support.operator_builds import SETTINGS

EXAMPLES = ("handbook", "team", "assistant", "structured", "hybrid", "lightllm")


def manifests(example: str) -> tuple[list[Any], list[Agent | VectorIndex]]:
    """The objects of an example, and those that are of our kinds. Several refer to the handbook's index."""
    folders = dict.fromkeys([ROOT / "examples" / example, ROOT / "examples" / "handbook"])
    values: list[Any] = [each.value for each in load_paths(folders)]
    kinds: dict[str, type[Agent] | type[VectorIndex]] = {"Agent": Agent, "VectorIndex": VectorIndex}
    return values, [kinds[each["kind"]].model_validate(each) for each in values if each["kind"] in kinds]


def rendered(models: list[Agent | VectorIndex]) -> Iterator[Any]:
    """What the operator makes of them."""
    for model in models:
        owner = Owner(kind=model.kind, namespace=model.metadata.namespace, name=model.metadata.name, uid="uid-1")
        if isinstance(model, VectorIndex):
            chroma = model.spec.backend.chroma
            assert chroma is not None
            yield from index_objects(owner, SETTINGS, chroma, deletion_policy="Delete", pod=None)
            continue
        config = resolve_agent(model, by_ref(models))
        assert isinstance(config, AgentConfig), config
        revision = Revision(config=runtime_config(config), files=host_files(model), state="Serving")
        yield from agent_objects(owner, SETTINGS, model.spec, [config], serving=revision.name)
        yield from revision_objects(owner, SETTINGS, revision, pod=None, store_secret="store")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_connection_of_an_example_is_allowed(render: Render, example: str) -> None:
    given, models = manifests(example)
    objects = [*given, *render({}), *rendered(models)]
    agents = [each for each in models if isinstance(each, Agent)]
    assert agents
    for agent in agents:
        assert {each.purpose for each in needed(agent, objects)} >= {"questions", "operator", "store"}
        assert closed(agent, objects) == []


def test_what_no_configuration_names_is_closed(render: Render) -> None:
    """So that the test above could fail."""
    given, models = manifests("team")
    policies = [each for each in [*given, *render({}), *rendered(models)] if each["kind"] == "NetworkPolicy"]
    lead, people, devices = (
        Pod("demo", {"slipway.dev/component": "agent", "slipway.dev/agent": name})
        for name in ("concierge", "people", "devices")
    )
    index = Pod(
        "demo",
        {"app.kubernetes.io/managed-by": "slipway", "slipway.dev/component": "index", "slipway.dev/index": "help-desk"},
    )
    assert not connects(policies, lead, people, 8080), "members are asked through the gateway"
    assert not connects(policies, people, index, 8000), "that index is of another agent"
    assert not connects(policies, devices, "203.0.113.7", 443)
