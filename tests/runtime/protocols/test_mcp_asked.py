"""A run's events as messages of MCP: pictures, what becomes void, and what a client is asked."""

import base64
import json
from typing import Any

import pytest

from slipway_runtime.events import (
    Artifact,
    Delta,
    Discarded,
    Done,
    Event,
    EventId,
    InputRequired,
    NumberedEvent,
    Restarted,
    Started,
)
from slipway_runtime.identity import Caller
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.mcp import elicitation
from slipway_runtime.protocols.mcp.asked import AskCall, AskStream, AskWhole
from slipway_runtime.protocols.mcp.eras import Context

RUN = "0" * 32
PNG = base64.b64encode(b"picture").decode()
LEGACY, MODERN = "2025-11-25", "2026-07-28"
DONE = Done(answer="yes", finish="stop", sources=())


def call(version: str = MODERN, *, token: Any = 1, capabilities: Any = None, groups: tuple[str, ...] = ()) -> AskCall:
    return AskCall(
        id=7,
        token=token,
        agent="demo/support",
        run=RUN,
        context=Context(version, capabilities or {}),
        caller=Caller("https://id.example.com", "ann", groups),
        info={"name": "support", "version": "1"},
        seal=lambda kind, kept: f"{kind}:{json.dumps(kept)}",
        uri=lambda citation: None,
    )


def frames(*events: Event) -> bytes:
    numbered = (NumberedEvent(EventId(RUN, 1, number), event) for number, event in enumerate(events, 1))
    return b"".join(map(sse.frame, numbered))


def sent(asked: AskCall, *events: Event) -> list[dict[str, Any]]:
    """The messages that a stream has."""
    data = AskStream(asked).feed(frames(*events))
    return [json.loads(each) for _, each in sse.read_frames(data) if each.strip()]


def picture(name: str, data: str = PNG, *, step: str = "a", last: bool = True) -> Artifact:
    return Artifact(id=name, name=name, media_type="image/png", data=data, last=last, step=step)


def test_pictures_of_the_answer_are_in_the_result() -> None:
    halves = base64.b64encode(b"pic").decode(), base64.b64encode(b"ture").decode()
    text = Artifact(id="t", name="t", media_type="text/plain", text="no picture")
    first, second = picture("a", halves[0], last=False), picture("a", halves[1])
    (result,) = sent(call(token=None), first, second, picture("b"), text, DONE)
    expected = {"type": "image", "mimeType": "image/png", "data": PNG}
    assert result["result"]["content"] == [{"type": "text", "text": "yes"}, expected, expected]


@pytest.mark.parametrize("void", [Discarded(steps=("a",), reason="x"), Restarted(attempt=2, discard=("a",))])
def test_what_is_void_is_not_in_the_result(void: Event) -> None:
    *progress, result = sent(call(), picture("a"), Delta(text="no", step="a"), void, picture("b", step="b"), DONE)
    assert len(result["result"]["content"]) == 2
    assert [each["params"]["message"] for each in progress] == [
        "no",
        "What was said so far is void; the answer begins anew",
    ]


def test_without_a_token_there_is_no_progress() -> None:
    assert [each.get("method") for each in sent(call(token=None), Delta(text="a"), DONE)] == [None]


def test_a_stream_that_can_be_resumed_begins_with_an_id() -> None:
    for version, begins in ((LEGACY, b"id: event:"), ("2025-06-18", b": ping"), (MODERN, b": ping")):
        assert AskStream(call(version)).feed(frames(Started(agent="demo/support"))).startswith(begins), version


def asks(*answerers: str, schema: Any = None) -> InputRequired:
    kind: Any = "approval" if schema is None else "form"
    return InputRequired(id="go", kind=kind, prompt="Go on?", answer_schema=schema, answerers=answerers, expires=1.0)


FLAT = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
DEEP = {"type": "object", "properties": {"name": {"type": "object"}}}
ELICITS: Any = {"elicitation": {}}


@pytest.mark.parametrize(
    ("capabilities", "groups", "asked", "elicits"),
    [
        (ELICITS, (), asks("caller"), True),
        ({"elicitation": {"form": {}}}, (), asks("caller"), True),
        ({"elicitation": {"url": {}}}, (), asks("caller"), False),
        ({}, (), asks("caller"), False),
        (ELICITS, (), asks("group:staff"), False),
        (ELICITS, ("staff",), asks("group:staff"), True),
        (ELICITS, (), asks("caller", schema=FLAT), True),
        (ELICITS, (), asks("caller", schema=DEEP), False),
        (ELICITS, (), asks("caller", schema={"type": "array"}), False),
    ],
)
@pytest.mark.parametrize("version", [LEGACY, MODERN])
def test_who_is_asked(version: str, capabilities: Any, groups: Any, asked: InputRequired, elicits: bool) -> None:
    (message,) = sent(call(version, capabilities=capabilities, groups=groups), asked)
    if not elicits:
        assert "waits for" in message["result"]["content"][0]["text"]
    elif version == LEGACY:
        assert (message["method"], message["params"]["message"]) == ("elicitation/create", "Go on?")
    else:
        assert message["result"]["resultType"] == "input_required"


@pytest.mark.parametrize(
    ("kind", "answer", "approved", "content"),
    [
        ("approval", {"action": "accept", "content": {}}, True, None),
        ("approval", {"action": "decline"}, False, None),
        ("form", {"action": "accept", "content": {"name": "x"}}, None, {"name": "x"}),
        ("form", {"action": "cancel"}, False, None),
        ("form", {"odd": 1}, False, None),
        ("approval", None, False, None),
    ],
)
def test_what_the_user_said(kind: str, answer: Any, approved: bool | None, content: Any) -> None:
    given = elicitation.given(kind, answer)
    assert (given.approved, given.answer) == (approved, content)


def test_a_client_without_streams_gets_the_result_alone() -> None:
    whole = AskWhole(call())
    whole.feed(frames(Delta(text="a")))
    assert whole.answer() is None
    whole.feed(frames(DONE))
    answer = whole.answer()
    assert answer is not None
    assert json.loads(answer.body)["result"]["structuredContent"]["answer"] == "yes"
