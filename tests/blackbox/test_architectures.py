"""Every architecture through every protocol of the gateway: `slipway dev` as a process, with a scripted model."""

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai
import pytest
from mcp import Client
from mcp_types import ResourceLink, TextContent

from slipway_crds.validate import validate_documents
from slipway_runtime.events import Delta, Discarded, Done
from tests.support import ag_ui, zoo
from tests.support.chat import STREAM, events
from tests.support.dev_process import DevProcess
from tests.support.model_server import ModelServer, model_server

DOCUMENTS = f"""
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {{name: zoo, namespace: demo}}
spec:
  backend: {{chroma: {{}}}}
  sources: [{{name: docs, configMap: {{name: docs}}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: docs, namespace: demo}}
data: {{zoo.md: {json.dumps(zoo.DOCUMENT)}}}
"""
AGENT = """
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: {name}, namespace: demo}}
spec:
  architecture: {architecture}
  models: [{{name: own, provider: openai-compatible, baseURL: "{url}", model: llama}}]
  {rest}
"""
KNOWLEDGE = 'knowledge: [{name: zoo, indexRef: {name: zoo}, minScore: "0.2"}]'
SCHEMA = "output: {schema: {type: object, required: [name], properties: {name: {type: string}}}}"
MEMBERS = {
    "langgraph": ("langgraph", KNOWLEDGE),
    zoo.MEMBER: ("pydantic-ai", KNOWLEDGE),
    "structured": ("pydantic-ai", SCHEMA),
    "hybrid": ("hybrid", KNOWLEDGE),
    "hybrid-structured": ("hybrid", f"{KNOWLEDGE}\n  {SCHEMA}"),
}
LEAD = "lead"
AGENTS = {
    **MEMBERS,
    LEAD: ("orchestrator", f"members: [{', '.join(f'{{agentRef: {{name: {name}}}}}' for name in MEMBERS)}]"),
}
QUESTION = {"question": zoo.QUESTION}
MESSAGES: list[Any] = [{"role": "user", "content": zoo.QUESTION}]
MODEL = "openai-compatible:llama"
Answered = tuple[str, list[str]]
"""The text, and what it quotes."""


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server(zoo.reply) as server:
        yield server


@pytest.fixture(scope="module")
def dev(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    dev = DevProcess(tmp_path_factory.mktemp("architectures"), "--port", "0")
    agents = (
        AGENT.format(name=name, architecture=architecture, url=server.base_url, rest=rest)
        for name, (architecture, rest) in AGENTS.items()
    )
    dev.replace(DOCUMENTS + "".join(agents))
    dev.start()
    yield dev
    assert dev.stop() == 0, dev.log.read_text()


@dataclass(frozen=True)
class Clients:
    """Of the gateway: any, and OpenAI's official one."""

    url: str
    http: aiohttp.ClientSession
    official: openai.AsyncOpenAI


@pytest.fixture
async def clients(dev: DevProcess) -> AsyncIterator[Clients]:
    url = await dev.url()
    official = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)
    async with aiohttp.ClientSession(url) as http, official:
        yield Clients(url, http, official)


def answers_as(agent: str) -> str:
    """The agent whose answer it is: an orchestrator passes on that of the member that the model chooses."""
    return f"demo/{zoo.MEMBER if agent == LEAD else agent}"


async def as_json(clients: Clients, agent: str) -> Answered:
    async with clients.http.post(f"/agents/demo/{agent}/chat", json=QUESTION) as response:
        return await _read(response, agent)


async def as_smart(clients: Clients, agent: str) -> Answered:
    """By the path of the only orchestrator, with the agent as the one that is to answer."""
    forced = {} if agent == LEAD else {"force_agent": agent}
    async with clients.http.post("/smart/chat", json=QUESTION | forced) as response:
        answered = await _read(response, agent)
        decision = (await response.json())["orchestration"]
    assert decision["chosen_agent"] == answers_as(agent)
    assert decision.get("model") == (MODEL if agent == LEAD else None), "nothing is left to a model to decide"
    return answered


async def _read(response: aiohttp.ClientResponse, agent: str) -> Answered:
    assert response.status == 200, await response.text()
    body = await response.json()
    assert body["agent_used"] == answers_as(agent)
    assert body["model"] == MODEL
    return body["answer"], [source["quote"] for source in body["sources"]]


async def as_stream(clients: Clients, agent: str) -> Answered:
    """What a client of the event stream shows at the end."""
    async with clients.http.post(f"/agents/demo/{agent}/chat", json=QUESTION, headers=STREAM) as response:
        seen = [event async for _, event in events(response)]
    done = seen[-1]
    assert isinstance(done, Done), done
    void = {step for event in seen if isinstance(event, Discarded) for step in event.steps}
    shown = "".join(event.text for event in seen if isinstance(event, Delta) and event.step not in void)
    assert shown == done.answer
    return shown, [source.quote for source in done.sources]


async def as_completion(clients: Clients, agent: str) -> Answered:
    answer = await clients.official.chat.completions.create(model=f"demo/{agent}", messages=MESSAGES)
    (choice,) = answer.choices
    assert choice.finish_reason == "stop"
    return choice.message.content or "", _quotes(answer.model_extra)


async def as_completion_stream(clients: Clients, agent: str) -> Answered:
    stream = await clients.official.chat.completions.create(model=f"demo/{agent}", messages=MESSAGES, stream=True)
    chunks = [chunk async for chunk in stream]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    assert choices[-1].finish_reason == "stop"
    (extra,) = [chunk.model_extra for chunk in chunks if chunk.model_extra]
    return "".join(choice.delta.content or "" for choice in choices), _quotes(extra)


async def as_ag_ui(clients: Clients, agent: str) -> Answered:
    """What a client of AG-UI shows at the end."""
    body = ag_ui.asks(ag_ui.user(zoo.QUESTION), thread=agent)
    async with clients.http.post(f"/agents/demo/{agent}/ag-ui", json=body) as response:
        seen = [event async for event in ag_ui.events(response)]
    last = seen[-1]
    assert last["type"] == "RUN_FINISHED", last
    assert (last["outcome"], last["result"]["agent_used"]) == ({"type": "success"}, answers_as(agent))
    sources = [event["value"] for event in seen if event.get("name") == "sources"]
    shown = ag_ui.shown(seen)
    assert shown == last["result"]["answer"]
    return shown, [source["quote"] for source in sources[0]] if sources else []


async def as_mcp(clients: Clients, agent: str, mode: Any = "legacy") -> Answered:
    """The result of the tool `ask`, and the documents that it names."""
    async with Client(f"{clients.url}/agents/demo/{agent}/mcp", mode=mode) as client:
        result = await client.call_tool("ask", QUESTION)
        analysed = await client.call_tool("analyze_task", QUESTION)
        planned = await client.call_tool("create_workflow", {"based_on": zoo.QUESTION})
    assert not result.is_error, result.content
    chosen = (analysed.structured_content or {})["chosen_agent"]
    assert chosen == answers_as(agent), "an agent without members is its own choice"
    manifest = (planned.structured_content or {})["manifest"]
    assert manifest["metadata"] == {"name": zoo.PLAN, "namespace": "demo"}, "its model planned it"
    assert [each for each in validate_documents([manifest]) if not each.problem.waiting] == []
    found = result.structured_content or {}
    linked = {each.uri for each in result.content if isinstance(each, ResourceLink)}
    assert linked == {each["uri"] for each in found["sources"] if "uri" in each}
    assert bool(linked) == ("knowledge" in AGENTS[agent][1]), "what a member quotes is not the orchestrator's"
    text = next(each.text for each in result.content if isinstance(each, TextContent))
    assert text == found["answer"]
    return text, [source["quote"] for source in found["sources"]]


async def as_mcp_2026(clients: Clients, agent: str) -> Answered:
    """The same in the revision without sessions."""
    return await as_mcp(clients, agent, "2026-07-28")


def _quotes(extra: dict[str, Any] | None) -> list[str]:
    return [source["quote"] for source in (extra or {})["slipway"]["sources"]]


@pytest.mark.parametrize(
    "protocol", [as_json, as_stream, as_smart, as_completion, as_completion_stream, as_ag_ui, as_mcp, as_mcp_2026]
)
@pytest.mark.parametrize("agent", AGENTS)
async def test_an_architecture_answers_through_a_protocol(clients: Clients, agent: str, protocol: Any) -> None:
    answer, quotes = await protocol(clients, agent)
    if "structured" in agent:
        assert json.loads(answer) == zoo.OUTPUT
    else:
        assert answer == zoo.SAID
    cites = agent == LEAD or "knowledge" in AGENTS[agent][1]
    assert quotes == ([zoo.QUOTE] if cites else [])
