"""AG-UI's official client, before and since 1.0, against the real gateway and a real host."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.gateway.conftest import SUPPORT, StartFront, StartHost
from tests.runtime.gateway.test_completions import ABLE
from tests.support import npm
from tests.support.scripted_host import words

SUPPORT_FOLDER = Path(__file__).parents[2] / "support"
SCRIPT = SUPPORT_FOLDER / "ag_ui_node" / "client.mjs"
SECONDS = 60


async def run(folder: str, url: str) -> list[dict[str, Any]]:
    """What the client printed."""
    out = await npm.output_of(SUPPORT_FOLDER / folder, str(SCRIPT), f"{url}/agents/demo", seconds=SECONDS)
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("folder", ["ag_ui_node_0", "ag_ui_node"], ids=["0.x", "1.x"])
async def test_the_node_client(start_front: StartFront, start_host: StartHost, folder: str) -> None:
    _, url = await start_host(agents=("demo/support", "demo/able"))
    front = await start_front()
    for agent in (SUPPORT, ABLE):
        front.routes.set(agent, [url])
    talk, context, tool, yes, no, abandoned, picture, failed, nobody, blank = await run(folder, front.url)
    declares = folder == "ag_ui_node"
    assert talk == {
        "talk": ["".join(words(4)), "".join(words(2))],
        "new": [["assistant", "".join(words(4))]],
        "result": "".join(words(4)),
        "one_session": True,
        "custom": {"retrieved": {"chunks": 1, "best_score": 0.9}},
        "events": [
            *("CUSTOM", "RUN_FINISHED", "RUN_STARTED", "STEP_FINISHED", "STEP_STARTED"),
            *("TEXT_MESSAGE_CONTENT", "TEXT_MESSAGE_END", "TEXT_MESSAGE_START"),
        ],
    }
    assert context == {"context": {"context": [{"description": "ticket", "value": "7"}]}}
    assert tool == {
        "tool": "weather",
        "waiting": ["Let me see. "],
        **({"pending": 1} if declares else {}),
        "named": True,
        "said": ["Let me see. ", "Rain in Oslo"],
    }
    assert yes == {
        "interrupt": {
            "reason": "confirmation",
            "message": "Go on?",
            "responseSchema": {
                "type": "object",
                "properties": {"approved": {"type": "boolean"}},
                "required": ["approved"],
            },
            "metadata": {"answerers": ["caller"]},
        },
        "expires": True,
        "refused": True,
        "said": ["".join(words(2))],
    }
    assert no["said"] == abandoned["said"] == []
    assert picture == {"picture": ["1 pictures"]}
    assert failed == {"failing": "support", "thrown": None, "code": "InternalError"}
    assert (nobody["thrown"]["status"], blank["thrown"]["status"]) == (404, 422)
