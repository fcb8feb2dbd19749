"""The official Node client against the real gateway and a real host."""

import json
from pathlib import Path
from typing import Any

from tests.runtime.gateway.conftest import SUPPORT, StartFront, StartHost
from tests.runtime.gateway.test_completions import ABLE
from tests.support import npm
from tests.support.scripted_host import words

FOLDER = Path(__file__).parents[2] / "support" / "openai_node"
SECONDS = 60


async def run(url: str) -> list[dict[str, Any]]:
    """What the client printed."""
    out = await npm.output_of(FOLDER, "client.mjs", f"{url}/v1", "none", seconds=SECONDS)
    return [json.loads(line) for line in out.splitlines()]


async def test_the_node_client(start_front: StartFront, start_host: StartHost) -> None:
    _, url = await start_host(agents=("demo/support", "demo/able"))
    front = await start_front(smart_agent="demo/able")
    for agent in (SUPPORT, ABLE):
        front.routes.set(agent, [url])
    models, whole, streamed, tool, structured, *refused = await run(front.url)
    assert models == {"models": ["auto", "demo/able", "demo/support"]}
    assert whole["whole"] == "".join(words(4))
    assert streamed == {"streamed": "".join(words(4)), "usage": 0}
    assert tool == {"tool": '"Rain in Oslo"'} or tool == {"tool": "Rain in Oslo"}
    assert structured == {"structured": {"x": 1}}
    assert refused == [
        {"refused": "model", "status": 404, "code": "model_not_found", "param": "model"},
        {"refused": "n", "status": 400, "code": "InvalidRequest", "param": "n"},
        {"refused": "responses", "status": 404, "code": "NotFound"},
    ]
