"""Reading AG-UI's streams: each event is checked against the protocol's schema, and messages are kept as clients do."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import aiohttp
import orjson
from ag_ui.core import Event
from pydantic import TypeAdapter

EVENT: TypeAdapter[Any] = TypeAdapter(Event)
AgUiEvents = list[dict[str, Any]]


def user(text: str, name: str = "m1") -> dict[str, Any]:
    """A message."""
    return {"id": name, "role": "user", "content": text}


def asks(*messages: dict[str, Any], run: str = "r1", thread: str = "t1", **more: Any) -> dict[str, Any]:
    """A RunAgentInput."""
    return {"threadId": thread, "runId": run, "protocolVersion": "1.0", "messages": list(messages), **more}


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """The event, which has nothing that the protocol does not know."""
    known = EVENT.validate_python(event)
    assert not known.model_extra, known
    return event


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    """Those of a stream."""
    assert response.status == 200, await response.text()
    async for line in response.content:
        if line.startswith(b"data: "):
            yield checked(orjson.loads(line[6:]))


def shown(seen: Iterable[dict[str, Any]]) -> str:
    """What a client shows of the agent's answer at the end."""
    messages: dict[str, str] = {}
    for event in seen:
        if event["type"] == "TEXT_MESSAGE_CONTENT":
            messages[event["messageId"]] = messages.get(event["messageId"], "") + event["delta"]
        elif event["type"] == "MESSAGES_SNAPSHOT":
            said = (each for each in event["messages"] if each["role"] == "assistant")
            messages = {each["id"]: each.get("content", "") for each in said}
    return "".join(messages.values())
