"""An `Ask` between gateway and host, and the ids of the calls of client tools."""

import pytest
from pydantic import ValidationError

from slipway_runtime.events import InputRequired
from slipway_runtime.problems import Problem
from slipway_runtime.protocols.ask import TASK, Ask, ClientTool, ImagePart, Message, TextPart, ToolUse, read_ask
from slipway_runtime.protocols.client_calls import call_id, calls_of, results, run_of

RUN = "0" * 32
IMAGE = ImagePart(media_type="image/png", data="aGk=")
ASK = Ask(
    parts=(TextPart(text="And now?"),),
    history=(
        Message(role="system", parts=(TextPart(text="Be brief."),)),
        Message(role="user", parts=(TextPart(text="Weather in Oslo?"), IMAGE)),
        Message(role="assistant", tool_calls=(ToolUse(id="c1", name="weather", args={"city": "Oslo"}),)),
        Message(role="tool", parts=(TextPart(text="Rain"),), tool_call_id="c1"),
    ),
    client_tools=(ClientTool(name="weather", parameters={"type": "object"}),),
    metadata={TASK: "title"},
)


def test_a_conversation_arrives_as_it_was_sent() -> None:
    assert read_ask(ASK.to_json()) == ASK
    assert ASK.task == "title"


def test_what_is_not_honoured_is_named_also_in_earlier_messages() -> None:
    ASK.require_only("text", "image", "history", "client_tools", "metadata")
    with pytest.raises(Problem, match=r"does not take: client_tools, image\."):
        ASK.require_only("text", "history")


@pytest.mark.parametrize("fields", [{"role": "boss"}, {"role": "user", "colour": "red"}])
def test_a_message_that_no_gateway_sends_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Message.model_validate(fields)


def test_an_id_of_a_call_names_its_run() -> None:
    assert run_of(call_id(RUN, 12)) == RUN
    assert run_of("call_abc") is None
    required = InputRequired(
        id="tools", kind="client_tools", calls=({"id": call_id(RUN, 0)},), answerers=("caller",), expires=1.0
    )
    assert calls_of(required) == {call_id(RUN, 0)}
    assert calls_of(required.model_copy(update={"kind": "form"})) == frozenset()
    assert results({call_id(RUN, 0): "Rain"}) == {"results": {f"call_{RUN}_0": "Rain"}}
