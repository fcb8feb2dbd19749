"""What A2A's clients are sent of a run's events, and what a task comes to."""

from a2a.types.a2a_pb2 import TaskArtifactUpdateEvent, TaskState
from google.protobuf.json_format import MessageToDict

from slipway_runtime.events import (
    Artifact,
    Cancelled,
    Delta,
    Discarded,
    Done,
    Event,
    Failed,
    InputGiven,
    InputRequired,
    Progress,
    Restarted,
    Started,
    Unknown,
)
from slipway_runtime.protocols.a2a.tasks import TaskView, Update

RUN = "f" * 32
STARTED = Started(agent="demo/support")


def take(*events: Event) -> tuple[TaskView, list[Update]]:
    view = TaskView(RUN, "talk")
    return view, [update for event in events for update in view.take(event)]


def said(updates: list[Update]) -> list[tuple[str, bool]]:
    """Text and `append` of each piece of the answer."""
    pieces = [each for each in updates if isinstance(each, TaskArtifactUpdateEvent)]
    return [("".join(part.text for part in each.artifact.parts), each.append) for each in pieces]


def done(answer: str) -> Done:
    return Done(answer=answer, finish="stop", sources=())


def test_text_that_is_void_is_replaced_by_what_stands() -> None:
    view, updates = take(
        STARTED,
        Delta(step="a", text="One. "),
        Delta(step="b", text="Tw"),
        Restarted(attempt=2, discard=("b",)),
        Started(agent="demo/support"),
        Delta(step="b", text="Two."),
        done("One. Two."),
    )
    assert said(updates) == [("One. ", False), ("Tw", True), ("One. ", False), ("Two.", True), ("", True)]
    assert view.task().artifacts[0].parts[0].text == "One. Two."
    assert view.state == TaskState.TASK_STATE_COMPLETED


def test_steps_without_text_void_nothing() -> None:
    _, updates = take(STARTED, Delta(step="a", text="One."), Discarded(steps=("b",), reason="x"), done("One."))
    assert said(updates) == [("One.", False), ("", True)]


def test_an_answer_that_was_not_streamed_comes_whole() -> None:
    _, updates = take(STARTED, Delta(step="a", text="On"), done("Off"))
    assert said(updates)[-1] == ("Off", False)
    _, updates = take(STARTED, done("Off"))
    assert said(updates) == [("Off", False)]


def test_files_are_artifacts_of_their_own_and_void_ones_are_emptied() -> None:
    file = {"id": "1", "name": "x.txt", "media_type": "text/plain"}
    view, updates = take(
        STARTED, Artifact(step="a", text="ab", last=False, **file), Artifact(step="a", text="c", **file)
    )
    assert said(updates) == [("ab", False), ("c", True)]
    assert said(view.take(Restarted(attempt=2, discard=("a",)))) == [("", False)]
    assert not view.task().artifacts


def test_what_is_asked_is_in_the_status_and_then_in_the_history() -> None:
    asked = InputRequired(id="go", kind="approval", prompt="Go on?", answerers=("caller",), expires=9.0)
    view, updates = take(STARTED, asked)
    assert view.at_rest
    text, data = updates[-1].status.message.parts  # type: ignore[union-attr]
    assert (text.text, MessageToDict(data.data)["id"]) == ("Go on?", "go")
    view.take(InputGiven(id="go", by="alice"))
    assert view.state == TaskState.TASK_STATE_WORKING
    assert [message.parts[0].text for message in view.task().history] == ["Go on?"]


def test_how_runs_end() -> None:
    failed, _ = take(STARTED, Failed(reason="RequestTimeout", message="Ask again."))
    assert failed.task().status.message.parts[0].text == "RequestTimeout: Ask again."
    assert failed.state == TaskState.TASK_STATE_FAILED
    cancelled, _ = take(STARTED, Cancelled(reason="ByCaller", message="Stopped."))
    assert cancelled.state == TaskState.TASK_STATE_CANCELED
    output, _ = take(STARTED, Done(answer="", finish="stop", sources=(), output={"x": 1}))
    assert [each.artifact_id for each in output.task().artifacts] == ["output"]


def test_progress_and_what_is_not_known() -> None:
    view, updates = take(STARTED, Progress(text="Half"), Unknown(type="thought"))
    assert [each.status.message.parts[0].text for each in updates[1:]] == ["Half"]  # type: ignore[union-attr]
    assert view.reply is None


def test_an_agent_that_means_no_task_gives_a_message() -> None:
    view, _ = take(STARTED, Done(answer="Hi.", finish="stop", sources=(), as_message=True))
    assert view.reply is not None
    assert (view.reply.parts[0].text, view.reply.context_id, view.reply.task_id) == ("Hi.", "talk", "")
