"""A run as a task: what it is now, and what clients are sent of each event."""

import base64
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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
from google.protobuf.json_format import ParseDict
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from slipway_runtime import events
from slipway_runtime.events import Event
from slipway_runtime.protocols.transcript import Transcript

Update = TaskStatusUpdateEvent | TaskArtifactUpdateEvent
ANSWER = "answer"
"""Id of the artifact that has the agent's words, and at its end a part with sources and so on."""
OUTPUT = "output"
"""Id of the artifact that has a structured answer."""
STATES: Mapping[str, TaskState] = {
    "running": TaskState.TASK_STATE_WORKING,
    "waiting": TaskState.TASK_STATE_INPUT_REQUIRED,
    "done": TaskState.TASK_STATE_COMPLETED,
    "failed": TaskState.TASK_STATE_FAILED,
    "cancelled": TaskState.TASK_STATE_CANCELED,
}
"""What each state of a run is."""
ENDED = frozenset((STATES["done"], STATES["failed"], STATES["cancelled"]))
EMPTY: Mapping[str, Message] = {}
SAID = ("abstained", "finish", "grounded", "model")


def text_part(text: str) -> Part:
    """Words."""
    return Part(text=text)


def data_part(data: Any) -> Part:
    """JSON data."""
    return Part(data=ParseDict(data, Value()), media_type="application/json")


def struct(data: Mapping[str, Any]) -> Struct:
    """Metadata."""
    return ParseDict(dict(data), Struct())


def instant(seconds: float) -> Timestamp:
    """A time, in seconds since 1970, to the millisecond."""
    stamp = Timestamp()
    stamp.FromMilliseconds(round(seconds * 1000))
    return stamp


class TaskView:
    """Gathers the events of a run, in their order.

    Args:
        history: messages that the client may look up, the question first.
        given: the client's answers, by the id of the input.
    """

    def __init__(
        self, task_id: str, context_id: str, *, history: Sequence[Message] = (), given: Mapping[str, Message] = EMPTY
    ) -> None:
        self.task_id = task_id
        self.context_id = context_id
        self.history = list(history)
        self._given = given
        self._state = TaskState.TASK_STATE_SUBMITTED
        self._status_message: Message | None = None
        self._changed = time.time()
        self._done: events.Done | None = None
        self._transcript = Transcript()
        self._artifacts: dict[str, Artifact] = {}
        self._made_in: dict[str, str] = {}
        """The step that each file is of."""

    @property
    def state(self) -> TaskState:
        """What the task is."""
        return self._state

    @property
    def at_rest(self) -> bool:
        """Whether nothing more comes of it by itself: it has ended, or waits for the client."""
        return self._state in ENDED or self._state == TaskState.TASK_STATE_INPUT_REQUIRED

    def task(self, *, changed: float | None = None) -> Task:
        """The task as it is now.

        Args:
            changed: since when, in seconds since 1970; None for the time of the last event.
        """
        return Task(
            id=self.task_id,
            context_id=self.context_id,
            status=self._status(changed=changed),
            artifacts=self._artifacts.values(),
            history=self.history,
        )

    def take(self, event: Event) -> list[Update]:
        """What clients are sent of the next event."""
        before = self._transcript.text
        self._transcript.add(event)
        match event:
            case events.Delta(channel="answer"):
                return [self._says(event.text)]
            case events.Artifact():
                return [self._makes(event)]
            case events.Discarded() | events.Restarted():
                return self._voided(event, before)
            case events.Done():
                return self._ends(event)
            case _:
                update = self._moved(event)
                return [update] if update else []

    def _moved(self, event: Event) -> TaskStatusUpdateEvent | None:
        """What becomes of the task's status, if anything does."""
        match event:
            case events.Started() if self._state == TaskState.TASK_STATE_SUBMITTED:
                return self._moves(TaskState.TASK_STATE_WORKING)
            case events.Progress():
                return self._moves(TaskState.TASK_STATE_WORKING, [text_part(event.text)])
            case events.InputRequired():
                return self._moves(TaskState.TASK_STATE_INPUT_REQUIRED, _asked(event))
            case events.InputGiven():
                self._remember(event)
                return self._moves(TaskState.TASK_STATE_WORKING)
            case events.Failed():
                return self._moves(TaskState.TASK_STATE_FAILED, [text_part(f"{event.reason}: {event.message}")])
            case events.Cancelled():
                return self._moves(TaskState.TASK_STATE_CANCELED, [text_part(event.message)])
            case _:
                return None

    @property
    def reply(self) -> Message | None:
        """The answer as a message, where the agent means no task."""
        done = self._done
        if done is None or not done.as_message:
            return None
        message = self._message([text_part(done.answer)])
        message.ClearField("task_id")
        return message

    def settle(self, state: str) -> None:
        """Be what the run's record says, where events are left out or newer than it: `state` is a run's."""
        self._state = STATES.get(state, self._state)

    def _moves(self, state: TaskState, parts: Iterable[Part] = ()) -> TaskStatusUpdateEvent:
        self._state, self._changed = state, time.time()
        parts = list(parts)
        self._status_message = self._message(parts) if parts else None
        usage = self._transcript.usage if state in ENDED else None
        return TaskStatusUpdateEvent(
            task_id=self.task_id,
            context_id=self.context_id,
            status=self._status(),
            metadata=struct({"usage": usage}) if usage else None,
        )

    def _message(self, parts: Iterable[Part]) -> Message:
        return Message(
            message_id=f"{self.task_id}-{len(self.history)}",
            task_id=self.task_id,
            context_id=self.context_id,
            role=Role.ROLE_AGENT,
            parts=parts,
        )

    def _remember(self, given: events.InputGiven) -> None:
        """Put what was asked, and what the client answered, into the history."""
        if self._status_message is not None:
            self.history.append(self._status_message)
        if given.id in self._given:
            self.history.append(self._given[given.id])

    def _status(self, *, changed: float | None = None) -> TaskStatus:
        when = self._changed if changed is None else changed
        return TaskStatus(state=self._state, message=self._status_message, timestamp=instant(when))

    def _says(self, text: str) -> TaskArtifactUpdateEvent:
        said = self._artifacts.get(ANSWER)
        if said is None:
            return self._replaces(Artifact(artifact_id=ANSWER, name=ANSWER, parts=[text_part(text)]), last=False)
        said.parts[0].text += text
        return self._adds(Artifact(artifact_id=ANSWER, name=ANSWER, parts=[text_part(text)]), last=False)

    def _replaces(self, artifact: Artifact, *, last: bool) -> TaskArtifactUpdateEvent:
        self._artifacts[artifact.artifact_id] = artifact
        return self._update(artifact, append=False, last=last)

    def _adds(self, artifact: Artifact, *, last: bool) -> TaskArtifactUpdateEvent:
        return self._update(artifact, append=True, last=last)

    def _update(self, artifact: Artifact, *, append: bool, last: bool) -> TaskArtifactUpdateEvent:
        return TaskArtifactUpdateEvent(
            task_id=self.task_id, context_id=self.context_id, artifact=artifact, append=append, last_chunk=last
        )

    def _voided(self, event: events.Discarded | events.Restarted, before: str) -> list[Update]:
        """Text that stands replaces the artifact; files of void steps are emptied, since none can be taken back."""
        steps = event.steps if isinstance(event, events.Discarded) else event.discard
        updates: list[Update] = []
        text = self._transcript.text
        if ANSWER in self._artifacts and text != before:
            artifact = Artifact(artifact_id=ANSWER, name=ANSWER, parts=[text_part(text)])
            updates.append(self._replaces(artifact, last=False))
        for name in [name for name, step in self._made_in.items() if step in steps]:
            del self._made_in[name]
            artifact = self._artifacts.pop(name)
            empty = Artifact(artifact_id=name, name=artifact.name, parts=[text_part("")])
            updates.append(self._update(empty, append=False, last=True))
        return updates

    def _makes(self, event: events.Artifact) -> TaskArtifactUpdateEvent:
        name = f"file-{event.id}"
        piece = Artifact(artifact_id=name, name=event.name, parts=[_file(event)])
        known = self._artifacts.get(name)
        self._made_in[name] = event.step
        if known is None:
            return self._replaces(piece, last=event.last)
        known.parts.extend(piece.parts)
        return self._adds(piece, last=event.last)

    def _ends(self, done: events.Done) -> list[Update]:
        self._done = done
        updates: list[Update] = []
        rest = {name: getattr(done, name) for name in SAID if getattr(done, name) is not None}
        more = data_part({**rest, "sources": [source.model_dump() for source in done.sources]})
        said = self._artifacts.get(ANSWER)
        if said is not None and said.parts[0].text == done.answer:
            said.parts.append(more)
            updates.append(self._adds(Artifact(artifact_id=ANSWER, name=ANSWER, parts=[more]), last=True))
        elif done.answer or said is not None:
            whole = Artifact(artifact_id=ANSWER, name=ANSWER, parts=[text_part(done.answer), more])
            updates.append(self._replaces(whole, last=True))
        if done.output is not None:
            output = Artifact(artifact_id=OUTPUT, name=OUTPUT, parts=[data_part(done.output)])
            updates.append(self._replaces(output, last=True))
        return [*updates, self._moves(TaskState.TASK_STATE_COMPLETED)]


def _file(event: events.Artifact) -> Part:
    part = Part(filename=event.name, media_type=event.media_type)
    if event.url is not None:
        part.url = event.url
    elif event.data is not None:
        part.raw = base64.b64decode(event.data)
    else:
        part.text = event.text or ""
    return part


def _asked(event: events.InputRequired) -> list[Part]:
    """What a run waits for, in words and as data."""
    fields = event.to_json()
    about = {name: value for name, value in fields.items() if name not in ("type", "step", "prompt")}
    return [text_part(event.prompt or f"The task waits for an input of the kind {event.kind}."), data_part(about)]
