"""What an Agent needs done now: its objects, the step of its rollout, and what its status says."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from slipway_crds.agents.model import Agent
from slipway_crds.bindings import HostFiles, host_files
from slipway_crds.contract import AGENT_PATH, CONFIG_KEY
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.references import Ref
from slipway_crds.resolve import ResolveProblem, egress_warnings, resolve_agent, runtime_config
from slipway_crds.runtimeconfig import Bindings, RuntimeConfig
from slipway_operator.agents.builders import (
    RETIRED_AT_ANNOTATION,
    STATE_ANNOTATION,
    TEMPLATE_ANNOTATION,
    Revision,
    State,
    agent_objects,
    revision_name,
    revision_objects,
)
from slipway_operator.agents.files import BINDINGS_SUFFIX, bindings_name, stored_files
from slipway_operator.agents.rollout import Live, Step, advance
from slipway_operator.agents.scaling import autoscaled, scale_for
from slipway_operator.agents.status import AgentStanding, agent_status, unresolved_status
from slipway_operator.core.cache import Referenced
from slipway_operator.core.conditions import epoch, timestamp
from slipway_operator.core.inputs import BuildSettings
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import AUTOSCALER, CONFIG_MAP, DEPLOYMENT, NETWORK_POLICY, SERVICE
from slipway_operator.core.plan import Apply, Delete, Plan, Scale, View, changes, owner_of
from slipway_operator.core.projections import Child, ConfigMapState, DeploymentState
from slipway_operator.core.readiness import SILENT, ReportedReadiness

PER_REVISION = (DEPLOYMENT.name, SERVICE.name, CONFIG_MAP.name)


@dataclass(frozen=True, kw_only=True)
class AgentView(View):
    """An Agent with everything that the decision depends on."""

    agent: Agent
    referenced: Mapping[Ref, Referenced]
    """What the Agent refers to."""
    store_secret: str
    store_problem: str = ""
    readiness: ReportedReadiness = SILENT
    """What a pod that was asked says of itself."""

    def deployment(self, revision: str) -> Child | None:
        return self.by_kind_and_name.get((DEPLOYMENT.name, revision))

    @property
    def deployments(self) -> list[Child]:
        return [child for (kind, _), child in self.by_kind_and_name.items() if kind == DEPLOYMENT.name]

    @property
    def indexes(self) -> list[VectorIndex]:
        """Those that the Agent reads, as far as they are there."""
        return [each.model for each in self.referenced.values() if isinstance(each.model, VectorIndex)]

    def resolve(self) -> RuntimeConfig | tuple[ResolveProblem, ...]:
        models = {ref: each.model for ref, each in self.referenced.items() if each.model is not None}
        resolved = resolve_agent(self.agent, models)
        return resolved if isinstance(resolved, tuple) else runtime_config(resolved)


def plan_agent(view: AgentView, settings: BuildSettings, *, drain_timeout: float, gateway_url: str, now: float) -> Plan:
    """Everything that is to be done for an Agent now. Nothing, if it is as it should be."""
    key = view.resource.key
    url = gateway_url.rstrip("/") + AGENT_PATH.format(namespace=key.namespace, name=key.name)
    config = view.resolve()
    if isinstance(config, tuple):
        return Plan(status=unresolved_status(view.resource, config, url=url, revisions=_reported(view), now=now))
    current = revision_name(config)
    scales = _scales(view, current)
    step = _step(view, current, scales, drain_timeout=drain_timeout, now=now)
    revisions = _revisions(view, config, step)
    standing = AgentStanding(
        resource=view.resource,
        current=current,
        step=step,
        deployments={child.name: child for child in view.deployments},
        pods=tuple(child for child in view.children if child.kind == "Pod"),
        referenced=view.referenced,
        store_problem=view.store_problem,
        readiness=view.readiness,
        deadline=settings.rollout_deadline,
        url=url,
        hosts=max(view.agent.spec.scaling.min, view.agent.spec.scaling.max or 0),
        connections=settings.connections_per_namespace,
        asks_others=bool(view.agent.spec.models or view.agent.spec.plugins or view.agent.spec.answers_to),
        closed=egress_warnings(view.agent) if settings.network_policies else (),
    )
    status, wake_after = agent_status(standing, now=now)
    return Plan(
        apply=tuple(_applies(view, settings, config, revisions, step)),
        scale=tuple(scales.values()),
        delete=tuple(_deletes(view, settings, step)),
        status=status,
        wake_after=min((each for each in (wake_after, step.wake_after) if each is not None), default=None),
    )


def _scales(view: AgentView, current: str) -> dict[str, Scale]:
    serving = next((each for each in view.deployments if each.annotations.get(STATE_ANNOTATION) == "Serving"), None)
    names = {current, serving.name} if serving is not None else {current}
    desired = {
        each.name: scale_for(each, view.agent.spec.scaling, serving=serving)
        for each in view.deployments
        if each.name in names
    }
    return {name: scale for name, scale in desired.items() if scale is not None}


def _step(view: AgentView, current: str, scales: Mapping[str, Scale], *, drain_timeout: float, now: float) -> Step:
    reported = {
        revision.get("name") for revision in view.resource.status.get("revisions") or () if revision.get("weight")
    }
    live = [
        Live(
            name=each.name,
            state=_state(each),
            # A candidate that is still to be scaled has not all the pods that it should have.
            available=isinstance(each.detail, DeploymentState) and each.detail.complete and each.name not in scales,
            created=each.created,
            retired_at=_retired_at(each),
            reported_serving=each.name in reported,
        )
        for each in view.deployments
    ]
    if all(each.name != current for each in live):
        live.append(Live(name=current, state=None, available=False, created=now))
    return advance(current, live, now=now, drain_timeout=drain_timeout)


def _state(deployment: Child) -> State | None:
    states: dict[str, State] = {"Candidate": "Candidate", "Serving": "Serving", "Retiring": "Retiring"}
    return states.get(deployment.annotations.get(STATE_ANNOTATION, ""))


def _retired_at(deployment: Child) -> float | None:
    try:
        return epoch(deployment.annotations[RETIRED_AT_ANNOTATION])
    except (KeyError, ValueError):
        # Not retired, or somebody wrote nonsense there: it counts from now.
        return None


def _revisions(view: AgentView, config: RuntimeConfig, step: Step) -> list[Revision]:
    """The revisions whose objects can be built: the spec's, and those whose configuration still exists."""
    revisions, current_files = [], host_files(view.agent, view.indexes)
    for name, state in step.states.items():
        is_current = name == revision_name(config)
        of_revision = config if is_current else _stored(view, name)
        files = current_files if is_current else _stored_files(view, name)
        if of_revision is not None:
            retired = timestamp(step.retired_at[name]) if name in step.retired_at else None
            revisions.append(Revision(config=of_revision, files=files, state=state, retired_at=retired))
    return revisions


def _stored(view: AgentView, revision: str) -> RuntimeConfig | None:
    child = view.by_kind_and_name.get((CONFIG_MAP.name, revision))
    if child is None or not isinstance(child.detail, ConfigMapState):
        return None
    try:
        config = RuntimeConfig.model_validate_json(child.detail.data.get(CONFIG_KEY, ""))
    except ValidationError:
        return None
    return config if revision_name(config) == revision else None


def _stored_files(view: AgentView, revision: str) -> HostFiles:
    """What a revision of an earlier spec has; nothing if an operator made it that knew no bindings."""
    stored = stored_files(view.by_kind_and_name.get((CONFIG_MAP.name, bindings_name(revision))))
    return stored or HostFiles(bindings=Bindings(agents={}))


def _applies(
    view: AgentView, settings: BuildSettings, config: RuntimeConfig, revisions: list[Revision], step: Step
) -> list[Apply]:
    owner, spec = owner_of(view.resource), view.agent.spec
    configs = [revision.config.agents[0] for revision in revisions]
    connections = [each for revision in revisions for each in revision.files.connections]
    manifests: list[Manifest] = agent_objects(
        owner, settings, spec, configs, serving=step.serving, connections=connections
    )
    for revision in revisions:
        manifests += revision_objects(owner, settings, revision, pod=spec.pod, store_secret=view.store_secret)
    needed = changes(manifests, view.by_kind_and_name, view.resource.uid)
    return [_gate(view, each) for each in needed]


def _gate(view: AgentView, apply: Apply) -> Apply:
    """A roll of pods that serve waits for its turn, unless the rollout's state changes as well."""
    name = apply.manifest["metadata"]["name"]
    child = view.deployment(name) if apply.manifest["kind"] == DEPLOYMENT.name else None
    if child is None or not isinstance(child.detail, DeploymentState) or child.detail.available == 0:
        return apply
    annotations = apply.manifest["metadata"].get("annotations", {})
    rolls = annotations[TEMPLATE_ANNOTATION] != child.annotations.get(TEMPLATE_ANNOTATION)
    moves = annotations[STATE_ANNOTATION] != child.annotations.get(STATE_ANNOTATION)
    return Apply(manifest=apply.manifest, adopt=apply.adopt, drift=apply.drift, gated=rolls and not moves)


def _deletes(view: AgentView, settings: BuildSettings, step: Step) -> list[Delete]:
    unwanted = [
        child
        for (kind, name), child in view.by_kind_and_name.items()
        if (kind in PER_REVISION and name.removesuffix(BINDINGS_SUFFIX) not in step.states)
        or (kind == AUTOSCALER.name and not autoscaled(view.agent.spec.scaling))
        or (kind == NETWORK_POLICY.name and not settings.network_policies)
    ]
    return [Delete(child=child) for child in unwanted if child.owner_uid == view.resource.uid]


def _reported(view: AgentView) -> list[tuple[str, State]]:
    """The revisions as they stand, for a status that cannot be planned."""
    states = [(each.name, _state(each)) for each in view.deployments]
    return [(name, state) for name, state in states if state is not None]
