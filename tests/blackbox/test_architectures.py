"""Every architecture through every protocol of the gateway: `slipway dev` as a process, with a scripted model."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

from slipway_runtime.events import Delta, Discarded, Done
from tests.support.chat import STREAM, events
from tests.support.dev_process import DevProcess
from tests.support.model_server import Asked, Call, ModelServer, Reply, model_server

DOCUMENTS = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: zoo, namespace: demo}
spec:
  backend: {chroma: {}}
  sources: [{name: docs, configMap: {name: docs}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data:
  zoo.md: |
    # Zoo
    The elephant is called Rosa. She eats hay in the morning.
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
AGENTS = {
    "langgraph": ("langgraph", KNOWLEDGE),
    "pydantic-ai": ("pydantic-ai", KNOWLEDGE),
    "structured": ("pydantic-ai", SCHEMA),
    "hybrid": ("hybrid", KNOWLEDGE),
    "hybrid-structured": ("hybrid", f"{KNOWLEDGE}\n  {SCHEMA}"),
}
QUESTION = {"question": "What is the elephant called?"}
SAID = "The elephant is called Rosa [1]."
OUTPUT = {"name": "Rosa [1]"}


def reply(asked: Asked) -> Reply:
    """Answers each kind of request that the architectures make."""
    tools = {each["function"]["name"]: each["function"]["parameters"] for each in asked.body.get("tools", [])}
    called = any(message["role"] == "tool" for message in asked.body["messages"])
    if "search_documents" in tools and not called:
        return Reply(calls=(Call("search_documents", {"query": QUESTION["question"]}),))
    wanted = next(iter(tools.get("final_result", {}).get("properties", {})), "")
    outputs = {"queries": [QUESTION["question"]], "faults": [], "answer": SAID, "name": OUTPUT["name"]}
    return Reply(output={wanted: outputs[wanted]}) if wanted else Reply(SAID)


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server(reply) as server:
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


@pytest.fixture
async def client(dev: DevProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(await dev.url()) as client:
        yield client


async def as_json(client: aiohttp.ClientSession, agent: str) -> tuple[str, list[dict[str, Any]]]:
    """The answer of the JSON chat, and its sources."""
    async with client.post(f"/agents/demo/{agent}/chat", json=QUESTION) as response:
        assert response.status == 200, await response.text()
        body = await response.json()
    assert body["agent_used"] == f"demo/{agent}"
    assert body["model"] == "openai-compatible:llama"
    return body["answer"], body["sources"]


async def as_stream(client: aiohttp.ClientSession, agent: str) -> tuple[str, list[dict[str, Any]]]:
    """What a client of the event stream shows at the end, and the sources."""
    async with client.post(f"/agents/demo/{agent}/chat", json=QUESTION, headers=STREAM) as response:
        seen = [event async for _, event in events(response)]
    done = seen[-1]
    assert isinstance(done, Done), done
    void = {step for event in seen if isinstance(event, Discarded) for step in event.steps}
    shown = "".join(event.text for event in seen if isinstance(event, Delta) and event.step not in void)
    assert shown == done.answer
    return shown, [source.model_dump() for source in done.sources]


async def as_completion(client: aiohttp.ClientSession, agent: str) -> tuple[str, None]:
    """The answer of OpenAI's protocol."""
    body = {"model": f"demo/{agent}", "messages": [{"role": "user", "content": QUESTION["question"]}]}
    async with client.post("/v1/chat/completions", json=body) as response:
        assert response.status == 200, await response.text()
        (choice,) = (await response.json())["choices"]
    assert choice["finish_reason"] == "stop"
    return choice["message"]["content"], None


@pytest.mark.parametrize("protocol", [as_json, as_stream, as_completion])
@pytest.mark.parametrize("agent", AGENTS)
async def test_an_architecture_answers_through_a_protocol(
    client: aiohttp.ClientSession, agent: str, protocol: Any
) -> None:
    answer, sources = await protocol(client, agent)
    if "structured" in agent:
        assert json.loads(answer) == OUTPUT
    else:
        assert answer == SAID
    cites = "knowledge" in AGENTS[agent][1]
    if sources is not None:
        assert [source["quote"] for source in sources] == (["The elephant is called Rosa."] if cites else [])
