"""From the kinds to what a host or an ingestion is started with: pure, and shared by the operator and the local driver.

The operator resolves one Agent at a time and the local driver all of them, so both read a manifest the same way. What
comes out holds semantic inputs only, in a canonical form (entries sorted by name, durations in seconds, scores as
numbers): writing the same thing differently makes no new revision.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from slipway_crds.agents.approvals import Approval
from slipway_crds.agents.asked import AgentPlugin, AgentTool, Member
from slipway_crds.agents.destinations import Destination, closed, destination, destination_of
from slipway_crds.agents.members import agent_refs, cycle, plugin_refs
from slipway_crds.agents.model import Agent, Knowledge
from slipway_crds.agents.providers import ModelSettingsSpec, ModelSpec
from slipway_crds.agents.web_search import WebSearch
from slipway_crds.contract import connection_file
from slipway_crds.egress import cidr_problem, egress_problems
from slipway_crds.fields import parse_duration
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.indexes.uploads import Uploads
from slipway_crds.meta import SERVE_ANNOTATION, CustomObject
from slipway_crds.outputschema import canonical_schema, schema_problem
from slipway_crds.plugins.model import Plugin
from slipway_crds.references import Objects, by_ref, look_up, ref_to
from slipway_crds.runtimeconfig import (
    AgentConfig,
    ApprovalConfig,
    CustomConfig,
    EmbeddingConfig,
    IngestConfig,
    KnowledgeConfig,
    MiddlewareConfig,
    ModelConfig,
    ModelSettings,
    PluginConfig,
    RemoteMember,
    RuntimeConfig,
    ToolConfig,
    UploadsConfig,
    VectorsConfig,
    WebSearchConfig,
)

CODE_TYPES = ("python", "wasm")
"""Types of plugins whose code runs in Slipway's processes."""


class Severity(StrEnum):
    """Whether a problem may resolve by itself."""

    WAITING = "waiting"
    """Something else has to appear: the operator waits, in any order of applying."""
    STALLED = "stalled"
    """Only an edit fixes it."""
    WARNING = "warning"
    """It keeps nothing from being resolved, and is probably a mistake."""


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


def resolve_agent(agent: Agent, objects: Objects) -> AgentConfig | tuple[ResolveProblem, ...]:
    """The configuration of one agent, or everything that keeps it from being one.

    Args:
        agent: a valid Agent with CRD defaults filled in (the models fill in the same ones).
        objects: what it may refer to.
    """
    namespace, knowledge = agent.metadata.namespace, agent.spec.knowledge
    found = [look_up(objects, VectorIndex, namespace, entry.index_ref.name) for entry in knowledge]
    problems = (
        *(
            _missing_index(agent, position, entry.index_ref.name)
            for position, entry in enumerate(knowledge)
            if found[position] is None
        ),
        *_members(agent, objects),
        *_stalled(agent),
    )
    indexes = {entry.name: index for entry, index in zip(knowledge, found, strict=True) if index is not None}
    return problems or _config(agent, indexes, objects)


def _config(agent: Agent, indexes: Mapping[str, VectorIndex], objects: Objects) -> AgentConfig:
    """The configuration of an agent with all of its indexes, by the names of its entries, and all of its plugins."""
    spec = agent.spec
    return AgentConfig(
        namespace=agent.metadata.namespace,
        name=agent.metadata.name,
        architecture=spec.architecture,
        knowledge=tuple(
            _knowledge(entry, indexes[entry.name]) for entry in sorted(spec.knowledge, key=lambda entry: entry.name)
        ),
        session_ttl_seconds=_seconds(spec.sessions.ttl),
        session_max_turns=spec.sessions.max_turns,
        session_redis=spec.sessions.redis.url if spec.sessions.redis else None,
        in_flight=spec.limits.in_flight,
        request_timeout_seconds=_seconds(spec.limits.request_timeout),
        models=tuple(_model(each) for each in spec.models),
        instructions=spec.instructions or "",
        output_schema=canonical_schema(spec.output.json_schema) if spec.output else None,
        max_steps=spec.limits.max_steps,
        max_tokens=spec.limits.max_tokens,
        tools=tuple(_agent_tools(spec.tools)),
        plugins=tuple(
            PluginConfig(name=entry.name, plugin=entry.plugin_ref.name, required=entry.required)
            for entry in sorted(spec.tools, key=lambda entry: entry.name)
            if entry.plugin_ref is not None
        ),
        remote_members=tuple(_remote_members(spec.members)),
        middleware=tuple(_middleware(agent, entry, objects) for entry in spec.plugins),
        web_search=_web_search(spec.web_search) if spec.web_search else None,
        approvals=tuple(_approval(each) for each in sorted(spec.approvals, key=lambda entry: entry.tool)),
        custom=CustomConfig(entry_point=spec.custom.entry_point, image=spec.custom.image, port=spec.custom.port)
        if spec.custom
        else None,
    )


def session_warnings(agent: Agent) -> tuple[ResolveProblem, ...]:
    """Whether NetworkPolicies keep an agent from the Redis with its sessions, where the installation has policies."""
    redis = agent.spec.sessions.redis
    if redis is None:
        return ()
    return tuple(_closed(agent, {"spec.sessions.redis.url": destination_of(redis.url, agent.metadata.namespace)}))


def egress_warnings(agent: Agent) -> tuple[ResolveProblem, ...]:
    """What NetworkPolicies keep an agent from, models and search, where the installation has policies."""
    spec, namespace = agent.spec, agent.metadata.namespace
    places = {f"spec.models[{at}].baseURL": destination(each, namespace) for at, each in enumerate(spec.models)}
    if spec.web_search:
        places["spec.webSearch.baseURL"] = destination(spec.web_search, namespace)
    for at, tool in enumerate(spec.tools):
        if tool.url:
            places[f"spec.tools[{at}].url"] = destination_of(tool.url, namespace)
    for at, member in enumerate(spec.members):
        if member.url:
            places[f"spec.members[{at}].url"] = destination_of(member.url, namespace)
    return tuple(_closed(agent, places))


def _closed(agent: Agent, places: Mapping[str, Destination]) -> Iterator[ResolveProblem]:
    """A warning for each place, by its path, that no entry of `spec.egress` opens."""
    for path, to in places.items():
        if problem := closed(to, agent.spec.egress):
            yield ResolveProblem(Severity.WARNING, str(ref_to(agent)), path, "EgressMissing", problem)


def _agent_tools(entries: Iterable[AgentTool]) -> Iterator[ToolConfig]:
    for entry in sorted(entries, key=lambda entry: entry.name):
        if entry.agent_ref is not None:
            name = entry.agent_ref.name
            description = entry.description or f"Ask the agent {name}."
            yield ToolConfig(name=entry.name, agent=name, description=description, required=entry.required)
        elif entry.url is not None:
            description = entry.description or f"Ask the agent {entry.name}."
            yield ToolConfig(name=entry.name, url=entry.url, description=description, required=entry.required)


def _remote_members(entries: Iterable[Member]) -> Iterator[RemoteMember]:
    for entry in sorted(entries, key=lambda entry: entry.name or ""):
        if entry.name is not None and entry.url is not None:
            yield RemoteMember(name=entry.name, url=entry.url)


def _middleware(agent: Agent, entry: AgentPlugin, objects: Objects) -> MiddlewareConfig:
    """An entry with what its Plugin is now. Who may use that is no part of it, and neither are defaults."""
    plugin = look_up(objects, Plugin, agent.metadata.namespace, entry.plugin_ref.name)
    assert plugin is not None, "the agent waits for a plugin that is not there"
    return MiddlewareConfig(
        name=entry.name,
        plugin=plugin.metadata.name,
        required=entry.required,
        spec=plugin.spec.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude={"access"}),
    )


def _approval(entry: Approval) -> ApprovalConfig:
    return ApprovalConfig(
        tool=entry.tool, groups=tuple(sorted(set(entry.groups or ()))), seconds=_seconds(entry.expires)
    )


def _web_search(search: WebSearch) -> WebSearchConfig:
    return WebSearchConfig(provider=search.provider, base_url=search.base_url, required=search.required)


def _model(entry: ModelSpec) -> ModelConfig:
    settings = entry.settings or ModelSettingsSpec()
    return ModelConfig(
        name=entry.name,
        provider=entry.provider,
        model=entry.model,
        base_url=entry.base_url,
        timeout_seconds=_seconds(entry.timeout),
        context_tokens=entry.context_tokens,
        images=entry.images,
        settings=ModelSettings(
            temperature=_number(settings.temperature),
            max_tokens=settings.max_tokens,
            top_p=_number(settings.top_p),
        ),
        roles=tuple(sorted(set(entry.roles or ()))),
    )


def _number(decimal: str | None) -> float | None:
    return None if decimal is None else float(decimal)


def _members(agent: Agent, objects: Objects) -> Iterator[ResolveProblem]:
    """Members and tools that are not there, and agents that would ask each other for ever."""
    namespace = agent.metadata.namespace
    for path, name in agent_refs(agent):
        if look_up(objects, Agent, namespace, name) is None:
            message = f"there is no Agent {name} in namespace {namespace}: apply it, or correct the name"
            yield ResolveProblem(Severity.WAITING, str(ref_to(agent)), path, "WaitingForAgent", message)
    for path, name in plugin_refs(agent):
        if look_up(objects, Plugin, namespace, name) is None:
            message = f"there is no Plugin {name} in namespace {namespace}: apply it, or correct the name"
            yield ResolveProblem(Severity.WAITING, str(ref_to(agent)), path, "WaitingForPlugin", message)
    yield from _without_middleware(agent, objects)
    if found := cycle(agent, objects):
        way = " asks ".join([agent.metadata.name, *found])
        path = "spec.members" if agent.spec.members else "spec.tools"
        yield stalled(agent, path, "CyclicMembers", f"{way}, without an end: remove a member or tool of one of them")


def _without_middleware(agent: Agent, objects: Objects) -> Iterator[ResolveProblem]:
    """Plugins that are named around answers, and whose types have no code that could run there."""
    for place, entry in enumerate(agent.spec.plugins):
        plugin = look_up(objects, Plugin, agent.metadata.namespace, entry.plugin_ref.name)
        if plugin is not None and str(plugin.spec.type) not in CODE_TYPES:
            path, name = f"spec.plugins[{place}].pluginRef.name", plugin.metadata.name
            message = (
                f"Plugin {name} is of type {plugin.spec.type}, which does nothing around answers: name one of type "
                "python or wasm, or give the plugin to the model in spec.tools"
            )
            yield stalled(agent, path, "NoMiddleware", message)


def _stalled(agent: Agent) -> Iterator[ResolveProblem]:
    """What a schema and CEL cannot say of an agent."""
    spec = agent.spec
    if spec.output and (wrong := schema_problem(spec.output.json_schema)):
        yield stalled(agent, "spec.output.schema", "InvalidSchema", wrong)
    for path, wrong in egress_problems(spec.egress):
        yield stalled(agent, path, "InvalidEgress", wrong)


def stalled(subject: CustomObject, path: str, reason: str, message: str) -> ResolveProblem:
    """A problem of an object that only an edit fixes."""
    return ResolveProblem(
        severity=Severity.STALLED, subject=str(ref_to(subject)), path=path, reason=reason, message=message
    )


def _knowledge(entry: Knowledge, index: VectorIndex) -> KnowledgeConfig:
    return KnowledgeConfig(
        name=entry.name,
        index=entry.index_ref.name,
        top_k=entry.top_k,
        min_score=float(entry.min_score),
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
    paths = {source.name: f"spec.sources[{n}].configMap.name" for n, source in enumerate(index.spec.sources)}
    return tuple(
        ResolveProblem(
            severity=Severity.WAITING,
            subject=str(ref_to(index)),
            path=paths.get(source, "spec.acceptance.cases.configMapRef.name"),
            reason="WaitingForSource",
            message=f"there is no ConfigMap {name} in namespace {namespace}: apply it, or correct the name",
        )
        for source, name in index.spec.config_maps.items()
        if name not in config_maps
    )


def resolve(objects: Iterable[CustomObject]) -> tuple[RuntimeConfig, tuple[ResolveProblem, ...]]:
    """What the local driver serves: every agent that can be resolved, and why the others cannot.

    Objects may be of any number of namespaces; an agent sees those of its own. Agents come out sorted by namespace and
    name.
    """
    objects = list(objects)
    agents = sorted((each for each in objects if isinstance(each, Agent)), key=ref_to)
    known = by_ref(objects)
    problems = _duplicates(agents)
    refused = {problem.subject for problem in problems}
    configs: list[AgentConfig] = []
    for agent in agents:
        if str(ref_to(agent)) in refused:
            continue
        resolved = resolve_agent(agent, known)
        if isinstance(resolved, AgentConfig):
            configs.append(resolved)
        else:
            problems.extend(resolved)
    return RuntimeConfig(agents=tuple(configs)), tuple(problems)


REVISION_MAX = 63
"""Characters of an annotation that names a revision."""


def ingest_config(index: VectorIndex) -> IngestConfig:
    """What an ingestion of this index does. Its sources are sorted by name; a VectorIndex refers to nothing that has
    to be resolved first (whether its ConfigMaps exist is for the driver to see)."""
    spec = index.spec
    return IngestConfig(
        namespace=index.metadata.namespace,
        index=index.metadata.name,
        max_tokens=spec.chunking.max_tokens,
        overlap=spec.chunking.overlap,
        sources=tuple(source.config for source in sorted(spec.sources, key=lambda each: each.name)),
        networks=tuple(
            sorted({entry.cidr for entry in spec.egress if entry.cidr is not None and not cidr_problem(entry.cidr)})
        ),
        services=any(entry.namespace is not None for entry in spec.egress),
        vectors=vectors_config(index),
        documents=spec.documents.config(index.metadata.name),
        uploads=_uploads(spec.uploads),
        search=spec.search.config(index.metadata.name, restricted=spec.restricted),
        embedding=spec.embedding.config(index.metadata.name) if spec.embedding is not None else EmbeddingConfig(),
        acceptance=spec.acceptance.config(),
        keep_seconds=spec.revisions.keep_seconds,
        serve=(index.metadata.annotations or {}).get(SERVE_ANNOTATION, "")[:REVISION_MAX],
    )


def _uploads(uploads: Uploads | None) -> UploadsConfig | None:
    if uploads is None:
        return None
    return UploadsConfig(groups=None if uploads.groups is None else tuple(sorted(uploads.groups)))


def vectors_config(index: VectorIndex) -> VectorsConfig:
    """Where the vectors of an index are."""
    backend = index.spec.backend
    ref, name = backend.connection, index.metadata.name
    file = connection_file(name, ref.name, ref.key) if ref is not None else None
    return VectorsConfig(kind=backend.kind, connection=file)


def _missing_index(agent: Agent, position: int, index: str) -> ResolveProblem:
    namespace = agent.metadata.namespace
    return ResolveProblem(
        severity=Severity.WAITING,
        subject=str(ref_to(agent)),
        path=f"spec.knowledge[{position}].indexRef.name",
        reason="WaitingForIndex",
        message=f"there is no VectorIndex {index} in namespace {namespace}: apply it, or correct the name",
    )


def _duplicates(agents: Iterable[Agent]) -> list[ResolveProblem]:
    counts = Counter(str(ref_to(agent)) for agent in agents)
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


def _seconds(duration: str) -> int:
    return int(parse_duration(duration).total_seconds())
