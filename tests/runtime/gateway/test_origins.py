"""Where no key is needed, web pages of foreign origins still cannot ask, on any protocol."""

import json
from typing import Any

import pytest

from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, StartFront, StartHost
from tests.support.ag_ui import asks, user

PORTAL = "https://portal.example.org"
RPC = {"jsonrpc": "2.0", "id": 1}
MESSAGE = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "say 2 words"}]}
OPENAI = {"model": str(SUPPORT), "messages": [{"role": "user", "content": "say 2 words"}]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CHAT, QUESTION),
        ("/agent/chat", QUESTION),
        ("/v1/chat/completions", OPENAI),
        (f"/agents/{SUPPORT}/ag-ui", asks(user("say 2 words"))),
        (f"/agents/{SUPPORT}/a2a", {**RPC, "method": "SendMessage", "params": {"message": MESSAGE}}),
        (f"/agents/{SUPPORT}/mcp", {**RPC, "method": "tools/list", "params": {}}),
        ("/mcp", {**RPC, "method": "tools/list", "params": {}}),
    ],
)
async def test_a_page_needs_an_origin_that_is_allowed(
    start_front: StartFront, start_host: StartHost, path: str, body: dict[str, Any]
) -> None:
    _, url = await start_host()
    front = await start_front(allowed_origins=PORTAL, default_agent=str(SUPPORT))
    front.routes.set(SUPPORT, [url])
    asked = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream", "A2A-Version": "1.0"}
    answers = {}
    for origin in ("https://evil.example", "null", PORTAL, None):
        headers = asked | ({"Origin": origin} if origin else {})
        async with front.client.post(path, data=json.dumps(body), headers=headers) as response:
            answers[origin] = (response.status, await response.text())
    assert [answers[origin][0] for origin in ("https://evil.example", "null")] == [403, 403]
    assert "may not ask" in answers["null"][1]
    assert [answers[origin][0] for origin in (PORTAL, None)] == [200, 200], answers


async def test_the_gateways_own_page_may_ask(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host()
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    async with front.client.post(CHAT, json=QUESTION, headers={"Origin": front.url}) as response:
        assert response.status == 200
