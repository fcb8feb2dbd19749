"""The paths by which a workflow is run by A2A, and its card."""

from opentelemetry.trace import SpanKind
from starlette.requests import Request
from starlette.responses import Response

from slipway_runtime.gateway import access
from slipway_runtime.gateway.a2a.path import Loader, sent, worded
from slipway_runtime.gateway.asgi import Receive, unless_gone
from slipway_runtime.gateway.endpoints.endpoint import Handler
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import HostedPath, counted
from slipway_runtime.gateway.metrics import WORKFLOW_REQUESTS, WORKFLOW_SECONDS
from slipway_runtime.gateway.permissions import Action, no_such_workflow, require
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.workflows.path import BODY_BYTES
from slipway_runtime.gateway.workflows.runs import WorkflowRuns
from slipway_runtime.gateway.workflows.table import WorkflowEntry
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Caller
from slipway_runtime.protocols.a2a import cards
from slipway_runtime.telemetry.tracing import incoming, span


class WorkflowTasksPath(HostedPath):
    """One operation of one binding.

    Args:
        operation: see `Dispatch.answer`.
    """

    def __init__(self, gateway: Gateway, loader: Loader, operation: str) -> None:
        super().__init__(gateway, worded)
        self._loader = loader
        self._operation = operation

    async def _answered(
        self, request: Request, receive: Receive, reply: Reply, *, caller: Caller, grant: Grant | None
    ) -> None:
        key, _ = permitted(self._gateway, request, caller)
        access.note(workflow=key)
        labels = (key.namespace, key.name)
        with (
            counted(reply, WORKFLOW_SECONDS, WORKFLOW_REQUESTS, labels=labels, about={"workflow": str(key)}),
            self._gateway.long_bodies.held() as held,
        ):
            body = await self._body(request, receive, caller=caller, limit=BODY_BYTES, held=held)
            with self._admitted():
                await unless_gone(self._dispatched(request, body, reply, key=key, caller=caller), receive)

    async def _dispatched(
        self, request: Request, body: bytes, reply: Reply, *, key: WorkflowKey, caller: Caller
    ) -> None:
        dispatch = await self._loader.dispatch()
        from slipway_runtime.gateway.workflows.a2a.handler import WorkflowVisit

        visit = WorkflowVisit(request, WorkflowRuns(self._gateway, key, caller))
        with span(
            "gateway a2a",
            parent=incoming(request.headers),
            kind=SpanKind.SERVER,
            attributes={"slipway.workflow": str(key)},
        ) as current:
            await sent(await dispatch.answer(self._operation, request, body, visit), reply)
            current.set_attribute("http.response.status_code", reply.status)


def permitted(gateway: Gateway, request: Request, caller: Caller) -> tuple[WorkflowKey, WorkflowEntry]:
    """The workflow that a path names. Raises Problem: `WorkflowNotFound`, also where the caller may not see it."""
    key = WorkflowKey(request.path_params["namespace"], request.path_params["name"])
    entry = gateway.workflows.get(key)
    if entry is None:
        gateway.require_workflows()
        raise no_such_workflow()
    require(gateway.policy, caller, Action.LIST, key)
    return key, entry


def read_card(gateway: Gateway) -> Handler:
    """The card of the workflow that the path names: its one skill is to run."""

    async def endpoint(request: Request) -> Response:
        caller = await gateway.authenticate(request)
        key, entry = permitted(gateway, request, caller)
        base = gateway.public_url or str(request.base_url)
        described = cards.Described(
            name=str(key),
            url=f"{base.rstrip('/')}/workflows/{key}/a2a",
            description=entry.description or f"The workflow {key}.",
            revision="",
            keys=gateway.asks_for_keys,
        )
        body = cards.dump(cards.workflow_card(described))
        headers = {**cards.HEADERS, "etag": cards.etag(body)}
        known = cards.unchanged(headers["etag"], request.headers.get("if-none-match", ""))
        access.write(request, caller, status=304 if known else 200)
        return Response(status_code=304, headers=headers) if known else Response(body, headers=headers)

    return endpoint
