"""The paths of workflows."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime.gateway import access
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.openapi import workflow_paths
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.workflows.path import WorkflowPath
from slipway_runtime.gateway.workflows.table import workers_of
from slipway_runtime.identity import Caller


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    workflow = answered_by(WorkflowPath(gateway))

    async def listing(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        gateway.require_workflows()
        access.write(request, caller, status=200)
        return JSONResponse({"workflows": _listed(gateway, caller)})

    return [
        Endpoint("GET", "/workflows", listing, workflow_paths.LIST_WORKFLOWS),
        Endpoint("GET", WORKFLOW_PATH, workflow, workflow_paths.READ_WORKFLOW),
        Endpoint("POST", WORKFLOW_PATH + "/runs", workflow, workflow_paths.START_WORKFLOW),
        Endpoint(("GET", "POST"), WORKFLOW_PATH + "/{rest:path}", workflow),
    ]


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
