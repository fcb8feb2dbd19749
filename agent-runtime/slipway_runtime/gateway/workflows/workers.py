"""Workers that call agents: that it is one of the namespace's, and for whom.

A worker has the key of its namespace, of which gateways know the fingerprint, and the statement of the run. It reaches
agents of its own namespace, as the caller for whom the run is; where no person began the run, as the workflow.
"""

import time

from starlette.requests import Request

from slipway_runtime import statements
from slipway_runtime.gateway.routes import WorkflowKey
from slipway_runtime.gateway.workflows.table import WorkflowTable
from slipway_runtime.grants import Grant
from slipway_runtime.identity import Signer
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.statements import (
    STATEMENT_HEADER,
    WORKER_KEY_HEADER,
    WORKFLOW_HEADER,
    InvalidStatement,
    workflow_caller,
)

ACTOR = "workflow:"
"""How the actor of a worker's call begins, in which no agent's `namespace/name` does."""
REQUEST_SECONDS = 60


def presented(request: Request) -> bool:
    """Whether a request brings a worker's key, of whatever worth."""
    return WORKER_KEY_HEADER in request.headers


class WorkerCalls:
    """Reads what workers bring."""

    def __init__(self, table: WorkflowTable, signer: Signer) -> None:
        self._table = table
        self._signer = signer

    def read(self, request: Request) -> Grant:
        """For whom a worker calls, by which workflow, in which run.

        Raises:
            Problem: `Unauthenticated`.
        """
        given = request.headers
        namespace, _, name = given.get(WORKFLOW_HEADER, "").partition("/")
        key, run = WorkflowKey(namespace, name), given.get(RUN_HEADER, "")
        # The namespace is claimed first, so that a key that is known in another one is of no use to anybody.
        if not self._table.is_worker(namespace, given[WORKER_KEY_HEADER]):
            raise _refused("This is no key of a worker of the workflow's namespace.")
        if self._table.get(key) is None:
            raise _refused(f"There is no workflow {key} any more.")
        token = given.get(STATEMENT_HEADER)
        actor, now = f"{ACTOR}{key}", int(time.time())
        if token is None:
            return Grant(workflow_caller(namespace, name), actor, run, depth=1, expires=now + REQUEST_SECONDS)
        try:
            statement = statements.verify(token, self._signer)
        except InvalidStatement as error:
            raise _refused(f"{error}.") from None
        if (statement.workflow, statement.run) != (str(key), run):
            raise _refused("The statement is of another run.")
        return Grant(statement.caller, actor, run, depth=1, expires=statement.expires)


def namespace_of(grant: Grant) -> str:
    """The namespace of the worker that calls."""
    return grant.actor.removeprefix(ACTOR).partition("/")[0]


def check_reaches(grant: Grant, request: Request) -> None:
    """See that a path is one of an agent in the worker's namespace.

    Raises:
        Problem: `NotAMember`.
    """
    namespace = namespace_of(grant)
    if request.path_params.get("namespace") != namespace:
        raise Problem(Reason.NOT_A_MEMBER, f"a workflow may call agents of its own namespace, {namespace}")


def _refused(why: str) -> Problem:
    return Problem(Reason.UNAUTHENTICATED, why)
