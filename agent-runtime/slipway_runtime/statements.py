"""Statements: for whom a run of a workflow is, as a gateway says it when the run begins, and the worker passes it on.

A worker calls agents through the gateway, hours after the person has left who started the run. It proves two things
there: with the key of its namespace that it is the worker, and with the statement whose run this is. A statement alone
gives nobody any right, and neither does a run's id.

What workers and gateways send each other has these headers, besides those of `slipway_runtime.protocols.headers`. With
a POST that begins a run, or begins a run again, the worker gets `RUN_HEADER` and `STATEMENT_HEADER`; with any other
POST `REQUEST_HEADER`: the same request may come twice. To a gateway the worker sends all of the headers here.
"""

import time
from dataclasses import dataclass

from slipway_runtime.gateway_tokens import InvalidGatewayToken, read_token, sign_token
from slipway_runtime.identity import Caller, Signer

TOKEN_TYPE = "slipway-statement+jwt"
"""In the token's header: a statement is neither an identity nor a grant (RFC 8725, 3.11)."""
STATEMENT_HEADER = "X-Slipway-Statement"
"""To a worker: the statement of the run. To a gateway: the same; left out where no person began the run."""
WORKER_KEY_HEADER = "X-Slipway-Worker-Key"
"""To a gateway: the key of the namespace's workers."""
WORKFLOW_HEADER = "X-Slipway-Workflow"
"""To a gateway: `namespace/name` of the workflow whose run calls. The run's id is in `RUN_HEADER`."""
WORKFLOWS = "workflow"
"""The issuer of workflows as callers. No provider of identities has this issuer: theirs are URLs."""
MAX_SECONDS = 31 * 24 * 3600
"""A run may wait for people; it may not call agents for somebody for ever."""


@dataclass(frozen=True)
class RunStatement:
    """What a token says."""

    caller: Caller
    """For whom the run is."""
    workflow: str
    """`namespace/name`."""
    run: str
    expires: int
    """Seconds since 1970."""


class InvalidStatement(Exception):
    """A statement that says nothing: forged, expired, or none. The text is safe to show."""


def audience(namespace: str) -> str:
    """For whom gateways make identities when they call a namespace's workers: no agent's, whose names have no colon."""
    return f"workflow:{namespace}"


def workflow_caller(namespace: str, name: str) -> Caller:
    """Who a run is for that no person began, such as one by a schedule. Its group is that of all such runs of the
    namespace, so that `spec.access` of an agent can let them in."""
    return Caller(WORKFLOWS, f"{namespace}/{name}", (f"slipway:workflows:{namespace}",))


def issue(caller: Caller, *, workflow: str, run: str, seconds: float) -> RunStatement:
    """The statement of a run that begins now and may take so long."""
    return RunStatement(caller, workflow, run, expires=int(time.time() + min(seconds, MAX_SECONDS)))


def sign(statement: RunStatement, signer: Signer) -> str:
    """The statement as a token."""
    claims = {"workflow": statement.workflow, "run": statement.run}
    return sign_token(statement.caller, claims, signer, kind=TOKEN_TYPE, expires=statement.expires)


def verify(token: str, signer: Signer) -> RunStatement:
    """What a token of this installation's gateways states.

    Raises:
        InvalidStatement: for anything but a current statement.
    """
    try:
        caller, claims = read_token(
            token, signer, kind=TOKEN_TYPE, word="statement", claims=("workflow", "run"), seconds=MAX_SECONDS
        )
    except InvalidGatewayToken as error:
        raise InvalidStatement(f"{error}: begin the run anew") from error
    workflow, run = claims["workflow"], claims["run"]
    if not isinstance(workflow, str) or not isinstance(run, str):
        raise InvalidStatement("the statement is not valid: its claims are not those of a statement")
    return RunStatement(caller, workflow, run, int(claims["exp"]))
