"""The table of events in docs/ag-ui.md is what the renderer does, row by row, and all of it is as AG-UI has it."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from slipway_runtime.events import MODELS, Delta, Done, Event, EventId, Failed, ModelUsage, NumberedEvent, Usage, read
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.protocols.ag_ui_answer import AgUiRun, AgUiStream
from slipway_runtime.protocols.sse import PING, frame, read_frames
from tests.runtime.protocols.test_events_table import DONE, EXAMPLES, MORE, RUN, SAID
from tests.support.ag_ui import checked

PAGE = (Path(__file__).parents[3] / "docs" / "ag-ui.md").read_text()
ROWS: dict[str, str] = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE[PAGE.index("| Event |") :], re.MULTILINE))
BEFORE = [{"id": "m", "role": "user", "content": "?"}]
ALWAYS = {"RUN_STARTED", "STEP_STARTED", "STEP_FINISHED"}
Sent = list[dict[str, Any]]


def stream(*, declares: bool = True, former: int = 0) -> AgUiStream:
    shown = AgUiRun("k", "demo/a", "t", "r", BEFORE, former=former, declares=declares)
    return AgUiStream(shown, run=RUN)


def fed(renderer: AgUiStream, *events: Event) -> Sent:
    """What goes to the client, which is checked against the protocol's schema."""
    sent: Sent = []
    for seq, event in enumerate(events, start=1):
        sent += decoded(renderer.feed(frame(NumberedEvent(EventId(RUN, 1, seq), event))))
    return sent


def decoded(piece: bytes) -> Sent:
    found = [orjson.loads(data) for _, data in read_frames(piece)]
    return [checked(event) for event in found]


def types(sent: Sent) -> set[str]:
    return {event["type"] for event in sent} - ALWAYS


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([A-Z_]{3,})`", cell)) - ALWAYS


def test_every_event_has_a_row() -> None:
    assert set(ROWS) == set(MODELS)


@pytest.mark.parametrize("kind", MODELS)
def test_a_row_names_what_the_client_gets(kind: str) -> None:
    sent: Sent = []
    for declares in (True, False):
        for example in (EXAMPLES[kind], *([MORE[kind]] if kind in MORE else [])):
            before = [SAID] if kind in ("discarded", "restarted") else []
            if kind == "message_end":
                before = [Delta(step="x", text="So", message="1")]
            renderer = stream(declares=declares)
            fed(renderer, *before)
            where = {"where": "server"} if kind == "tool_result" else {}
            sent += fed(renderer, example.model_copy(update=where))
    if kind == "done":
        sent += fed(stream(), done_with_sources())
        assert words(ROWS[kind]) < types(sent)
        assert types(sent) - words(ROWS[kind]) == {"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END"}
    elif ROWS[kind].startswith("left out"):
        assert not types(sent)
    else:
        assert types(sent) == words(ROWS[kind])
    for event in sent:
        if event["type"] == "CUSTOM":
            assert event["name"] in (kind, "sources")


def done_with_sources() -> Done:
    source = {
        "index": "i",
        "source": "s",
        "document": "d",
        "heading": "",
        "start": 0,
        "end": 1,
        "quote": "Y",
        "score": 1,
    }
    event = read({"type": "done", "answer": "Yes.", "finish": "stop", "sources": [source]})
    assert isinstance(event, Done)
    return event


def test_results_of_the_clients_own_tools_are_left_out() -> None:
    assert not types(fed(stream(), EXAMPLES["tool_result"]))


def test_text_that_is_void_is_taken_back_and_what_remains_is_said() -> None:
    renderer = stream()
    call = read({"type": "tool_call", "step": "tool", "id": "c", "name": "t", "where": "server"})
    result = read({"type": "tool_result", "step": "tool", "id": "c", "name": "t", "where": "server", "summary": "7"})
    fed(renderer, Delta(step="two", text="Kept. "), call, result, Delta(step="two", text="Half"), SAID)
    *_, snapshot = fed(renderer, EXAMPLES["discarded"])
    said = [{name: value for name, value in message.items() if name != "id"} for message in snapshot["messages"]]
    assert said == [
        {"role": "user", "content": "?"},
        {
            "role": "assistant",
            "content": "Kept. ",
            "toolCalls": [{"id": "c", "type": "function", "function": {"name": "t", "arguments": ""}}],
        },
        {"role": "tool", "content": "7", "toolCallId": "c"},
        {"role": "assistant", "content": "Half"},
    ]
    assert not types(fed(renderer, EXAMPLES["discarded"])), "it is void already"
    sent = fed(renderer, Delta(step="three", text="So."), DONE)
    assert types(sent) == {"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "RUN_FINISHED"}
    assert renderer.over


def test_void_text_of_a_step_that_said_nothing_changes_nothing() -> None:
    renderer = stream()
    fed(renderer, Delta(step="two", text="So"))
    assert not types(fed(renderer, EXAMPLES["restarted"]))


def test_reasoning_and_text_are_messages_of_their_own() -> None:
    sent = fed(stream(), Delta(step="x", text="Hm.", channel="reasoning"), Delta(step="x", text="Yes."), DONE)
    ids = [event["messageId"] for event in sent if event["type"].endswith("MESSAGE_START")]
    assert len(set(ids)) == 2
    order = [event["type"] for event in sent]
    assert order.index("REASONING_END") < order.index("TEXT_MESSAGE_START")


def test_usage_is_the_sum_for_each_model() -> None:
    one = ModelUsage(model="openai:m", requests=1, input_tokens=2, output_tokens=3)
    other = ModelUsage(model="anthropic:n", requests=1, input_tokens=1, output_tokens=1)
    *_, last = fed(stream(), Usage(step="a", models=(one, other)), Usage(step="b", models=(one,)), DONE)
    assert last["usage"] == [
        {"provider": "openai", "model": "m", "inputTokens": 4, "outputTokens": 6, "totalTokens": 10},
        {"provider": "anthropic", "model": "n", "inputTokens": 1, "outputTokens": 1, "totalTokens": 2},
    ]


def test_a_run_that_cannot_be_followed_ends_with_an_error() -> None:
    problem = Problem(Reason.NO_POD_READY, "Ask again.")
    assert [event["type"] for event in decoded(stream().failed(problem))] == ["RUN_STARTED", "RUN_ERROR"]
    renderer = stream()
    fed(renderer, SAID)
    *closed, last = decoded(renderer.failed(problem))
    assert {event["type"] for event in closed} == {"TEXT_MESSAGE_END", "STEP_FINISHED"}
    assert last == {"type": "RUN_ERROR", "code": "NoPodReady", "message": "Ask again."}


def test_nothing_comes_after_the_end_and_pings_are_passed_on() -> None:
    renderer = stream()
    assert renderer.feed(PING) == PING
    fed(renderer, Failed(reason="InternalError", message="It failed."))
    assert not renderer.feed(frame(NumberedEvent(EventId(RUN, 1, 9), SAID)))
