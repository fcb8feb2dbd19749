"""A real MCP client, started from the file that `slipway connect` wrote, against a gateway that asks for keys."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from slipway_runtime.connect.assistants import FORMATS, INPUT, Assistant
from slipway_runtime.connect.main import Connecting, connect
from slipway_runtime.gateway.auth import new_key
from tests.support.dev_process import DevProcess

VARIABLE = "SLIPWAY_API_KEY"
DOCUMENTS = """
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
data: {zoo.md: "The elephant is called Rosa."}
"""


@pytest.fixture(scope="module")
def key() -> tuple[str, Any]:
    return new_key("alice")


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory, key: tuple[str, Any]) -> Iterator[DevProcess]:
    folder = tmp_path_factory.mktemp("assistants")
    keys = folder / "keys.json"
    keys.write_text(json.dumps({"keys": [key[1].model_dump()]}))
    dev = DevProcess(folder, "--port", "0", "--keys", str(keys))
    dev.replace(DOCUMENTS)
    dev.start()
    yield dev
    assert dev.stop() == 0, dev.log.read_text()


def as_the_assistant(file: Path, assistant: Assistant, key: str) -> tuple[str, dict[str, str]]:
    """URL and headers, with references to the environment and to inputs replaced as the assistant documents it."""
    (server,) = json.loads(file.read_text())[FORMATS[assistant].servers].values()
    known = dict.fromkeys((f"${{{VARIABLE}}}", f"${{env:{VARIABLE}}}", f"${{input:{INPUT}}}"), key)
    headers = {name: known[value] for name, value in server["headers"].items()}
    return server["url"], headers


@pytest.mark.parametrize("agent", ["demo/keeper", None], ids=["one agent", "all agents"])
@pytest.mark.parametrize("assistant", Assistant)
async def test_a_client_started_from_the_written_file_asks_the_agent(
    dev: DevProcess,
    key: tuple[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    assistant: Assistant,
    agent: str | None,
) -> None:
    monkeypatch.setenv("COPILOT_HOME", str(tmp_path / "home"))
    asked = Connecting(assistant=assistant, url=await dev.url(), agent=agent, variable=VARIABLE, project=tmp_path)
    file = FORMATS[assistant].path(tmp_path)
    connect(asked, file)
    url, headers = as_the_assistant(file, assistant, key[0])
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(url, http_client=http)) as client,
    ):
        tools = {tool.name for tool in (await client.list_tools()).tools}
        (ask,) = [name for name in tools if re.fullmatch("(keeper__)?ask", name)]
        answer = await client.call_tool(ask, {"question": "What is the elephant called?"})
    assert not answer.is_error
    assert "Rosa" in str(answer.content)
    assert ("__" in ask) == (agent is None)
