"""What is served while documents are still being ingested."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from slipway_crds.manifests import ManifestDocument
from slipway_runtime.dev.agents import agents_in
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import Manifests, assemble
from slipway_runtime.dev.parts import Parts, open_parts
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.auth import CallerKeyFile, new_key
from slipway_runtime.host.app import create_host_app
from slipway_runtime.knowledge.embedding.embedder import Matrix
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.embedding.opening import Embedders
from slipway_runtime.settings import default_model_dir
from tests.support.model_server import model_server
from tests.support.servers import free_port
from tests.support.serving import served

ZOO = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {name: zoo, namespace: demo}
spec: {backend: {chroma: {}}, sources: [{name: docs, configMap: {name: docs}}]}
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {name: keeper, namespace: demo}
spec: {knowledge: [{name: zoo, indexRef: {name: zoo}, minScore: "0.2"}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: docs, namespace: demo}
data: {zoo.md: "The elephant is called Rosa. She eats hay."}
"""
QUESTION = {"question": "What is the elephant called?"}


class Gated(MiniLM):
    """An embedder that takes no documents until it is let; questions it takes at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked, self.gate = asyncio.Event(), asyncio.Event()

    async def embed_texts(self, *arguments: Any, **named: Any) -> Matrix:
        self.asked.set()
        await self.gate.wait()
        return await super().embed_texts(*arguments, **named)


@dataclass
class Dev:
    """The local driver, its gateway's client, and the gate before its ingestions."""

    driver: LocalDriver
    client: aiohttp.ClientSession
    embedder: Gated
    parts: Parts

    async def apply(self, manifests: Manifests) -> None:
        await self.driver.apply(manifests, progress=lambda key, progress: None)

    async def ask(self, agent: str = "keeper") -> tuple[int, str, dict[str, Any]]:
        async with self.client.post(f"/agents/demo/{agent}/chat", json=QUESTION) as response:
            return response.status, response.headers.get("Retry-After", ""), await response.json(content_type=None)

    async def ready(self) -> tuple[int, list[str]]:
        async with self.client.get("/readyz") as response:
            return response.status, (await response.json())["missing"]


def zoo(**changed: str) -> Manifests:
    text = ZOO
    for old, new in changed.items():
        text = text.replace(old, new)
    return assemble([ManifestDocument(value, "zoo.yaml") for value in yaml.safe_load_all(text)])


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(open_parts(tmp_path, model=default_model_dir(), delta_delay=0))
        embedder = Gated(default_model_dir())
        stack.push_async_callback(embedder.close)
        port = free_port()
        driver = LocalDriver(
            replace(parts, embedders=Embedders(embedder, connections=lambda _: tmp_path, models=lambda *_: tmp_path)),
            host_url=f"http://127.0.0.1:{port}",
        )
        await stack.enter_async_context(served(create_host_app(parts.host), port=port))
        url = await stack.enter_async_context(served(create_app(parts.gateway)))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        yield Dev(driver, client, embedder, parts)


async def test_during_the_first_ingestion_it_is_not_ready_and_says_why(dev: Dev) -> None:
    applying = asyncio.create_task(dev.apply(zoo()))
    await dev.embedder.asked.wait()
    assert await dev.ready() == (503, ["the documents of the manifests are being ingested"])
    status, retry_after, problem = await dev.ask()
    assert (status, problem["reason"]) == (503, "IndexNotReady")
    assert int(retry_after) > 0
    dev.embedder.gate.set()
    await applying
    assert await dev.ready() == (200, [])
    status, _, answer = await dev.ask()
    assert (status, answer["answer"]) == (200, "The elephant is called Rosa.")


async def test_during_a_later_ingestion_all_goes_on(dev: Dev) -> None:
    dev.embedder.gate.set()
    await dev.apply(zoo())
    dev.embedder.gate.clear()
    dev.embedder.asked.clear()
    applying = asyncio.create_task(dev.apply(zoo(Rosa="Tuffi", keeper="warden")))
    await dev.embedder.asked.wait()
    assert await dev.ready() == (200, [])
    for agent in ("keeper", "warden"):
        status, _, answer = await dev.ask(agent)
        assert (status, answer["answer"]) == (200, "The elephant is called Rosa.")
    async with dev.client.post("/agent/chat", json=QUESTION) as response:
        assert (await response.json())["agent_used"] == "demo/keeper"
    dev.embedder.gate.set()
    await applying
    assert (await dev.ask())[2]["reason"] == "AgentNotFound"
    assert (await dev.ask("warden"))[2]["answer"] == "The elephant is called Tuffi."


async def test_the_list_of_agents_says_what_they_are_for(dev: Dev) -> None:
    dev.embedder.gate.set()
    await dev.apply(zoo(**{"spec: {knowledge": "spec: {description: Knows animals., knowledge"}))
    async with dev.client.get("/agents") as response:
        (listed,) = (await response.json())["agents"]
    assert listed["description"] == "Knows animals."
    assert listed["capabilities"] == ["complex_workflow", "state_management"]


FOR_STAFF = {"spec: {knowledge": "spec: {access: {groups: [staff]}, knowledge"}


async def test_without_keys_the_machines_user_may_do_everything(dev: Dev) -> None:
    dev.embedder.gate.set()
    await dev.apply(zoo(**FOR_STAFF))
    assert (await dev.ask())[0] == 200


async def test_with_keys_groups_decide(tmp_path: Path) -> None:
    (ann, anns), (bob, bobs) = new_key("ann", groups=["staff"]), new_key("bob")
    keys = tmp_path / "keys.json"
    keys.write_text(CallerKeyFile(keys=(anns, bobs)).model_dump_json())
    async with AsyncExitStack() as stack:
        opened = open_parts(tmp_path / "data", model=default_model_dir(), delta_delay=0, keys=keys)
        (tmp_path / "data").mkdir()
        parts = await stack.enter_async_context(opened)
        driver = LocalDriver(parts, host_url="http://127.0.0.1:1")
        client = await stack.enter_async_context(
            aiohttp.ClientSession(await stack.enter_async_context(served(create_app(parts.gateway))))
        )
        await driver.apply(zoo(**FOR_STAFF), progress=lambda key, progress: None)
        for key, names in ((ann, ["keeper"]), (bob, [])):
            async with client.get("/agents", headers={"X-API-Key": key}) as response:
                assert [each["name"] for each in (await response.json())["agents"]] == names


MODEL = "{name: gpt, provider: openai, model: gpt-5-mini, apiKeyRef: {name: openai, key: A_KEY_OF_THIS_TEST}}"


async def test_agents_find_the_keys_of_their_models_and_a_missing_one_is_named(
    dev: Dev, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.embedder.gate.set()
    manifests = zoo(**{"spec: {knowledge": f"spec: {{models: [{MODEL}], knowledge"})
    (sentence,) = dev.driver.warnings(manifests)
    assert "set A_KEY_OF_THIS_TEST" in sentence
    monkeypatch.setenv("A_KEY_OF_THIS_TEST", "sk-1")
    assert dev.driver.warnings(manifests) == []
    await dev.apply(manifests)
    (agent,) = agents_in(manifests)
    file = dev.parts.dependencies.bindings_of(agent)().models["gpt"].api_key_file
    assert file is not None
    assert await asyncio.to_thread(Path(file).read_text) == "sk-1"


async def test_an_agent_answers_with_a_model_and_its_key_from_the_environment(
    dev: Dev, monkeypatch: pytest.MonkeyPatch
) -> None:
    dev.embedder.gate.set()
    monkeypatch.setenv("A_KEY_OF_THIS_TEST", "sk-right")
    with model_server("The elephant is called Rosa [1].", key="sk-right") as server:
        model = MODEL.replace("model:", f"baseURL: '{server.base_url}', model:")
        await dev.apply(zoo(**{"spec: {knowledge": f"spec: {{models: [{model}], knowledge"}))
        status, _, answer = await dev.ask()
        assert (status, answer["answer"]) == (200, "The elephant is called Rosa [1]."), answer
        assert server.requests[0].headers["authorization"] == "Bearer sk-right"
