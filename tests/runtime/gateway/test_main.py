"""`slipway gateway` as a process: routes from an API server, a real drain on SIGTERM, an exit code of 0."""

import asyncio
import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.runtime.gateway.conftest import CHAT, SUPPORT, StartHost
from tests.support.chat import STREAM, events, transcribe
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import ENTRY, KEY, GatewayProcess, gateway_process, publish
from tests.support.scripted_host import SEED, words
from tests.support.servers import free_port
from tests.support.waiting import until_async


@pytest.fixture
def gateway(tmp_path: Path, cluster: FakeKubernetes) -> Iterator[GatewayProcess]:
    with gateway_process(tmp_path, cluster) as process:
        yield process


async def test_a_stream_outlives_the_signal_to_stop(
    cluster: FakeKubernetes, gateway: GatewayProcess, start_host: StartHost
) -> None:
    _, url = await start_host(delta_delay=0.05)
    publish(cluster, url)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
        async with client.post("/agent/chat", json={"question": "say 100 words"}, headers=STREAM) as response:
            stream = events(response)
            await anext(stream)
            gateway.process.send_signal(signal.SIGTERM)

            async def not_ready() -> bool:
                return not await gateway.ready(client)

            await until_async(not_ready, "it says that it goes")
            async with client.post(CHAT, json={"question": "say 5 words"}) as late:
                assert (late.status, late.headers["Connection"]) == (200, "close")
            rest = [each async for each in stream]
        assert rest[-1][1].type == "done"
    assert await asyncio.to_thread(gateway.process.wait, 30) == 0
    log = [json.loads(line) for line in gateway.log.read_text().splitlines()]
    assert {"draining", "stopping"} <= {line["message"] for line in log}


async def test_no_agent_is_unknown_before_the_agents_were_listed(
    cluster: FakeKubernetes, tmp_path: Path, start_host: StartHost
) -> None:
    _, url = await start_host()
    publish(cluster, url)
    cluster.refuse_with = 503
    completion = {"model": str(SUPPORT), "messages": [{"role": "user", "content": "say 5 words"}]}
    requests: list[tuple[str, str, object, int]] = [
        ("POST", CHAT, {"question": "say 5 words"}, 200),
        ("POST", "/agent/chat", {"question": "say 5 words"}, 200),
        ("POST", f"/agents/{SUPPORT}/runs", {}, 401),
        ("POST", "/v1/chat/completions", completion, 200),
        ("GET", f"/v1/models/{SUPPORT}", None, 200),
        ("GET", "/v1/models", None, 200),
        ("GET", "/agents", None, 200),
    ]
    with gateway_process(tmp_path, cluster) as gateway:
        async with aiohttp.ClientSession(gateway.url, headers={"X-API-Key": KEY}) as client:
            await until_async(lambda: gateway.alive(client), "the gateway listens")
            for method, path, body, _ in requests:
                async with client.request(method, path, json=body) as response:
                    assert (response.status, "NotReady" in await response.text()) == (503, True), path
            cluster.refuse_with = None
            await until_async(lambda: gateway.ready(client), "the gateway is ready")
            for method, path, body, status in requests:
                async with client.request(method, path, json=body) as response:
                    assert response.status == status, path


async def test_neither_keys_nor_questions_are_in_the_log(
    cluster: FakeKubernetes, gateway: GatewayProcess, start_host: StartHost
) -> None:
    _, url = await start_host()
    publish(cluster, url)
    marker = "xyzzy-marker"
    async with aiohttp.ClientSession(gateway.url) as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
        for key in (KEY, "wrong-" + KEY):
            headers = {**STREAM, "X-API-Key": key}
            async with client.post(CHAT, json={"question": f"say 5 words {marker}"}, headers=headers) as response:
                if response.status == 200:
                    (await transcribe(response)).assert_whole("".join(words(5)))
        metrics = await (await client.get(gateway.metrics_url)).text()
    told = gateway.log.read_text() + metrics
    for secret in (KEY, ENTRY.sha256, marker, base64.b64encode(SEED).decode()):
        assert secret not in told


def test_what_a_gateway_pod_imports() -> None:
    """A gateway pod stays small: no agent framework, no store, no embedder, no client or server of the MCP SDK nor its
    models of all messages, and Kubernetes only to talk to it."""
    script = "import sys, slipway_runtime.gateway.main; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in result.stdout.split()}
    assert not loaded & {"langgraph", "langchain_core", "chromadb", "onnxruntime", "numpy", "asyncpg"}
    assert not loaded & {"kubernetes", "mcp", "pydantic_ai", "httpx2"}
    assert "mcp_types.methods" not in result.stdout.split()


@pytest.mark.parametrize(
    ("contents", "words"), [(b"garbage", "PEM"), (None, "No such file")], ids=["not a key", "no file"]
)
def test_a_gateway_without_its_key_says_so(tmp_path: Path, contents: bytes | None, words: str) -> None:
    path = tmp_path / "private.pem"
    if contents:
        path.write_bytes(contents)
    result = subprocess.run(
        [Path(sys.executable).with_name("slipway"), "gateway"],
        env={**os.environ, "SLIPWAY_IDENTITY_KEY_FILE": str(path), "SLIPWAY_METRICS_PORT": str(free_port())},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    last = json.loads(result.stderr.splitlines()[-1])
    assert words in last["message"]
    assert "slipway-identity" in last["message"]
