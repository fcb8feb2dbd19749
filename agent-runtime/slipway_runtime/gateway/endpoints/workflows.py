"""The paths of workflows."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime.gateway import access
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import workflow_paths
from slipway_runtime.gateway.permissions import Action, no_such_workflow
from slipway_runtime.gateway.workflows.path import WorkflowPath
from slipway_runtime.gateway.workflows.table import workers_of
from slipway_runtime.identity import Caller


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
        Endpoint("POST", WORKFLOW_PATH + "/runs", workflow, workflow_paths.START_WORKFLOW),
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
