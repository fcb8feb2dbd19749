"""Which web pages may ask, and may read the answers."""

import json
from pathlib import Path

from slipway_runtime.gateway.auth import new_key
from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.chat import STREAM

PAGE = "https://portal.example.org"


async def test_pages_of_allowed_origins_may_ask_and_read(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    key, entry = new_key("alice")
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, url = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path, allowed_origins=(PAGE,))
    front.routes.set(SUPPORT, [url])
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-api-key,last-event-id"}
    async with front.client.options(CHAT, headers={"Origin": PAGE, **asks}) as preflight:
        assert (preflight.status, await preflight.read(), "Content-Type" in preflight.headers) == (200, b"", False)
        assert preflight.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Access-Control-Allow-Credentials" not in preflight.headers
    for headers, status in (({"X-API-Key": key}, 200), ({}, 401)):
        async with front.client.post(CHAT, json=QUESTION, headers={"Origin": PAGE, **STREAM, **headers}) as response:
            assert response.status == status
            assert response.headers["Access-Control-Allow-Origin"] == PAGE
            assert "retry-after" in response.headers["Access-Control-Expose-Headers"]
            assert response.headers["Vary"] == "Origin"
    stranger = {"Origin": "https://evil.example"}
    async with front.client.options(CHAT, headers={**stranger, **asks}) as preflight:
        assert (preflight.status, "Access-Control-Allow-Origin" in preflight.headers) == (400, False)
        assert (await preflight.read(), "Content-Type" in preflight.headers) == (b"", False)
        assert preflight.headers["X-Content-Type-Options"] == "nosniff"
    async with front.client.get("/livez", headers=stranger) as response:
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_without_allowed_origins_there_is_no_cors(front: Front) -> None:
    asks = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
    async with front.client.options(CHAT, headers=asks) as preflight:
        assert (preflight.status, (await preflight.json(content_type=None))["reason"]) == (405, "MethodNotAllowed")
        assert "Access-Control-Allow-Origin" not in preflight.headers
