"""The paths of workflows by A2A, before the path that takes everything else of a workflow."""

from typing import TYPE_CHECKING

from slipway_crds.contract import WORKFLOW_PATH
from slipway_runtime.gateway.a2a.path import Loader
from slipway_runtime.gateway.endpoints.a2a import CARD, ROWS
from slipway_runtime.gateway.endpoints.endpoint import Endpoint, answered_by
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.workflows.a2a.path import WorkflowTasksPath, read_card

if TYPE_CHECKING:
    from a2a.server.request_handlers.request_handler import RequestHandler

A2A = WORKFLOW_PATH + "/a2a"


def endpoints(gateway: Gateway) -> list[Endpoint]:
    """The table."""
    loader = Loader(_handler)
    return [
        Endpoint("GET", A2A + CARD, read_card(gateway)),
        *(
            Endpoint(method, A2A + path, answered_by(WorkflowTasksPath(gateway, loader, what)))
            for method, path, what in ROWS
        ),
    ]


def _handler() -> "RequestHandler":
    from slipway_runtime.gateway.workflows.a2a.handler import RunTasks

    return RunTasks()
