"""A run of a workflow as a task: what workers say of it, in the protocol's words."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
from a2a.types.a2a_pb2 import (
    Artifact,
    Message,
    Part,
    Role,
    Task,
    TaskArtifactUpdateEvent,
    TaskState,
    TaskStatus,
    TaskStatusUpdateEvent,
)
from a2a.utils.errors import ContentTypeNotSupportedError, InvalidParamsError
from google.protobuf.json_format import MessageToDict

from slipway_runtime.protocols.a2a.tasks import OUTPUT, data_part, instant, text_part

Json = Mapping[str, Any]
RUN_STATES: Mapping[str, TaskState] = {
    "queued": TaskState.TASK_STATE_SUBMITTED,
    "running": TaskState.TASK_STATE_WORKING,
    "waiting": TaskState.TASK_STATE_WORKING,
    "needs_attention": TaskState.TASK_STATE_INPUT_REQUIRED,
    "done": TaskState.TASK_STATE_COMPLETED,
    "failed": TaskState.TASK_STATE_FAILED,
    "cancelled": TaskState.TASK_STATE_CANCELED,
}
"""What each state of a run is. One that waits for an approval is INPUT_REQUIRED."""
OVER = frozenset((RUN_STATES["done"], RUN_STATES["failed"], RUN_STATES["cancelled"]))
SETTLE = "The step {step} must not be repeated, and nobody knows what came of it: settle it by HTTP."


def context_id(run: str) -> str:
    """Each run is a context of its own."""
    return str(uuid.UUID(run))


def given(message: Message, schema: Json | None) -> dict[str, Any]:
    """What a message gives a run: its data, or its text.

    A text is a JSON object, or the value of the only required text of the input's schema, or else `text`.

    Raises:
        InvalidParamsError: for a message that says nothing.
        ContentTypeNotSupportedError: for parts that are neither.
    """
    found: dict[str, Any] = {}
    texts: list[str] = []
    for part in message.parts:
        match part.WhichOneof("content"):
            case "text":
                texts.append(part.text)
            case "data":
                data = MessageToDict(part.data)
                if not isinstance(data, dict):
                    raise InvalidParamsError("A data part must be an object: it is what the run is given.")
                found |= data
            case _:
                raise ContentTypeNotSupportedError("A run is given text or data: send no files.")
    text = "\n".join(texts).strip()
    if text:
        found = {**_of_text(text, schema or {}), **found}
    if not message.parts:
        raise InvalidParamsError("The message says nothing: send a part with data or text.")
    return found


def _of_text(text: str, schema: Json) -> dict[str, Any]:
    try:
        read = orjson.loads(text)
    except orjson.JSONDecodeError:
        read = None
    if isinstance(read, dict):
        return read
    properties, required = schema.get("properties"), schema.get("required")
    names = required if isinstance(required, Sequence) and required else list(properties or ())
    return {str(names[0]): text} if len(names) == 1 else {"text": text}


def asked_of(run: Json) -> Json | None:
    """The step whose approval a run waits for; None if it waits for none."""
    if run.get("ended") is not None:  # before somebody decided
        return None
    waiting = (each for each in run.get("steps", ()) if each.get("state") == "waiting")
    return next((each for each in waiting if each.get("kind") == "approval"), None)


def task_of(run: Json) -> Task:
    """A run with its steps as a task."""
    asked = asked_of(run)
    state = TaskState.TASK_STATE_INPUT_REQUIRED if asked else RUN_STATES[run["state"]]
    return Task(
        id=run["run_id"],
        context_id=context_id(run["run_id"]),
        status=_status(run["run_id"], state, _about(run, asked), at=run["changed"]),
        artifacts=[_output(run["output"])] if run["state"] == "done" and run.get("output") is not None else [],
    )


def _about(run: Json, asked: Json | None) -> list[Part]:
    """The text for a client about a run's state."""
    if asked is not None:
        return asks(asked)
    unsettled = next((each for each in run.get("steps", ()) if each.get("state") == "needs_attention"), None)
    if unsettled is not None:
        return [text_part(SETTLE.format(step=unsettled["step"]))]
    words = ": ".join(str(run[name]) for name in ("reason", "message") if run.get(name))
    return [text_part(words)] if words else []


def asks(step: Json) -> list[Part]:
    """What an approval asks, in words and as data: who decides, what, and until when."""
    about = {name: step[name] for name in ("step", "kind", "groups", "until") if step.get(name) is not None}
    return [text_part(str(step.get("asks") or "An approval is waited for.")), data_part(about)]


def updates_of(run: str, event: Json) -> list[TaskStatusUpdateEvent | TaskArtifactUpdateEvent]:
    """What clients are sent of an event of a run."""
    kind, step, at = str(event.get("type")), event.get("step"), float(event.get("at") or 0)
    if event.get("index") is not None:
        return []
    if kind == "done":
        made = [] if event.get("output") is None else [_made(run, event["output"])]
        return [*made, _moves(run, "done", (), at=at)]
    if kind in ("failed", "cancelled"):
        words = ": ".join(str(event[name]) for name in ("reason", "message") if event.get(name))
        return [_moves(run, kind, [text_part(words)] if words else (), at=at)]
    if kind == "input_required" and event.get("kind") == "approval":
        return [_moved(run, TaskState.TASK_STATE_INPUT_REQUIRED, asks(event), at=at)]
    if kind == "needs_attention":
        return [_moves(run, "needs_attention", [text_part(SETTLE.format(step=step))], at=at)]
    if kind in ("started", "input_given", "settled"):
        return [_moves(run, "running", (), at=at)]
    if kind in ("step_started", "step_retrying", "step_ended"):
        words = f"{step} {event.get('state') or ('has begun' if kind == 'step_started' else 'is tried again')}"
        return [_moves(run, "running", [text_part(words)], at=at)]
    return []


def rests(event: Json) -> bool:
    """Whether a client has all there is for it now."""
    approval = event.get("type") == "input_required" and event.get("kind") == "approval"
    return approval or event.get("type") in ("done", "failed", "cancelled", "needs_attention")


def _moves(run: str, state: str, parts: Iterable[Part], *, at: float) -> TaskStatusUpdateEvent:
    return _moved(run, RUN_STATES[state], parts, at=at)


def _moved(run: str, state: TaskState, parts: Iterable[Part], *, at: float) -> TaskStatusUpdateEvent:
    return TaskStatusUpdateEvent(
        task_id=run, context_id=context_id(run), status=_status(run, state, list(parts), at=at)
    )


def _made(run: str, output: Any) -> TaskArtifactUpdateEvent:
    return TaskArtifactUpdateEvent(
        task_id=run, context_id=context_id(run), artifact=_output(output), append=False, last_chunk=True
    )


def _output(output: Any) -> Artifact:
    return Artifact(artifact_id=OUTPUT, name=OUTPUT, parts=[data_part(output)])


def _status(run: str, state: TaskState, parts: list[Part], *, at: float) -> TaskStatus:
    message = Message(
        message_id=f"{run}-{int(at * 1000)}",
        task_id=run,
        context_id=context_id(run),
        role=Role.ROLE_AGENT,
        parts=parts,
    )
    return TaskStatus(state=state, message=message if parts else None, timestamp=instant(at))
