"""The paths of workflows."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime.gateway import access
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import workflow_paths
from slipway_runtime.gateway.openapi.operations import Operation
from slipway_runtime.gateway.permissions import Action, no_such_workflow
from slipway_runtime.gateway.workflows.path import WorkflowPath
from slipway_runtime.gateway.workflows.table import workers_of
from slipway_runtime.identity import Caller

BELOW: tuple[tuple[str, str, Operation], ...] = (
    ("POST", "/runs", workflow_paths.START_WORKFLOW),
    ("GET", "/runs", workflow_paths.LIST_RUNS),
    ("GET", "/runs/{run}", workflow_paths.READ_RUN),
    ("GET", "/runs/{run}/events", workflow_paths.FOLLOW_RUN),
    ("POST", "/runs/{run}/cancel", workflow_paths.CANCEL_RUN),
    ("POST", "/runs/{run}/retry", workflow_paths.RETRY_RUN),
    ("POST", "/runs/{run}/steps/{step}/decision", workflow_paths.DECIDE),
    ("POST", "/runs/{run}/steps/{step}/settle", workflow_paths.SETTLE),
    ("POST", "/runs/{run}/events/{event}", workflow_paths.SEND_EVENT),
    ("GET", "/graph", workflow_paths.DRAW_WORKFLOW),
    ("GET", "/runs/{run}/graph", workflow_paths.DRAW_RUN),
)
"""What workers answer below the path of a workflow."""


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    workflow = answered_by(WorkflowPath(gateway))

    async def listing(request: Request) -> Response:
        caller, found = await _seen(gateway, request)
        access.write(request, caller, status=200)
        return JSONResponse({"workflows": found})

    async def reading(request: Request) -> Response:
        caller, found = await _seen(gateway, request)
        given = request.path_params
        one = [each for each in found if (each["namespace"], each["name"]) == (given["namespace"], given["name"])]
        access.write(request, caller, status=200 if one else 404)
        if not one:
            raise no_such_workflow()
        return JSONResponse(one[0])

    return [
        Endpoint("GET", "/workflows", listing, workflow_paths.LIST_WORKFLOWS),
        Endpoint("GET", WORKFLOW_PATH, reading, workflow_paths.READ_WORKFLOW),
        *(Endpoint(method, WORKFLOW_PATH + below, workflow, operation) for method, below, operation in BELOW),
        Endpoint(("GET", "POST"), WORKFLOW_PATH + "/{rest:path}", workflow),
    ]


async def _seen(gateway: Gateway, request: Request) -> tuple[Caller, list[dict[str, object]]]:
    """Who asks, and the workflows that they may see. Raises Problem."""
    caller = await gateway.authenticate(request)
    gateway.require_workflows()
    return caller, _listed(gateway, caller)


def _listed(gateway: Gateway, caller: Caller) -> list[dict[str, object]]:
    """The workflows that the caller may see."""
    ready = gateway.workflows.workers.agents()
    return [
        {
            "namespace": key.namespace,
            "name": key.name,
            "description": entry.description,
            "ready": ready.get(workers_of(key.namespace), 0) > 0,
        }
        for key, entry in gateway.workflows.items()
        if gateway.policy.allows(caller, Action.LIST, key)
    ]
