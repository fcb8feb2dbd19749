"""A request of AG-UI (a `RunAgentInput`): parsed, and made an `Ask`.

A thread is a session. Its first request begins the session, and the next ones go on with it: what is asked is the last
message of the user, and the session has the others. Where there is no such session any more, or a client gives
instructions of its own, the messages are the whole conversation, as they are in OpenAI's protocol.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ag_ui.core import ResumeEntry, RunAgentInput, Tool
from pydantic import ValidationError

from slipway_runtime.protocols.ag_ui_answer import AgUiRun, AgUiStream
from slipway_runtime.protocols.ag_ui_messages import read_messages
from slipway_runtime.protocols.ask import TOOL_NAME_PATTERN, Ask, ClientTool, DataPart, Json, invalid
from slipway_runtime.protocols.asked import InputBody
from slipway_runtime.protocols.bodies import read_unique_json
from slipway_runtime.protocols.conversations import Conversation, split
from slipway_runtime.protocols.given import Given, InputAnswered, given_results, no_such_interrupt
from slipway_runtime.protocols.outside_ids import own_id
from slipway_runtime.protocols.parameters import BadParameter

SKIN = "ag-ui"
SEND = "Send a RunAgentInput of AG-UI 1.0 as the body, in JSON."
ID_LENGTH = 256
TOOLS_MAX = 128
INTERRUPT = re.compile(r"([0-9a-f]{32})\.([0-9A-Za-z._-]{1,64})")
"""The id of an interrupt: the run that waits, and the input that it waits for."""


@dataclass(frozen=True)
class AgUiRequest:
    """A request that was understood. It is a `ConversationRequest` of the gateway."""

    run: str
    """The id of the run that it begins: the same one if the same run of the same thread is asked for again."""
    asks: Sequence[Ask]
    given: Given | None
    shown: AgUiRun
    stream = True

    def as_it_comes(self, run: str) -> AgUiStream:
        """The events of a run, which begins with this request or goes on with it."""
        return AgUiStream(self.shown, run=run)

    def at_the_end(self, run: str) -> Any:
        raise NotImplementedError("AG-UI has streams only")


def parse_ag_ui(body: bytes, headers: Mapping[str, str], *, owner: str, agent: str) -> AgUiRequest:
    """What the client asks.

    Raises:
        Problem: `InvalidJSON`, `UnsupportedEncoding`, `InvalidRequest` or `InputNotFound`. The detail names fields and
            interrupts, never what else was in fields.
    """
    data = read_unique_json(body, headers, send=SEND)
    asked = _validated(data)
    assert isinstance(data, dict)

    def own(kind: str, outside: str) -> str:
        return own_id(owner=owner, agent=agent, skin=SKIN, outside=outside, kind=kind)

    session = own("session", asked.thread_id)
    run = own("run", f"{session} {asked.run_id}")
    raw: list[Json] = data["messages"]
    kept = [message for message in raw if not str(message.get("id", "")).startswith(run)]
    conversation = split(read_messages([each for each in asked.messages if not each.id.startswith(run)]))
    return AgUiRequest(
        run=run,
        asks=_asks(asked, conversation, session=session),
        given=_given(asked, conversation),
        shown=AgUiRun(
            key=run,
            agent=agent,
            thread_id=asked.thread_id,
            run_id=asked.run_id,
            messages=kept,
            former=len(raw) - len(kept),
            declares=asked.protocol_version is not None,
        ),
    )


def _validated(data: object) -> RunAgentInput:
    try:
        asked = RunAgentInput.model_validate(data)
    except ValidationError as error:
        raise invalid(error, "Send a RunAgentInput of AG-UI 1.0.") from None
    for name, value in (("threadId", asked.thread_id), ("runId", asked.run_id)):
        if not 0 < len(value) <= ID_LENGTH:
            raise BadParameter(name, f"must have 1 to {ID_LENGTH} characters")
    return asked


def _asks(asked: RunAgentInput, conversation: Conversation, *, session: str) -> list[Ask]:
    whole = Ask(
        parts=(*conversation.question.parts, *_data(asked)),
        history=conversation.before,
        continuation=conversation.after if conversation.client_results else None,
        client_tools=_tools(asked.tools or ()),
    )
    system = any(message.role == "system" for message in conversation.before)
    if whole.continuation or system:
        return [whole]
    of_the_session = whole.model_copy(update={"history": None, "session": session})
    if not conversation.before:
        return [of_the_session.model_copy(update={"begins_session": True})]
    return [of_the_session, whole]


def _data(asked: RunAgentInput) -> list[DataPart]:
    """What comes along with the question: data, never instructions."""
    context = [{"description": each.description, "value": each.value} for each in asked.context or ()]
    found = {**({"context": context} if context else {}), **({"state": asked.state} if asked.state else {})}
    return [DataPart(data=found)] if found else []


def _tools(tools: Sequence[Tool]) -> tuple[ClientTool, ...] | None:
    if len(tools) > TOOLS_MAX:
        raise BadParameter("tools", f"send at most {TOOLS_MAX}")
    if len({tool.name for tool in tools}) < len(tools):
        raise BadParameter("tools", "two tools have one name")
    for place, tool in enumerate(tools):
        if not re.fullmatch(TOOL_NAME_PATTERN, tool.name):
            raise BadParameter(f"tools.{place}.name", "must be 1 to 64 letters, digits, hyphens and underscores")
        if not isinstance(tool.parameters, dict | None):
            raise BadParameter(f"tools.{place}.parameters", "must be a JSON Schema, as an object")
    made = (
        ClientTool(name=tool.name, description=tool.description, parameters=tool.parameters or {"type": "object"})
        for tool in tools
    )
    return tuple(made) or None


def _given(asked: RunAgentInput, conversation: Conversation) -> Given | None:
    """What it gives a run that waits. Whoever resumes means no new question: there is none without a known interrupt.

    Raises:
        Problem: `InputNotFound`.
    """
    for entry in asked.resume or ():
        if found := INTERRUPT.fullmatch(entry.interrupt_id):
            return InputAnswered(found[1], found[2], _answer(entry))
    if asked.resume:
        raise no_such_interrupt(asked.resume[0].interrupt_id)
    return given_results(conversation.client_results)


def _answer(entry: ResumeEntry) -> InputBody:
    """An approval is `{"approved": true}`, or true alone; what else an object is, is the answer of a form."""
    if entry.status == "cancelled":
        return InputBody(approved=False)
    payload = entry.payload
    if payload is None or isinstance(payload, bool):
        return InputBody(approved=payload is not False)
    if not isinstance(payload, dict):
        raise BadParameter("resume", "the payload must be an object as responseSchema has it, true or false")
    if set(payload) == {"approved"} and isinstance(payload["approved"], bool):
        return InputBody(approved=payload["approved"])
    return InputBody(answer=payload)
