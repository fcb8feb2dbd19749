"""`slipway dev` serves an agent that answers in a model's words, and cites what it says."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from slipway_runtime.events import Delta, Done
from tests.support.chat import STREAM, events
from tests.support.dev_process import DevProcess
from tests.support.model_server import ModelServer, model_server

MANIFESTS = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {{name: zoo, namespace: demo}}
spec:
  backend: {{chroma: {{}}}}
  sources: [{{name: docs, configMap: {{name: docs}}}}]
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: keeper, namespace: demo}}
spec:
  architecture: langgraph
  instructions: You know the zoo.
  models:
    - name: own
      provider: openai-compatible
      baseURL: {url}
      model: llama
      apiKeyRef: {{name: models, key: ZOO_KEY}}
      price: {{input: "1", output: "2"}}
  knowledge: [{{name: zoo, indexRef: {{name: zoo}}, minScore: "0.2"}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: docs, namespace: demo}}
data:
  zoo.md: |
    # Zoo
    The elephant is called Rosa. She eats hay in the morning. She sleeps in the north house.
"""
QUESTION = {"question": "What is the elephant called?"}
SAID = "The elephant is called Rosa [1]. She was born on the moon [1]. She eats hay in the morning [1]."
ANSWER = "The elephant is called Rosa [1]. She eats hay in the morning [1]."


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    """Its second answer to a question corrects nothing."""
    with model_server(
        lambda asked: "NO_ANSWER" if "do not say the following" in str(asked.body) else SAID, key="secret-key"
    ) as server:
        yield server


@pytest.fixture(scope="module")
def dev(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevProcess]:
    folder: Path = tmp_path_factory.mktemp("thinking")
    dev = DevProcess(folder, "--port", "0", ZOO_KEY="secret-key")
    dev.replace(MANIFESTS.format(url=server.base_url))
    dev.start()
    yield dev
    assert dev.stop() == 0, dev.log.read_text()
    assert "secret-key" not in dev.log.read_text()


@pytest.fixture
async def client(dev: DevProcess) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(await dev.url()) as client:
        yield client


async def test_a_model_answers_with_citations(client: aiohttp.ClientSession, server: ModelServer) -> None:
    async with client.post("/agent/chat", json=QUESTION) as response:
        assert response.status == 200, await response.text()
        answer = await response.json()
    assert (answer["answer"], answer["grounded"], answer["abstained"]) == (ANSWER, True, False)
    assert answer["model"] == "openai-compatible:llama"
    assert [source["quote"] for source in answer["sources"]] == ["The elephant is called Rosa."]
    models = {(used["model"], used["requests"], used["cost"]) for used in answer["usage"]["models"]}
    assert models == {("openai-compatible:llama", 2, "0.00004")}
    assert server.requests[0].headers["authorization"] == "Bearer secret-key"


async def test_only_what_was_checked_is_streamed(client: aiohttp.ClientSession) -> None:
    async with client.post("/agent/chat", json=QUESTION, headers=STREAM) as response:
        seen = [event async for _, event in events(response)]
    deltas = [event for event in seen if isinstance(event, Delta)]
    assert "".join(delta.text for delta in deltas) == ANSWER
    assert len(deltas) == 2
    last = seen[-1]
    assert isinstance(last, Done)
    assert last.answer == ANSWER
