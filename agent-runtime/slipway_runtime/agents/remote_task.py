"""The task of an agent that is asked by A2A, gathered from what it sends: JSON of an agent that is not ours."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args

from slipway_runtime.events import Delta, Discarded, Done, Event, Failed, Finish, Progress

STEP = "remote"
"""The step that texts of a remote agent are of; whoever passes them on puts its own in its place."""
MOST_CHARACTERS = 1024 * 1024
COMPLETED = "TASK_STATE_COMPLETED"
WAITS = ("TASK_STATE_INPUT_REQUIRED", "TASK_STATE_AUTH_REQUIRED")
ENDED = (COMPLETED, "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_REJECTED")
Json = Mapping[str, Any]


class Nonsense(ValueError):
    """Something that no agent sends by A2A. The text says what, and ends a sentence that begins "it sent"."""


class RemoteTask:
    """Takes results of A2A calls in their order, and says what they mean as events of a run."""

    def __init__(self) -> None:
        self.id = ""
        self.state = ""
        self._artifacts: dict[str, tuple[str, list[Json]]] = {}
        """Text and data of each."""
        self._status_text = ""
        self._emitted = ""

    @property
    def rests(self) -> bool:
        """Whether nothing more comes of it by itself."""
        return self.state in ENDED or self.waits

    @property
    def waits(self) -> bool:
        """Whether it wants something of whoever asked."""
        return self.state in WAITS

    def take(self, result: object) -> Iterator[Event]:
        """Take what one frame, or an answer, holds. Raises Nonsense."""
        result = _object(result, "a result")
        if "message" in result:
            self._status_text, self.state = _text(_object(result["message"], "a message")), COMPLETED
        elif "task" in result:
            self._take_task(_object(result["task"], "a task"))
        elif "statusUpdate" in result:
            yield from self._take_status(_object(result["statusUpdate"], "a status"))
        elif "artifactUpdate" in result:
            self._take_update(_object(result["artifactUpdate"], "an artifact"))
        yield from self._news()
        if self.state in ENDED:
            yield self._last()

    def _take_task(self, task: Json) -> None:
        self.id = str(task.get("id") or self.id)
        self._artifacts = {}
        for artifact in _objects(task.get("artifacts")):
            self._add(artifact, append=False)
        list(self._take_status(task))

    def _take_status(self, update: Json) -> Iterator[Event]:
        self.id = self.id or str(update.get("taskId") or "")
        status = _object(update.get("status") or {}, "a status")
        self.state = str(status.get("state") or self.state)
        self._status_text = _text(_object(status.get("message") or {}, "a message"))
        if self._status_text and not self.rests:
            yield Progress(text=self._status_text[:1000])

    def _take_update(self, update: Json) -> None:
        self._add(_object(update.get("artifact"), "an artifact"), append=bool(update.get("append")))

    def _add(self, artifact: Json, *, append: bool) -> None:
        name = str(artifact.get("artifactId"))
        text, data = self._artifacts.get(name, ("", [])) if append else ("", [])
        given = [part["data"] for part in _objects(artifact.get("parts")) if isinstance(part.get("data"), Mapping)]
        self._artifacts[name] = text + _text(artifact), [*data, *given]
        if sum(len(each) for each, _ in self._artifacts.values()) > MOST_CHARACTERS:
            raise Nonsense(f"more than {MOST_CHARACTERS} characters")

    @property
    def _text(self) -> str:
        return "".join(text for text, _ in self._artifacts.values())

    def _news(self) -> Iterator[Event]:
        """What is to be said of the text that was not said yet. A text that was replaced is void."""
        text = self._text
        if not text.startswith(self._emitted):
            yield Discarded(step=STEP, steps=(STEP,), reason="Replaced")
            self._emitted = ""
        if new := text[len(self._emitted) :]:
            yield Delta(step=STEP, text=new)
        self._emitted = text

    def _last(self) -> Event:
        if self.state != COMPLETED:
            word = self.state.removeprefix("TASK_STATE_").lower()
            return Failed(reason="RemoteAgentFailed", message=f"its task is {word}: {self._status_text[:300] or '?'}")
        data = [each for _, of_it in self._artifacts.values() for each in of_it]
        finish: Finish = "stop"
        for each in data:
            if each.get("finish") in get_args(Finish):
                finish = each["finish"]
        own = [each for each in data if "sources" not in each]
        return Done(answer=self._text or self._status_text, finish=finish, output=own[0] if own else None, sources=())


def _object(value: object, what: str) -> Json:
    if not isinstance(value, Mapping):
        raise Nonsense(f"{what} that is no object")
    return value


def _objects(value: object) -> Sequence[Json]:
    if not isinstance(value, list):
        return ()
    return [_object(each, "an entry") for each in value]


def _text(holder: Json) -> str:
    """All words in an object's parts."""
    return "".join(str(part["text"]) for part in _objects(holder.get("parts")) if isinstance(part.get("text"), str))
