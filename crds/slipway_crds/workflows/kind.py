"""The row of the kind `Workflow`."""

from collections.abc import Iterable, Iterator

from slipway_crds.meta import WORKFLOW_LABEL
from slipway_crds.owners import Known, OwnerKind
from slipway_crds.references import Ref
from slipway_crds.resolve import ResolveProblem
from slipway_crds.resolve_workflow import resolve_workflow, searches
from slipway_crds.workflows.model import IndexSearch, Workflow


def _references(workflow: Workflow) -> Iterator[Ref]:
    namespace = workflow.metadata.namespace
    for step in workflow.spec.steps:
        for called in (step, step.map):
            if called is not None and called.agent_ref is not None:
                yield Ref("Agent", namespace, called.agent_ref.name)
    for _, search in searches(workflow):
        yield _index(namespace, search)


def _index(namespace: str, search: IndexSearch) -> Ref:
    return Ref("VectorIndex", namespace, search.index_ref.name)


def _missing(workflow: Workflow, known: Known) -> Iterable[ResolveProblem]:
    return resolve_workflow(workflow, known.objects)


WORKFLOW = OwnerKind(
    model=Workflow, label=WORKFLOW_LABEL, references=_references, missing=_missing, serves=True, shares="worker"
)
