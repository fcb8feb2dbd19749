"""A worker over HTTP. Only the gateway's signed identity is believed; every error is a problem with a reason."""

import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from slipway_crds import contract
from slipway_runtime import statements
from slipway_runtime.applications import new_application
from slipway_runtime.identity import HEADER, Caller, InvalidIdentity, Verifier
from slipway_runtime.probes import readiness
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.telemetry.tracing import incoming, span
from slipway_runtime.workflows.engine import InvalidInput, InvalidRetry, UnknownWorkflow, WorkflowEngine
from slipway_runtime.workflows.rows import NotOpen, RunGone
from slipway_runtime.workflows.triggers.running import Triggers

RUN_ID = re.compile("[0-9a-f]{32}")


@dataclass
class Worker:
    """What the paths work with.

    Args:
        missing: what keeps it from taking runs, each as a sentence for a person.
    """

    engine: WorkflowEngine
    verifier: Verifier
    triggers: Triggers
    missing: Callable[[], list[str]] = list
    draining: bool = False
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def drain(self) -> None:
        """Take no more runs; those under way go on."""
        self.draining = True
        self.engine.queue.stop_taking()


@dataclass(frozen=True)
class WorkflowRequest:
    """A request about a workflow, by a caller whom the gateway knows."""

    worker: Worker
    http: Request
    workflow: str
    caller: Caller

    @property
    def engine(self) -> WorkflowEngine:
        """What does the runs."""
        return self.worker.engine

    @property
    def run_id(self) -> str:
        """The run in the path. Raises Problem: `RunNotFound`."""
        run_id = str(self.http.path_params["run"])
        if not RUN_ID.fullmatch(run_id):
            raise run_not_found()
        return run_id


Handler = Callable[[WorkflowRequest], Awaitable[Response]]


def run_not_found() -> Problem:
    """There is no run of this id, or it is none of this workflow."""
    return Problem(Reason.RUN_NOT_FOUND, "This workflow has no such run, or it was removed.")


def create_worker_app(worker: Worker) -> Starlette:
    """The application of a worker."""
    from slipway_runtime.workflows.worker import drawing, run_paths, status

    async def alive(_: Request) -> Response:
        return PlainTextResponse("alive")

    async def ready(_: Request) -> Response:
        draining = ["this worker is shutting down"] if worker.draining else []
        return readiness([*worker.missing(), *draining])

    async def report(request: Request) -> Response:
        names = [name for name in worker.engine.definitions if name.partition("/")[2] == request.path_params["name"]]
        try:
            workflow = names[0] if names else f"/{request.path_params['name']}"
            found = await status.report(worker.engine, workflow, worker.triggers)
        except StoreUnavailable as error:
            return problem_of(error).response()
        return Response(found.model_dump_json(), media_type="application/json")

    path = contract.WORKFLOW_PATH
    return new_application(
        [
            *(
                Route(f"{path}{below}", _guarded(worker, handler), methods=[method])
                for method, below, handler in (*drawing.ROUTES, *run_paths.ROUTES)
            ),
            Route(f"{contract.WORKER_STATUS_PATH}/{{name}}", report),
            Route(contract.LIVEZ, alive),
            Route(contract.READYZ, ready),
        ],
        handlers={500: _unexpected},
    )


def _guarded(worker: Worker, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler within a span, for a known caller, whose failures become problems."""

    async def endpoint(request: Request) -> Response:
        workflow = f"{request.path_params['namespace']}/{request.path_params['name']}"
        attributes = {"slipway.workflow": workflow}
        with span("worker", parent=incoming(request.headers), kind=SpanKind.SERVER, attributes=attributes):
            try:
                caller = _caller(worker, request)
                return await handler(WorkflowRequest(worker, request, workflow, caller))
            except ClientDisconnect:
                return Response(status_code=499)  # nobody is left to read it
            except KNOWN as error:
                return problem_of(error).response()

    return endpoint


KNOWN = (Problem, UnknownWorkflow, InvalidInput, InvalidRetry, NotOpen, RunGone, StoreUnavailable)


def problem_of(error: Exception) -> Problem:
    """The problem that a failure of `KNOWN` is."""
    match error:
        case Problem():
            return error
        case UnknownWorkflow():
            return Problem(Reason.NOT_FOUND, f"There is no Workflow {error}: apply it, or correct the name.")
        case InvalidInput() | InvalidRetry():
            return Problem(Reason.INVALID_REQUEST, f"{error}.")
        case NotOpen():
            return Problem(Reason.INPUT_NOT_OPEN, f"This cannot be done any more: {error}.")
        case RunGone():
            return run_not_found()
        case StoreUnavailable():
            return Problem(Reason.STORE_UNAVAILABLE, "The store is unavailable. Ask again.")
    raise error


def _caller(worker: Worker, request: Request) -> Caller:
    try:
        namespace = request.path_params["namespace"]
        return worker.verifier.verify(request.headers.get(HEADER, ""), statements.audience(namespace))
    except InvalidIdentity as error:
        raise Problem(Reason.UNAUTHENTICATED, f"{error}. Send the request through the gateway.") from None


async def _unexpected(_: Request, __: Exception) -> Response:
    return Problem(Reason.INTERNAL_ERROR, "The worker failed. Its log has the cause. Ask again.").response()
