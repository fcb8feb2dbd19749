"""AG-UI's official client, before and since 1.0, against the real gateway and a real host."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.events import Delta
from tests.runtime.gateway.conftest import SUPPORT, StartFront, StartHost
from tests.runtime.gateway.test_completions import ABLE
from tests.runtime.gateway.test_failover import StartPod, start_pod
from tests.support import npm
from tests.support.chat import STREAM
from tests.support.chat import events as chat_events
from tests.support.scripted_host import words
from tests.support.waiting import until_async

SUPPORT_FOLDER = Path(__file__).parents[2] / "support"
SCRIPT = SUPPORT_FOLDER / "ag_ui_node" / "client.mjs"
SECONDS = 60
__all__ = ["start_pod"]


async def run(folder: str, url: str) -> list[dict[str, Any]]:
    """What the client printed."""
    out = await npm.output_of(SUPPORT_FOLDER / folder, str(SCRIPT), f"{url}/agents/demo", seconds=SECONDS)
    return [json.loads(line) for line in out.splitlines()]


TALK = {
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
"""A conversation of two turns, as the client shows it."""
APPROVED = {
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
"""A run that waits, and goes on."""


@pytest.mark.parametrize("folder", ["ag_ui_node_0", "ag_ui_node"], ids=["0.x", "1.x"])
async def test_the_node_client(start_front: StartFront, start_host: StartHost, folder: str) -> None:
    _, url = await start_host(agents=("demo/support", "demo/able"))
    front = await start_front()
    for agent in (SUPPORT, ABLE):
        front.routes.set(agent, [url])
    talk, context, tool, yes, no, abandoned, picture, failed, nobody, blank = await run(folder, front.url)
    declares = folder == "ag_ui_node"
    assert talk == TALK
    assert context == {"context": {"context": [{"description": "ticket", "value": "7"}]}}
    assert tool == {
        "tool": "weather",
        "waiting": ["Let me see. "],
        **({"pending": 1} if declares else {}),
        "named": True,
        "said": ["Let me see. ", "Rain in Oslo"],
    }
    assert yes == APPROVED
    assert no["said"] == abandoned["said"] == []
    assert picture == {"picture": ["1 pictures"]}
    assert failed == {"failing": "support", "thrown": None, "code": "InternalError"}
    assert (nobody["thrown"]["status"], blank["thrown"]["status"]) == (404, 422)


@pytest.mark.parametrize("folder", ["ag_ui_node_0", "ag_ui_node"], ids=["0.x", "1.x"])
async def test_a_pod_is_killed_while_the_client_shows_its_text(
    start_front: StartFront, start_pod: StartPod, folder: str
) -> None:
    pods = [start_pod(delta_delay=0.2), start_pod()]
    front = await start_front()
    for pod in pods:
        await pod.alive(front.client)
    front.routes.set(SUPPORT, [pods[0].url])
    arguments = ("killed.mjs", f"{front.url}/agents/demo")
    script = str(SCRIPT.with_name(arguments[0]))
    asking = asyncio.create_task(npm.output_of(SUPPORT_FOLDER / folder, script, arguments[1], seconds=SECONDS))
    runs: list[dict[str, Any]] = []

    async def begun() -> bool:
        assert not asking.done(), asking.result()
        async with front.client.get(f"/agents/{SUPPORT}/runs") as response:
            runs[:] = (await response.json())["runs"]
        return bool(runs)

    await until_async(begun, "the run to begin", deadline=SECONDS)
    async with front.client.get(f"/agents/{SUPPORT}/runs/{runs[0]['run_id']}", headers=STREAM) as response:
        said = 0
        async for _, event in chat_events(response):
            said += isinstance(event, Delta)
            if said == 5:
                break
    front.routes.set(SUPPORT, [pod.url for pod in pods])
    pods[0].kill()
    shown = json.loads(await asking)
    assert shown["said"][-1] == "".join(words(60))
    assert len(shown["said"]) == 1, "what was void is not shown any more"
    assert shown["voided"].startswith("word0 word1 "), "it had been shown"
