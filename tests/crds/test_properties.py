"""What holds for any manifest, tried on generated ones."""

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slipway_crds.agents.kind import AGENT
from slipway_crds.agents.model import Agent
from slipway_crds.checking import twins
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.meta import CustomObject
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import by_ref
from slipway_crds.resolve import Severity, ingest_config, resolve_agent
from slipway_crds.runtimeconfig import AgentConfig
from slipway_crds.validate import parse, validate_document
from slipway_crds.workflows.model import Workflow
from tests.support.generated_manifests import make_manifest, manifests

GENERATED = 4000
INVALID_SHARE = 0.3


def test_the_generated_manifests_are_wrong_often_enough_and_in_every_way() -> None:
    """What the comparison with a real API server is worth depends on this."""
    problems = [validate_document(manifest) for manifest in manifests(GENERATED)]
    invalid = sum(1 for each in problems if each)
    assert INVALID_SHARE * GENERATED <= invalid <= (1 - INVALID_SHARE) * GENERATED
    told = {problem.message for each in problems for problem in each}
    assert [rule for rule in twins().values() if rule.holds and rule.message not in told] == []


@settings(deadline=None, suppress_health_check=[HealthCheck.large_base_example])  # there are many fields
@given(st.randoms(use_true_random=False))
def test_validation_never_fails_and_what_it_passes_can_be_resolved(random: Random) -> None:
    manifest = make_manifest(random)
    problems = validate_document(manifest)
    for problem in problems:
        assert problem.path
        assert problem.message
    if problems:
        return
    parsed = parse(manifest)
    if isinstance(parsed, Agent):
        namespace = parsed.metadata.namespace
        indexes = {entry.index_ref.name for entry in parsed.spec.knowledge}
        agents = {ref.name for ref in AGENT.references(parsed) if ref.kind == "Agent"} - {parsed.metadata.name}
        plugins = {ref.name for ref in AGENT.references(parsed) if ref.kind == "Plugin"}
        known: list[CustomObject] = [_any_index(namespace, name) for name in indexes]
        known += [_any_agent(namespace, name) for name in agents] + [_any_plugin(namespace, name) for name in plugins]
        resolved = resolve_agent(parsed, by_ref(known))
        wrong = () if isinstance(resolved, AgentConfig) else resolved
        assert {problem.severity for problem in wrong} <= {Severity.STALLED}
    elif isinstance(parsed, Plugin):
        assert Plugin.model_validate(parsed.model_dump(mode="json", by_alias=True)) == parsed
    elif isinstance(parsed, Workflow):
        assert Workflow.model_validate(parsed.model_dump(mode="json", by_alias=True)) == parsed
    else:
        assert isinstance(parsed, VectorIndex)
        assert ingest_config(parsed).digest() == ingest_config(parsed.model_copy(deep=True)).digest()


def _any_agent(namespace: str, name: str) -> Agent:
    spec = {"knowledge": [{"name": "docs", "indexRef": {"name": "docs"}}]}
    return Agent.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def _any_plugin(namespace: str, name: str) -> Plugin:
    spec = {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}}
    return Plugin.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})


def _any_index(namespace: str, name: str) -> VectorIndex:
    spec = {"backend": {"chroma": {}}, "sources": [{"name": "docs", "configMap": {"name": "docs"}}]}
    return VectorIndex.model_validate({"metadata": {"name": name, "namespace": namespace}, "spec": spec})
