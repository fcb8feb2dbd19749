"""An orchestrator over a real gateway and real hosts, with the members that a test gives it."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.runtimeconfig import ModelConfig, RemoteMember
from slipway_runtime.gateway.routes import AgentKey, Description, Reach
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from tests.runtime.gateway.conftest import Front, StartFront, StartHost
from tests.support.chat import STREAM, Transcript, transcribe
from tests.support.model_server import Reply
from tests.support.scripted_host import Options
from tests.support.team import Actor, add, lead_config, member
from tests.support.team import orchestrator as hosted_orchestrator

LEAD = AgentKey("demo", "lead")
CHAT = f"/agents/{LEAD}/chat"
CHOICE = Reply(
    output={
        "task_category": "policy",
        "task_complexity": "moderate",
        "ranking": ["it", "hr"],
        "reason": "The question is about a device.",
        "confidence": 0.9,
    }
)
"""Of a model."""
DESCRIPTIONS = {
    "hr": "Leave, sick days and travel expenses. Knows the staff handbook.",
    "it": "Laptops, passwords and the VPN. Knows the help desk.",
}
LEAVE = {"question": "How many days of leave do I have?"}
PASSWORD = {"question": "How do I reset my password for the VPN?"}


class Team:
    """An orchestrator `lead` with the members that a test gives it."""

    def __init__(self, front: Front, host: Host, members: dict[str, Actor]) -> None:
        self.front = front
        self.host = host
        self.members = members

    async def ask(self, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.front.client.post(CHAT, json=body) as response:
            return response.status, await response.json(content_type=None)

    async def stream(self, **body: Any) -> Transcript:
        async with self.front.client.post(CHAT, json=body, headers=STREAM) as response:
            return await transcribe(response)

    async def runs(self, name: str) -> list[dict[str, Any]]:
        async with self.front.client.get(f"/agents/demo/{name}/runs") as response:
            return list((await response.json())["runs"])


StartTeam = Callable[..., Awaitable[Team]]


@pytest.fixture
def start_team(
    start_front: StartFront,
    start_host: StartHost,
    signer: IdentitySigner,
    embedder: MiniLM,
    stack: AsyncExitStack,
    tmp_path: Path,
) -> StartTeam:
    """Start a gateway and a host with an orchestrator and its members."""

    async def start(
        *,
        models: tuple[ModelConfig, ...] = (),
        gateway_url: str = "",
        request_timeout: int = 60,
        elsewhere: Mapping[str, str] | None = None,
        **plays: Any,
    ) -> Team:
        """`elsewhere` has URLs by the names of members; of those that begin with a slash at the gateway."""
        options = Options("", signer.public_key, request_timeout=request_timeout)
        front = await start_front(hold_seconds=1.0)
        host, url = await start_host(agents=())
        actors = {name: play if isinstance(play, Actor) else Actor(play) for name, play in plays.items()}
        add(host, *(member(name, actor, options) for name, actor in actors.items()))
        remote = tuple(
            RemoteMember(name=name, url=front.url + url if url.startswith("/") else url)
            for name, url in (elsewhere or {}).items()
        )
        made = lead_config(options, models=models, remote=remote)
        lead = hosted_orchestrator(made, gateway_url or front.url, embedder, stack)
        add(host, lead)
        for name in (*actors, "lead"):
            front.routes.set(AgentKey("demo", name), [url])
        publish(front, list(actors), members=[each for each in actors if each not in (elsewhere or {})])
        return Team(front, host, actors)

    return start


def publish(front: Front, names: list[str], *, members: list[str] | None = None) -> None:
    """Let the gateway know of agents, and which of them are members: all if not given."""
    reached = frozenset(AgentKey("demo", name) for name in (names if members is None else members))
    front.routes.describe(LEAD, Description("orchestrator"), Reach(reached, 60.0))
    for name in names:
        front.routes.describe(AgentKey("demo", name), Description("langgraph", description=DESCRIPTIONS.get(name, "")))
