"""Tasks as hosts have them recorded."""

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from a2a.types.a2a_pb2 import ListTasksRequest, Message, Part, Role, TaskState
from a2a.utils.errors import TaskNotFoundError

from slipway_runtime import events
from slipway_runtime.gateway.a2a.visit import Visit
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.inner_calls import fetch
from slipway_runtime.grants import session_named
from slipway_runtime.protocols.a2a.messages import ABOUT
from slipway_runtime.protocols.a2a.tasks import STATES, TaskView, data_part, text_part

QUICK_SECONDS = 60.0
TASK_ID = re.compile("[0-9a-f]{32}")
JSON = {"Accept": "application/json"}
SKIN = "a2a"


@dataclass(frozen=True)
class Recorded:
    """A task with what its host has of it."""

    view: TaskView
    changed: float
    """Since when it is what it is, in seconds since 1970."""
    last_id: str
    """The id of its last event so far; empty where there is none."""
    inputs: tuple[events.InputRequired, ...]
    """What it has asked for, the last one last."""


@dataclass(frozen=True)
class TaskPage:
    """Tasks without their artifacts, those that changed last first."""

    tasks: tuple[Recorded, ...]
    after: str | None
    """Where the next page begins; None on the last one."""
    total: int


def context_of(run: str) -> str:
    """The id of the context of a run that came without one. It follows from the run, so a repeated request has it."""
    return str(uuid.UUID(run))


def session_of(visit: Visit, context: str) -> str:
    """The session that a context is: its id is a client's own, and so are no one else's sessions."""
    return session_named(owner=visit.caller.owner, agent=str(visit.agent), skin=SKIN, id=context)


async def read_task(gateway: Gateway, visit: Visit, task_id: str) -> Recorded:
    """A task of the caller.

    Raises:
        TaskNotFoundError: if it is none.
        Problem: if hosts cannot say.
    """
    if not TASK_ID.fullmatch(task_id):
        raise TaskNotFoundError
    path = f"{visit.path}/runs/{task_id}/record"
    found = await fetch(gateway.upstreams, visit.call("GET", path, headers=JSON, seconds=QUICK_SECONDS))
    return recorded(found)


async def list_tasks(gateway: Gateway, visit: Visit, params: ListTasksRequest, *, limit: int) -> TaskPage:
    """A page of the caller's tasks. Raises Problem."""
    query: dict[str, str] = {"limit": str(limit)}
    if params.context_id:
        query["session"] = session_of(visit, params.context_id)
    if params.status != TaskState.TASK_STATE_UNSPECIFIED:
        query["state"] = _state(params.status)
    if params.page_token:
        query["after"] = params.page_token
    if params.HasField("status_timestamp_after"):
        query["since"] = repr(params.status_timestamp_after.ToMilliseconds() / 1000)
    if query.get("state") == "":
        return TaskPage((), None, 0)
    path = f"{visit.path}/records?{urlencode(query)}"
    found = await fetch(gateway.upstreams, visit.call("GET", path, headers=JSON, seconds=QUICK_SECONDS))
    return TaskPage(tuple(recorded(each) for each in found["records"]), found["next"], found["total"])


def _state(wanted: TaskState) -> str:
    """The state of runs; empty for one that no run has."""
    return next((name for name, state in STATES.items() if state == wanted), "")


def recorded(record: Mapping[str, Any]) -> Recorded:
    """What a host says of a run, as a task."""
    run, about = record["run_id"], record["metadata"].get(ABOUT, {})
    context = about.get("context") or record["session_id"] or context_of(run)
    asked = Message(
        message_id=about.get("message") or f"{run}-question",
        task_id=run,
        context_id=context,
        role=Role.ROLE_USER,
        parts=[text_part(record["question"])],
    )
    given = {
        name: Message(
            message_id=f"{run}-{name}", task_id=run, context_id=context, role=Role.ROLE_USER, parts=[_answered(answer)]
        )
        for name, answer in record["answers"].items()
    }
    view = TaskView(run, context, history=[asked], given=given)
    read = [events.read(each) for each in record["events"]]
    for event in read:
        view.take(event)
    view.settle(record["state"])
    return Recorded(
        view,
        changed=record["changed"],
        last_id=record["last_event"] or "",
        inputs=tuple(each for each in read if isinstance(each, events.InputRequired)),
    )


def _answered(answer: Mapping[str, Any]) -> Part:
    """A client's answer, in words where it was that."""
    text = answer.get("text")
    return text_part(text) if set(answer) == {"text"} and isinstance(text, str) else data_part(answer)
