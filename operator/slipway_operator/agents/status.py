"""What an Agent's status says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway_crds.contract import INDEX_LOST, PLUGIN_FAILED
from slipway_crds.indexes.model import VectorIndex
from slipway_crds.meta import Phase
from slipway_crds.references import Ref
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.runtimeconfig import CONNECTIONS_PER_HOST
from slipway_operator.agents.builders import State
from slipway_operator.agents.rollout import Step
from slipway_operator.core.cache import Referenced, Resource
from slipway_operator.core.conditions import Statement, Trouble, conditions, standing
from slipway_operator.core.manifests import JsonObject
from slipway_operator.core.plan import observed_conditions
from slipway_operator.core.pod_trouble import refused, trouble_of
from slipway_operator.core.projections import Child, DeploymentState, PodState
from slipway_operator.core.readiness import ReportedReadiness

MAX_REVISIONS = 8
LOOK_AGAIN_SECONDS = 10.0
"""While pods are not ready: what they say about it comes by asking them."""
MODELS_LOOK_SECONDS = 20.0
"""While pods serve with models: a key that is refused from now on, or a model that is gone, comes by asking them."""
_ORDER: Mapping[State, int] = {"Serving": 0, "Candidate": 1, "Retiring": 2}


@dataclass(frozen=True, kw_only=True)
class AgentStanding:
    """What the status is about."""

    resource: Resource
    current: str
    step: Step
    deployments: Mapping[str, Child]
    pods: tuple[Child, ...]
    referenced: Mapping[Ref, Referenced]
    store_problem: str
    readiness: ReportedReadiness
    deadline: float
    url: str
    hosts: int
    """Pods at most."""
    connections: int
    """To the store, that the namespace may have."""
    asks_others: bool = False
    closed: tuple[ResolveProblem, ...] = ()
    """Models that NetworkPolicies keep the agent from."""

    def state(self, revision: str) -> DeploymentState | None:
        child = self.deployments.get(revision)
        return child.detail if child is not None and isinstance(child.detail, DeploymentState) else None

    def pods_of(self, revision: str) -> list[Child]:
        return [pod for pod in self.pods if isinstance(pod.detail, PodState) and pod.detail.revision == revision]


def agent_status(agent: AgentStanding, *, now: float) -> tuple[JsonObject, float | None]:
    """The status, and in how many seconds it may have changed without an event."""
    serving = agent.state(agent.step.serving)
    available = serving is not None and serving.available > 0
    trouble, overdue_in = _trouble(agent, now)
    progress = _progress(agent)
    ready = _ready(agent, available=available, trouble=trouble, waiting=_waiting(agent))
    pending = ready.reason in ("WaitingForIndex", INDEX_LOST, "WaitingForStore", "ScaledToZero")
    statements, phase = standing(ready, trouble=trouble, progress=None if pending else progress, waiting=pending)
    statements += [
        Statement("Resolved", True, "Resolved", "Everything that the Agent refers to exists."),
        Statement(
            "Available", available, ready.reason if not available else "Available", _availability(agent, available)
        ),
    ]
    statements += _connections(agent)
    statements += _models(agent)
    statements += _plugins(agent)
    statements += _answers(agent)
    revisions = [(name, state) for name, state in agent.step.states.items()]
    status = _status(agent.resource, statements, phase, agent.url, revisions, now)
    if available and progress is None:
        return status, MODELS_LOOK_SECONDS if agent.asks_others else None
    return status, min(LOOK_AGAIN_SECONDS, overdue_in or LOOK_AGAIN_SECONDS)


def unresolved_status(
    resource: Resource,
    problems: Sequence[ResolveProblem],
    *,
    url: str,
    revisions: list[tuple[str, State]],
    now: float,
) -> JsonObject:
    """The status of an Agent that refers to something that is not there, or cannot be put together."""
    first = next((each for each in problems if each.severity is Severity.STALLED), problems[0])
    message = "; ".join(f"{each.path}: {each.message}" for each in problems)
    trouble = Trouble(first.reason, message) if first.severity is Severity.STALLED else None
    ready = Statement("Ready", False, first.reason, message)
    statements, phase = standing(ready, trouble=trouble, progress=None)
    statements.append(Statement("Resolved", False, first.reason, message))
    return _status(resource, statements, phase, url, revisions, now)


def _ready(agent: AgentStanding, *, available: bool, trouble: Trouble | None, waiting: Statement | None) -> Statement:
    serving = agent.state(agent.step.serving)
    if available:
        return waiting or Statement("Ready", True, "Serving", f"Revision {agent.step.serving} serves.")
    if agent.store_problem:
        return Statement("Ready", False, "WaitingForStore", agent.store_problem)
    if serving is not None and serving.replicas == 0:
        said = "The Deployment is scaled to no pod; scale it up to serve."
        return Statement("Ready", False, "ScaledToZero", said)
    if trouble is not None:
        return Statement("Ready", False, trouble.reason, trouble.message)
    if waiting is not None:  # which is why its pods are not ready
        return waiting
    said = f"Pods of revision {agent.step.serving} are not ready yet. {agent.readiness.missing}".strip()
    # What is wrong with models is missing as well only where none of them can be used.
    unusable = agent.readiness.warnings and agent.readiness.warnings in agent.readiness.missing
    broken = agent.readiness.plugins and agent.readiness.plugins in agent.readiness.missing
    reason = "ModelsUnusable" if unusable else PLUGIN_FAILED if broken else "WaitingForPods"
    return Statement("Ready", False, reason, said)


def _waiting(agent: AgentStanding) -> Statement | None:
    """An index that was never built, or that has lost its vectors: agents have nothing to answer from."""
    for ref, index in agent.referenced.items():
        if ref.kind != VectorIndex.__name__:
            continue  # agents and plugins may come and go: those are asked that are ready
        if index.reason == INDEX_LOST:
            return Statement("Ready", False, INDEX_LOST, f"{ref.kind} {ref.name}: {index.message}")
        if not index.facts.get("activeRevision"):
            why = f": {index.message}" if index.message else "."
            return Statement("Ready", False, "WaitingForIndex", f"{ref.kind} {ref.name} was never built{why}")
    return None


def _progress(agent: AgentStanding) -> Statement | None:
    if agent.current != agent.step.serving:
        said = f"Revision {agent.current} is starting; {agent.step.serving} serves until it is available."
        return Statement("Reconciling", True, "NewRevisionStarting", said)
    state = agent.state(agent.current)
    if state is None or not (state.complete or state.replicas == 0):
        said = f"Pods of revision {agent.current} are starting."
        return Statement("Reconciling", True, "WaitingForPods", said)
    return None


def _trouble(agent: AgentStanding, now: float) -> tuple[Trouble | None, float | None]:
    """What a person has to fix about the newest revision's pods, and in how many seconds to ask again."""
    state = agent.state(agent.current)
    if state is None or state.complete:
        return None, None
    progressing, available = state.conditions.get("Progressing"), state.conditions.get("Available")
    late = progressing is not None and not progressing.holds
    if available is not None and not available.holds:
        left = available.since + agent.deadline - now
        late = late or left <= 0
    else:
        left = agent.deadline
    if not late:
        return None, max(1.0, left)
    past = f"This has lasted longer than {agent.deadline:.0f} s."
    return refused(state) or trouble_of(agent.pods_of(agent.current), past=past), None


def _connections(agent: AgentStanding) -> list[Statement]:
    """A condition while the store would refuse some of the agent's pods."""
    needed = agent.hosts * CONNECTIONS_PER_HOST
    if needed <= agent.connections:
        return []
    said = (
        f"{agent.hosts} pods may need {needed} connections to the store, and the namespace may have "
        f"{agent.connections}. Set spec.scaling.max to at most {agent.connections // CONNECTIONS_PER_HOST}, or raise "
        "the chart value postgres.connectionsPerNamespace."
    )
    return [Statement("StoreLimited", True, "TooFewConnections", said)]


def _models(agent: AgentStanding) -> list[Statement]:
    """A condition while some of the agent's models cannot be used."""
    closed = [f"{each.path} {each.message}" for each in agent.closed]
    found = [agent.readiness.warnings] if agent.readiness.warnings else []
    if not (closed or found):
        return []
    reason = "ModelUnusable" if found else agent.closed[0].reason
    return [Statement("ModelsLimited", True, reason, "; ".join([*found, *closed]))]


def _plugins(agent: AgentStanding) -> list[Statement]:
    """A condition while plugins around the agent's answers are not there or fail."""
    found = agent.readiness.plugins
    return [Statement("PluginsLimited", True, PLUGIN_FAILED, found)] if found else []


def _answers(agent: AgentStanding) -> list[Statement]:
    """A condition while answers are not written to their topic."""
    found = agent.readiness.answers
    return [Statement("AnswersLimited", True, "AnswersNotWritten", found)] if found else []


def _availability(agent: AgentStanding, available: bool) -> str:
    if available:
        return f"Pods of revision {agent.step.serving} are ready."
    return f"No pod of revision {agent.step.serving} is ready. {agent.readiness.missing}".strip()


def _status(
    resource: Resource,
    statements: Sequence[Statement],
    phase: Phase,
    url: str,
    revisions: Sequence[tuple[str, State]],
    now: float,
) -> JsonObject:
    ordered = sorted(revisions, key=lambda revision: (_ORDER[revision[1]], revision[0]))[:MAX_REVISIONS]
    return {
        "observedGeneration": resource.generation,
        "phase": phase,
        "url": url,
        "revisions": [
            {"name": name, "weight": 100 if state == "Serving" else 0, "state": state} for name, state in ordered
        ],
        "conditions": conditions(
            statements, observed=observed_conditions(resource), generation=resource.generation, now=now
        ),
    }
