"""From the kinds to what a host or an ingestion is started with: pure, and shared by the operator and the local driver.

The operator resolves one Agent at a time and the local driver all of them, so both read a manifest the same way. What
comes out holds semantic inputs only, in a canonical form (entries sorted by name, durations in seconds, scores as
numbers): writing the same thing differently makes no new revision.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from slipway_crds.agent import Agent
from slipway_crds.fields import parse_duration
from slipway_crds.runtimeconfig import AgentConfig, IngestConfig, KnowledgeConfig, RuntimeConfig, SourceConfig
from slipway_crds.vectorindex import VectorIndex


class Severity(StrEnum):
    """Whether a problem may heal by itself."""

    WAITING = "waiting"
    """Something else has to appear: the operator waits, in any order of applying."""
    STALLED = "stalled"
    """Only an edit mends it."""


@dataclass(frozen=True)
class ResolveProblem:
    """Why an object cannot be resolved.

    `subject` is `Kind namespace/name`, `path` the field that it is about, `reason` a stable PascalCase word that the
    operator puts into the condition, `message` what is so and what to do about it.
    """

    severity: Severity
    subject: str
    path: str
    reason: str
    message: str


def resolve_agent(agent: Agent, indexes: Mapping[str, VectorIndex]) -> AgentConfig | tuple[ResolveProblem, ...]:
    """The configuration of one agent, or everything that keeps it from being one.

    Args:
        agent: a valid Agent with CRD defaults filled in (the models fill in the same ones).
        indexes: the VectorIndexes of the agent's namespace, by name.
    """
    problems = tuple(
        _missing_index(agent, position, entry.index_ref.name)
        for position, entry in enumerate(agent.spec.knowledge)
        if entry.index_ref.name not in indexes
    )
    if problems:
        return problems
    spec = agent.spec
    return AgentConfig(
        namespace=agent.metadata.namespace,
        name=agent.metadata.name,
        architecture=spec.architecture,
        knowledge=tuple(
            KnowledgeConfig(
                name=entry.name,
                index=entry.index_ref.name,
                top_k=entry.top_k,
                min_score=float(entry.min_score),
                backend=indexes[entry.index_ref.name].spec.backend.kind,
            )
            for entry in sorted(spec.knowledge, key=lambda entry: entry.name)
        ),
        session_ttl_seconds=_seconds(spec.sessions.ttl),
        session_max_turns=spec.sessions.max_turns,
        in_flight=spec.limits.in_flight,
        request_timeout_seconds=_seconds(spec.limits.request_timeout),
    )


def runtime_config(config: AgentConfig) -> RuntimeConfig:
    """What a host in a cluster is started with: this agent alone. Its digest names the revision."""
    return RuntimeConfig(agents=(config,))


def missing_config_maps(index: VectorIndex, config_maps: Collection[str]) -> tuple[ResolveProblem, ...]:
    """Which of an index's sources are not there.

    Args:
        index: a valid VectorIndex.
        config_maps: names of the ConfigMaps in the index's namespace.
    """
    namespace = index.metadata.namespace
    return tuple(
        ResolveProblem(
            severity=Severity.WAITING,
            subject=f"{index.kind} {namespace}/{index.metadata.name}",
            path=f"spec.sources[{position}].configMap.name",
            reason="WaitingForSource",
            message=f"there is no ConfigMap {source.config_map.name} in namespace {namespace}:"
            " apply it, or correct the name",
        )
        for position, source in enumerate(index.spec.sources)
        if source.config_map.name not in config_maps
    )


def resolve(
    agents: Iterable[Agent], indexes: Iterable[VectorIndex]
) -> tuple[RuntimeConfig, tuple[ResolveProblem, ...]]:
    """What the local driver serves: every agent that can be resolved, and why the others cannot.

    Objects may be of any number of namespaces; an agent sees the indexes of its own. Agents come out sorted by
    namespace and name.
    """
    agents = sorted(agents, key=lambda agent: (agent.metadata.namespace, agent.metadata.name))
    by_namespace: dict[str, dict[str, VectorIndex]] = {}
    for index in indexes:
        by_namespace.setdefault(index.metadata.namespace, {})[index.metadata.name] = index
    problems = _duplicates(agents)
    refused = {problem.subject for problem in problems}
    configs: list[AgentConfig] = []
    for agent in agents:
        if _subject(agent) in refused:
            continue
        resolved = resolve_agent(agent, by_namespace.get(agent.metadata.namespace, {}))
        if isinstance(resolved, AgentConfig):
            configs.append(resolved)
        else:
            problems.extend(resolved)
    return RuntimeConfig(agents=tuple(configs)), tuple(problems)


def ingest_config(index: VectorIndex) -> IngestConfig:
    """What an ingestion of this index does. Its sources are sorted by name; a VectorIndex refers to nothing that has
    to be resolved first (whether its ConfigMaps exist is for the driver to see)."""
    spec = index.spec
    return IngestConfig(
        namespace=index.metadata.namespace,
        index=index.metadata.name,
        max_tokens=spec.chunking.max_tokens,
        overlap=spec.chunking.overlap,
        sources=tuple(SourceConfig(name=source.name) for source in sorted(spec.sources, key=lambda each: each.name)),
        backend=spec.backend.kind,
    )


def _missing_index(agent: Agent, position: int, index: str) -> ResolveProblem:
    namespace = agent.metadata.namespace
    return ResolveProblem(
        severity=Severity.WAITING,
        subject=_subject(agent),
        path=f"spec.knowledge[{position}].indexRef.name",
        reason="WaitingForIndex",
        message=f"there is no VectorIndex {index} in namespace {namespace}: apply it, or correct the name",
    )


def _duplicates(agents: Iterable[Agent]) -> list[ResolveProblem]:
    counts = Counter(_subject(agent) for agent in agents)
    return [
        ResolveProblem(
            severity=Severity.STALLED,
            subject=subject,
            path="metadata.name",
            reason="DuplicateName",
            message=f"{subject} is there {count} times: keep one, or give the others another name or namespace",
        )
        for subject, count in counts.items()
        if count > 1
    ]


def _subject(agent: Agent) -> str:
    return f"{agent.kind} {agent.metadata.namespace}/{agent.metadata.name}"


def _seconds(duration: str) -> int:
    return int(parse_duration(duration).total_seconds())
