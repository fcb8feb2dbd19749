"""What the Workflows of a namespace need done now: their workers, and what the status of one of them says."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from slipway_crds import contract
from slipway_crds.references import Objects
from slipway_crds.resolve import ResolveProblem, Severity
from slipway_crds.resolve_workflow import resolve_workflow
from slipway_crds.workflows.model import Workflow
from slipway_crds.workflows.report import WorkerReport, definition_digest, definition_text
from slipway_operator.core.cache import Resource
from slipway_operator.core.conditions import Trouble
from slipway_operator.core.inputs import BuildSettings, Owners
from slipway_operator.core.manifests import Manifest
from slipway_operator.core.objects import CONFIG_MAP, DEPLOYMENT, NETWORK_POLICY, POD
from slipway_operator.core.plan import Apply, Delete, Plan, View, changes
from slipway_operator.core.pod_trouble import refused, trouble_of
from slipway_operator.core.projections import Child, ConfigMapState, DeploymentState, PodState
from slipway_operator.workflows.builders import DEFINITION_SUFFIX, WorkerKeys, WorkerParts, secret_name, worker_objects
from slipway_operator.workflows.scaling import scale_for
from slipway_operator.workflows.status import WorkflowStanding, workflow_status

DEFINITIONS_CHARACTERS = 240 * 1024
"""All definitions of a namespace together: one ConfigMap holds them, which may have 1 MiB of bytes."""


@dataclass(frozen=True, kw_only=True)
class WorkflowView(View):
    """A Workflow with everything that the decision depends on. Its children are the namespace's workers."""

    workflow: Workflow
    siblings: Sequence[Resource]
    """All Workflows of the namespace, this one among them."""
    objects: Objects
    """Agents and indexes of the namespace."""
    store_secret: str
    store_schema: str
    fingerprints: tuple[str, str]
    """Of the workers' key, and of the one before."""
    store_problem: str = ""
    report: WorkerReport | None = None

    @property
    def deployment(self) -> Child | None:
        """Of the workers with today's interpreter."""
        return self.by_kind_and_name.get((DEPLOYMENT.name, contract.worker_deployment(contract.INTERPRETER)))

    @property
    def state(self) -> DeploymentState | None:
        """How those do."""
        found = self.deployment
        return found.detail if found is not None and isinstance(found.detail, DeploymentState) else None

    @property
    def config_map(self) -> Child | None:
        """With the definitions."""
        return self.by_kind_and_name.get((CONFIG_MAP.name, contract.WORKER))

    @property
    def stored(self) -> dict[str, str]:
        """The definitions that workers have, by the Workflow's name."""
        found = self.config_map
        data = found.detail.data if found is not None and isinstance(found.detail, ConfigMapState) else {}
        return {name.removesuffix(DEFINITION_SUFFIX): text for name, text in data.items()}

    def problems(self) -> tuple[ResolveProblem, ...]:
        """What keeps the Workflow from being resolved."""
        return resolve_workflow(self.workflow, self.objects)


def plan_workflow(view: WorkflowView, settings: BuildSettings, *, gateway_url: str, now: float) -> Plan:
    """Everything that is to be done now. Nothing, if it is as it should be."""
    key, parts = view.resource.key, worker_parts(view)
    problems = view.problems() or _left_out(view, parts)
    manifests = worker_objects(settings, parts) if parts.definitions else []
    state = view.state
    path = contract.WORKFLOW_PATH.format(namespace=key.namespace, name=key.name)
    status, wake_after = workflow_status(
        WorkflowStanding(
            resource=view.resource,
            url=gateway_url.rstrip("/") + path,
            problems=problems,
            digest="" if problems else definition_digest(definition_text(view.workflow)),
            report=view.report,
            available=state is not None and state.available > 0,
            trouble=_trouble(view, settings, now),
            store_problem=view.store_problem,
        ),
        now=now,
    )
    least, most = settings.worker_scale
    scale = scale_for(view.deployment, view.report, least=least, most=most) if view.deployment else None
    return Plan(
        apply=tuple(_applies(view, manifests)),
        scale=(scale,) if scale is not None else (),
        status=status,
        delete=tuple(_unwanted(view, settings, manifests)),
        wake_after=wake_after,
    )


def worker_parts(view: WorkflowView) -> WorkerParts:
    """What the namespace's workers are made of now."""
    there = [each for each in view.siblings if not each.deleting_since]
    stored, definitions, workflows = view.stored, {}, []
    # What workers have already stays, whatever is added.
    for each in sorted(there, key=lambda each: each.key.name not in stored):
        name, model = each.key.name, each.model
        if isinstance(model, Workflow) and not each.paused and not resolve_workflow(model, view.objects):
            definitions[name] = definition_text(model)
            workflows.append(model)
        elif name in stored:  # what runs began with goes on while an edit is wrong, or an agent is away
            definitions[name] = stored[name]
            workflows += _readable(stored[name])
        if sum(map(len, definitions.values())) > DEFINITIONS_CHARACTERS:
            del definitions[name]
            workflows = [other for other in workflows if other.metadata.name != name]
    fingerprint, former = view.fingerprints
    state = view.state
    rolling = state is not None and not state.complete
    key = view.resource.key
    return WorkerParts(
        owners=Owners(kind=key.kind, namespace=key.namespace, uids={each.key.name: each.uid for each in there}),
        definitions=definitions,
        workflows=sorted(workflows, key=lambda each: each.metadata.name),
        store_secret=view.store_secret,
        store_schema=view.store_schema,
        keys=WorkerKeys(secret=secret_name(fingerprint), fingerprint=fingerprint, former=former if rolling else ""),
    )


def _left_out(view: WorkflowView, parts: WorkerParts) -> tuple[ResolveProblem, ...]:
    """A problem, if there is no room for the definition."""
    if view.resource.key.name in parts.definitions:
        return ()
    message = (
        f"the definitions of this namespace's Workflows have more than {DEFINITIONS_CHARACTERS} characters together: "
        "shorten one, or move one to another namespace"
    )
    return (ResolveProblem(Severity.STALLED, str(view.resource.key), "spec", "DefinitionsTooLarge", message),)


def _readable(text: str) -> list[Workflow]:
    """The Workflow of a stored definition; none if another version wrote it."""
    try:
        return [Workflow.model_validate_json(text)]
    except ValueError:
        return []


def _applies(view: WorkflowView, manifests: list[Manifest]) -> Iterable[Apply]:
    return changes(manifests, view.by_kind_and_name, "")


def _trouble(view: WorkflowView, settings: BuildSettings, now: float) -> Trouble | None:
    """What a person has to fix about the workers' pods."""
    state = view.state
    if state is None or state.complete:
        return None
    late = [
        child
        for child in view.children
        if child.kind == POD.name
        and isinstance(child.detail, PodState)
        and now > child.detail.readiness_since + settings.rollout_deadline
    ]
    return refused(state) or trouble_of(late, past=f"This has lasted longer than {settings.rollout_deadline} s.")


def _unwanted(view: WorkflowView, settings: BuildSettings, manifests: list[Manifest]) -> list[Delete]:
    """Workers of an earlier interpreter that have nothing to end, and policies that nobody wants."""
    if not manifests:
        return []
    return [
        Delete(child=child)
        for (kind, name), child in view.by_kind_and_name.items()
        if (kind == DEPLOYMENT.name and _ended(name, view.report))
        or (kind == NETWORK_POLICY.name and not settings.network_policies)
    ]


def _ended(deployment: str, report: WorkerReport | None) -> bool:
    """Whether a Deployment is one of an earlier interpreter of which every run has ended."""
    interpreter = deployment.removeprefix(contract.worker_deployment(0).removesuffix("0"))
    if report is None or not interpreter.isdecimal() or int(interpreter) == contract.INTERPRETER:
        return False
    return not report.unfinished.get(interpreter, 0)
