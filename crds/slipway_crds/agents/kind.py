"""The row of the kind `Agent`."""

from collections.abc import Iterable, Iterator

from slipway_crds.agents.members import asked_by, plugin_refs
from slipway_crds.agents.model import Agent
from slipway_crds.meta import AGENT_LABEL
from slipway_crds.owners import Known, OwnerKind
from slipway_crds.references import Ref
from slipway_crds.resolve import ResolveProblem, egress_warnings, resolve_agent, session_warnings


def _references(agent: Agent) -> Iterator[Ref]:
    for entry in agent.spec.knowledge:
        yield Ref("VectorIndex", agent.metadata.namespace, entry.index_ref.name)
    for name in asked_by(agent):
        yield Ref("Agent", agent.metadata.namespace, name)
    for _, name in plugin_refs(agent):
        yield Ref("Plugin", agent.metadata.namespace, name)


def _missing(agent: Agent, known: Known) -> Iterable[ResolveProblem]:
    resolved = resolve_agent(agent, known.objects)
    return (*(resolved if isinstance(resolved, tuple) else ()), *egress_warnings(agent), *session_warnings(agent))


AGENT = OwnerKind(model=Agent, label=AGENT_LABEL, references=_references, missing=_missing, serves=True)
