"""`slipway dev` over documents that are elsewhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.dev_process import DevProcess
from tests.support.git_server import GitServer, git_server
from tests.support.waiting import until, until_async

MANIFESTS = """
apiVersion: slipway.dev/v1alpha1
kind: VectorIndex
metadata: {{name: zoo, namespace: demo, annotations: {{slipway.dev/ingest: "{requested}"}}}}
spec:
  backend: {{chroma: {{}}}}
  sources: [{{name: docs, git: {{url: {url}, paths: ["docs/*.md"], credentialsRef: {{name: git, key: token}}}}}}]
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: keeper, namespace: demo}}
spec:
  knowledge: [{{name: zoo, indexRef: {{name: zoo}}, minScore: "0.2"}}]
---
apiVersion: v1
kind: Secret
metadata: {{name: git, namespace: demo}}
stringData: {{token: a-token}}
"""
QUESTION = {"question": "What is the elephant called?"}
ZOO = "# Zoo\n\nThe elephant is called {}. She eats hay in the morning. She sleeps in the north house.\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    (tmp_path / "git").mkdir()
    with git_server(tmp_path / "git") as server:
        server.password = "git:a-token"
        yield server


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[DevProcess]:
    dev = DevProcess(tmp_path, "--port", "0")
    yield dev
    if dev.process:
        dev.process.kill()
        dev.process.wait()


async def asked(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession(url) as client, client.post("/agent/chat", json=QUESTION) as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def becomes(url: str, word: str) -> None:
    async def answered() -> bool:
        return word in (await asked(url)).get("answer", "")

    await until_async(answered, f"the answer has {word}")


async def test_a_git_repository_is_answered_from_and_read_again_on_request(server: GitServer, dev: DevProcess) -> None:
    server.commit("zoo", {"docs/zoo.md": ZOO.format("Rosa"), "README.md": "The elephant is called Nobody."})
    dev.replace(MANIFESTS.format(url=server.url("zoo"), requested="1"))
    dev.start()
    url = await dev.url()
    answer = await asked(url)
    assert "Rosa" in answer["answer"]
    assert [(source["source"], source["document"]) for source in answer["sources"]] == [("docs", "docs/zoo.md")]
    server.commit("zoo", {"docs/zoo.md": ZOO.format("Tuffi")})
    dev.replace(MANIFESTS.format(url=server.url("zoo"), requested="2"))
    await becomes(url, "Tuffi")
    server.close()
    dev.replace(MANIFESTS.format(url=server.url("zoo"), requested="3"))
    await until(lambda: dev.says("docs: its server cannot be reached"), "the source is named")
    assert "Tuffi" in (await asked(url))["answer"]
