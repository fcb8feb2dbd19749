"""Workflows in the local driver: a worker in this process does their runs, and the gateway passes requests on to it."""

from collections.abc import Sequence

from slipway_crds.contract import key_fingerprint
from slipway_crds.workflows.kind import WORKFLOW
from slipway_crds.workflows.model import Workflow
from slipway_runtime.dev.kafka_files import write
from slipway_runtime.dev.kinds import LocalKind, Outcome, Report
from slipway_runtime.dev.manifests import Manifests, key_of
from slipway_runtime.dev.parts import Parts
from slipway_runtime.gateway.routes import AgentAccess as Allowed
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.workflows.table import WorkflowEntry


class LocalWorkflows:
    """A workflow takes runs as soon as its manifest is there. Runs that began before go on with the former one."""

    def __init__(self, parts: Parts, host_url: str) -> None:
        self._parts = parts
        self._url = host_url

    def announce(self, manifests: Manifests) -> None:
        """Nothing: workflows come with what they call."""

    async def make(self, manifests: Manifests, report: Report) -> list[Outcome]:
        """Start the worker with the first workflow."""
        workflows = [each for each in manifests.objects if isinstance(each, Workflow)]
        if not (workflows or self._parts.worker.app):
            return []
        from slipway_runtime.workflows.definition import WorkflowDefinition

        worker = self._parts.worker
        engine = await worker.engine()
        missing = write(worker.kafka, workflows, manifests, self._parts.model_files.environment)
        former = engine.definitions
        engine.definitions = {each.workflow: each for each in map(WorkflowDefinition.of, workflows)}
        changed = [each for each in workflows if engine.definitions[str(key_of(each))] != former.get(str(key_of(each)))]
        return [_outcome(each, worker.gateway_url, missing.get(key_of(each), [])) for each in changed]

    def exchange(self, manifests: Manifests) -> None:
        table, routes = self._parts.gateway.workflows, self._parts.gateway.routes
        workflows = {WorkflowKey(*key_of(each)): each for each in manifests.objects if isinstance(each, Workflow)}
        for gone in table.keep(workflows):
            routes.restrict(gone, None)
        for key, workflow in workflows.items():
            spec = workflow.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
            routes.restrict(key, Allowed.read(spec))
            table.set(key, WorkflowEntry.read(spec))
        table.keep_workers({key.namespace: None for key in workflows})
        for key in workflows:
            table.set_workers(key.namespace, [self._url], [key_fingerprint(self._parts.worker.key)])


def _outcome(workflow: Workflow, url: str, missing: Sequence[str]) -> Outcome:
    key, spec = key_of(workflow), workflow.spec
    steps = "1 step" if len(spec.steps) == 1 else f"{len(spec.steps)} steps"
    triggers = f"; begins by {', '.join(each.name for each in spec.triggers)}" if spec.triggers else ""
    start = f"slipway workflow run {key} --url {url}"
    return Outcome(f"workflow {key}", f"{steps}{triggers}; start it: {start}", missing, len(missing))


ROW = LocalKind(WORKFLOW, LocalWorkflows)
