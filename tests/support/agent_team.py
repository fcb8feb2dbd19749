"""An agent whose tools are agents, over a real gateway and real hosts."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from slipway_crds.runtimeconfig import AgentConfig, ApprovalConfig, KnowledgeConfig, ToolConfig
from slipway_runtime.agents.calling import AgentCalls
from slipway_runtime.agents.factory import AgentDependencies, make_agent
from slipway_runtime.agents.protocol import close
from slipway_runtime.gateway.routes import AgentKey, Description, Reach
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.identity import IdentitySigner
from tests.runtime.gateway.conftest import Front, StartFront, StartHost
from tests.support.chat import STREAM, Transcript, transcribe
from tests.support.knowledge import Knowledge
from tests.support.model_server import Asked, Call, ModelServer, Reply
from tests.support.models import entry as model_entry
from tests.support.scripted_host import Options, config
from tests.support.team import Actor, Play, add

QUESTION = {"question": "How many days of leave do I have?"}
ASK_HR = Reply(calls=(Call("ask-hr", {"question": "How many days of leave?"}),))
HANDBOOK = "# Tea\n\nGreen tea is brewed at eighty degrees.\n"


class Team:
    """An agent `lead` with the tool `ask-hr`, the agent `hr` behind it, and the model of `lead`."""

    def __init__(self, front: Front, hr: Actor, key: AgentKey, lead: HostedAgent) -> None:
        self.front = front
        self.hr = hr
        self.key = key
        self.lead = lead
        self.member = AgentKey(key.namespace, "hr")

    async def ask(self, *, headers: Mapping[str, str] | None = None, **body: Any) -> tuple[int, dict[str, Any]]:
        path = f"/agents/{self.key}/chat"
        async with self.front.client.post(path, json={**QUESTION, **body}, headers=headers) as response:
            return response.status, await response.json(content_type=None)

    async def stream(self) -> Transcript:
        async with self.front.client.post(f"/agents/{self.key}/chat", json=QUESTION, headers=STREAM) as response:
            return await transcribe(response)

    async def runs(self) -> list[dict[str, Any]]:
        async with self.front.client.get(f"/agents/{self.member}/runs") as response:
            return list((await response.json())["runs"])


StartTeam = Callable[..., Awaitable[Team]]


@pytest.fixture
def start_team(
    start_front: StartFront, start_host: StartHost, signer: IdentitySigner, local: Knowledge, stack: AsyncExitStack
) -> StartTeam:
    """Start a gateway, with the settings that are given, and a host with both agents."""

    async def start(
        server: ModelServer,
        play: Play,
        *,
        architecture: str = "pydantic-ai",
        required: bool = False,
        remote: bool = False,
        images: bool = False,
        indexes: tuple[KnowledgeConfig, ...] = (),
        approvals: tuple[ApprovalConfig, ...] = (),
        **settings: Any,
    ) -> Team:
        front = await start_front(hold_seconds=1.0, **settings)
        host, url = await start_host(agents=())
        key, options, hr = AgentKey(local.namespace, "lead"), Options("", signer.public_key), Actor(play)
        place = {"url": f"{front.url}/agents/{local.namespace}/hr/a2a"} if remote else {"agent": "hr"}
        tool = ToolConfig(name="ask-hr", **place, description="Knows the rules of leave.", required=required)
        changed = {
            "architecture": architecture,
            "models": (model_entry(server, images=images),),
            "tools": (tool,),
            "knowledge": indexes,
            "approvals": approvals,
        }
        made = config(str(key), options).model_copy(update=changed)
        lead = hosted(made, front.url, local, stack)
        add(host, HostedAgent(config(f"{local.namespace}/hr", options), hr), lead)
        team = Team(front, hr, key, lead)
        front.routes.set(key, [url])
        front.routes.set(team.member, [url])
        front.routes.describe(key, Description(architecture), Reach(frozenset({team.member}), 60.0))
        return team

    return start


def hosted(made: AgentConfig, gateway_url: str, knowledge: Knowledge, stack: AsyncExitStack) -> HostedAgent:
    calls = AgentCalls(gateway_url)
    dependencies = AgentDependencies(
        database=knowledge.database,
        embedder=knowledge.embedder,
        vectors=lambda *_: knowledge.vectors,
        calls=calls,
    )
    agent = make_agent(made, dependencies)
    stack.push_async_callback(calls.close)
    stack.push_async_callback(close, agent)
    return HostedAgent(made, agent)


def given(asked: Asked) -> str:
    """The last result of a tool that a model was sent."""
    return str([each["content"] for each in asked.body["messages"] if each["role"] == "tool"][-1])


def drafting(draft: str, *, asks: bool = True) -> Callable[[Asked], Reply]:
    """A hybrid's model: its draft asks `hr` first."""

    def reply(asked: Asked) -> Reply:
        names = [each["function"]["name"] for each in asked.body["tools"]]
        properties = asked.body["tools"][-1]["function"]["parameters"]["properties"]
        if "queries" in properties:
            return Reply(output={"queries": ["How hot is green tea?"]})
        if "faults" in properties:
            return Reply(output={"faults": []})
        assert "ask-hr" in names
        answered = any(each["role"] == "tool" for each in asked.body["messages"])
        return Reply(output={"answer": draft}) if answered or not asks else ASK_HR

    return reply
