"""Who called what: one record a request, on every protocol, without a word of what was said."""

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipway_runtime.gateway import access
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import AgentAccess
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost
from tests.support.waiting import until

MARKER = "xylophone"


class Row(NamedTuple):
    method: str
    path: str
    body: dict[str, Any] | None
    says: dict[str, Any]


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


AGENT = {"agent": str(SUPPORT)}
CHAT = {"question": f"say 2 words {MARKER}"}
OPENAI = {"model": str(SUPPORT), "messages": [{"role": "user", "content": f"say 2 words {MARKER}"}]}
ROWS = [
    Row("POST", f"/agents/{SUPPORT}/chat", CHAT, {"protocol": "chat", "status": 200, **AGENT}),
    Row("POST", "/agent/chat", CHAT, {"protocol": "chat", "status": 200, **AGENT}),
    Row("POST", "/v1/chat/completions", OPENAI, {"protocol": "openai", "status": 200, **AGENT}),
    Row("GET", "/v1/models", None, {"protocol": "openai", "status": 200}),
    Row("GET", "/agents", None, {"protocol": "http", "status": 200}),
    Row("GET", f"/agents/{SUPPORT}/runs/{'a' * 32}", None, {"protocol": "chat", "status": 404, **AGENT}),
    Row("POST", "/agents/demo/none/chat", CHAT, {"protocol": "chat", "status": 404}),
    Row("POST", f"/agents/{SUPPORT}/mcp", rpc("tools/list"), {"protocol": "mcp", "status": 200}),
    Row(
        "POST",
        f"/agents/{SUPPORT}/mcp",
        rpc("tools/call", name="ask", arguments={"question": MARKER}),
        {"protocol": "mcp", "tool": "ask", "status": 200, **AGENT},
    ),
    Row(
        "POST",
        "/mcp",
        rpc("tools/call", name="support__ask", arguments={"question": MARKER}),
        {"protocol": "mcp", "tool": "ask", "status": 200, **AGENT},
    ),
]


async def recorded(caplog: pytest.LogCaptureFixture) -> dict[str, Any]:
    """The one record, which is written after the last byte was sent."""

    def records() -> list[dict[str, Any]]:
        return [vars(each) for each in caplog.records if each.name == access.__name__ and each.message == "request"]

    await until(lambda: len(records()) == 1, "the request is in the log")
    return records()[0]


@pytest.fixture
async def doors(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> tuple[Front, str]:
    key, entry = new_key("alice")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path, default_agent=str(SUPPORT))
    front.routes.set(SUPPORT, [url])
    return front, key


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.method} {row.path} {row.says.get('tool', '')}")
async def test_one_record_says_who_called_what(
    doors: tuple[Front, str], caplog: pytest.LogCaptureFixture, row: Row
) -> None:
    front, key = doors
    headers = {"X-API-Key": key, "Accept": "application/json, text/event-stream"}
    caplog.set_level(logging.INFO, logger=access.__name__)
    async with front.client.request(row.method, row.path, json=row.body, headers=headers) as response:
        await response.read()
    found = await recorded(caplog)
    assert found["caller"] == "alice"
    said = {name: found[name] for name in ("protocol", "agent", "plugin", "tool", "via", "status") if name in found}
    assert said == row.says
    assert MARKER not in str(found)
    assert key not in str(found)


async def test_what_a_caller_may_not_use_is_in_the_record_too(
    doors: tuple[Front, str], caplog: pytest.LogCaptureFixture
) -> None:
    front, key = doors
    front.routes.restrict(SUPPORT, AgentAccess(frozenset({"staff"})))
    caplog.set_level(logging.INFO, logger=access.__name__)
    async with front.client.post(f"/agents/{SUPPORT}/chat", json=CHAT, headers={"X-API-Key": key}) as response:
        assert response.status == 404
    found = await recorded(caplog)
    assert (found["path"], found["status"]) == (f"/agents/{SUPPORT}/chat", 404)
