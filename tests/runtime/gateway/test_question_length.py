"""A question may be as long on one protocol as on the others."""

from collections.abc import Callable
from typing import Any

import pytest

from slipway_runtime.protocols.ask import QUESTION_CHARACTERS
from tests.runtime.gateway.conftest import CHAT, SUPPORT, Front
from tests.support.ag_ui import asks, user
from tests.support.mcp_wire import BOTH
from tests.support.mcp_wire import ask as mcp_ask

Body = Callable[[str], dict[str, Any]]


def a2a(text: str) -> dict[str, Any]:
    message = {"messageId": str(len(text)), "role": "ROLE_USER", "parts": [{"text": text}]}
    return {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}


def openai(text: str) -> dict[str, Any]:
    return {"model": str(SUPPORT), "messages": [{"role": "user", "content": text}]}


PROTOCOLS: dict[str, tuple[str, Body]] = {
    "chat": (CHAT, lambda text: {"question": text}),
    "openai": ("/v1/chat/completions", openai),
    "ag-ui": (f"/agents/{SUPPORT}/ag-ui", lambda text: asks(user(text), run=f"r{len(text)}", thread=f"t{len(text)}")),
    "a2a": (f"/agents/{SUPPORT}/a2a", a2a),
    "mcp": (f"/agents/{SUPPORT}/mcp", mcp_ask),
}


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_the_longest_question_is_the_same(front: Front, protocol: str) -> None:
    path, body = PROTOCOLS[protocol]
    headers = {**BOTH, "A2A-Version": "1.0"}
    question = "say 2 words ".ljust(QUESTION_CHARACTERS, ".")
    async with front.client.post(path, json=body(question), headers=headers) as response:
        answer = await response.text()
        assert response.status == 200, answer
    assert "word" in answer
    assert "characters" not in answer
    async with front.client.post(path, json=body(question + "."), headers=headers) as response:
        refused = await response.text()
    assert "32,768 characters" in refused or "32768 characters" in refused
