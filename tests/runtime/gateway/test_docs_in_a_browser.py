"""The page /docs in a real browser: a headless Chromium that comes from npm."""

import asyncio
import json
from pathlib import Path
from typing import Any

from slipway_runtime.gateway.auth import new_key
from tests.runtime.gateway.conftest import SUPPORT, StartFront, StartHost
from tests.support import npm

FOLDER = Path(__file__).parents[2] / "support" / "browser"
SECONDS = 120


async def looked_at(url: str, *, wrong: str, key: str) -> dict[str, Any]:
    """What a person sees who gives a wrong key, then the right one, and then sends `GET /agents` from the page."""
    # Chromium is unpacked into the folder for temporary files, once.
    home = await asyncio.to_thread(npm.installed, FOLDER)
    arguments = (url, wrong, key)
    out = await npm.output_of(FOLDER, "docs_page.mjs", *arguments, seconds=SECONDS, environment={"TMPDIR": str(home)})
    seen: dict[str, Any] = json.loads(out)
    return seen


async def test_a_person_sees_the_operations_and_sends_a_request_with_a_key(
    start_front: StartFront, start_host: StartHost, tmp_path: Path
) -> None:
    path = tmp_path / "keys.json"
    key, entry = new_key("alice")
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, host = await start_host()
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [host])
    seen = await looked_at(front.url, wrong="not-a-key", key=key)
    assert "key" in seen["refused"]
    async with front.client.get("/openapi.json", headers={"X-API-Key": key}) as response:
        document = await response.json()
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert {tuple(each) for each in seen["operations"]} == described
    assert seen["answer"]["status"].startswith("200")
    (agent,) = json.loads(seen["answer"]["body"])["agents"]
    assert (agent["namespace"], agent["name"]) == SUPPORT
    assert not seen["formShown"]
    assert seen["errors"] == [], "the page breaks its own Content-Security-Policy, or its script fails"
    assert {each for each in seen["loaded"] if each != "null"} == {front.url}
