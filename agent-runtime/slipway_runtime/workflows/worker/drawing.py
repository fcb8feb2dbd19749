"""The paths that draw a workflow's steps, by themselves and with the states of a run."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from slipway_runtime.workflows.definition import WorkflowDefinition
from slipway_runtime.workflows.engine import UnknownWorkflow
from slipway_runtime.workflows.graph import mermaid, nodes_of
from slipway_runtime.workflows.records import WHOLE
from slipway_runtime.workflows.worker.app import Handler, WorkflowRequest


async def graph(request: WorkflowRequest) -> Response:
    """`GET graph`: the steps as Mermaid and as data."""
    found = request.engine.definitions.get(request.workflow)
    if found is None:
        raise UnknownWorkflow(request.workflow)
    return _picture(found, {})


async def run_graph(request: WorkflowRequest) -> Response:
    """`GET runs/{run}/graph`: the same with the states of a run, whose definition may be an earlier one."""
    store = request.engine.store
    run = await store.read(request.run_id, workflow=request.workflow)
    rows = (await store.steps(run.id)).values()
    # What was under way when the run ended has no state of its own.
    states = {row.name: row.state.value for row in rows if row.place == WHOLE and (row.over or run.ended is None)}
    return _picture(await store.definition(run.definition), states)


def _picture(definition: WorkflowDefinition, states: Mapping[str, str]) -> Response:
    nodes = nodes_of(definition.spec, states)
    steps: list[dict[str, Any]] = [
        {"name": each.name, "does": each.does, "needs": each.needs, "state": each.state} for each in nodes
    ]
    return JSONResponse({"mermaid": mermaid(nodes), "steps": steps})


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/graph", graph),
    ("GET", "/runs/{run}/graph", run_graph),
)
"""Below the path of a workflow."""
