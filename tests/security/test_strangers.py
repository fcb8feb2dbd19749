"""What a stranger without a key leaves behind in the logs, and what he learns from the probes."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from prometheus_client import REGISTRY
from starlette.requests import Request

from slipway_runtime.gateway.access import REFUSALS_LOGGED, Refusals
from slipway_runtime.identity import HEADER
from tests.support.asking import ask_json
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, GatewayProcess, gateway_process, publish
from tests.support.host_process import host_process
from tests.support.scripts import AGENT
from tests.support.servers import free_port
from tests.support.waiting import until_async

WRONG = "slipway-wrong-and-secret"


def counted() -> float:
    return REGISTRY.get_sample_value("slipway_gateway_unauthenticated_total", {"cause": "no key"}) or 0.0


def test_a_flood_of_strangers_does_not_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.5
    refusals = Refusals(clock=lambda: now)
    request = Request({"type": "http", "headers": [], "client": ("192.0.2.1", 1)})
    before = counted()
    for _ in range(3 * REFUSALS_LOGGED):
        refusals.add(request, cause="no key")
    assert len(caplog.records) == REFUSALS_LOGGED
    now = 1.5
    refusals.add(request, cause="no key")
    assert len(caplog.records) == REFUSALS_LOGGED + 1
    assert counted() - before == 3 * REFUSALS_LOGGED + 1


@pytest.fixture
async def cluster() -> AsyncIterator[FakeKubernetes]:
    fake = FakeKubernetes(free_port())
    await fake.start()
    yield fake
    await fake.stop()


def lines(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


async def asked_by_a_stranger_and_by_alice(gateway: GatewayProcess) -> str:
    """Gives the metrics after that."""
    async with aiohttp.ClientSession(gateway.url) as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
        for headers in ({}, {"X-API-Key": WRONG}, {"Authorization": f"Bearer {WRONG}"}):
            for method, path in (("POST", "/agents/demo/support/chat"), ("GET", "/agents"), ("POST", "/agent/chat")):
                async with client.request(method, path, headers=headers) as response:
                    assert response.status == 401
        async with client.get("/agents/demo/none/runs/a", headers={"X-API-Key": KEY}) as response:
            assert response.status == 404
        async with client.get("/agents", headers={"X-API-Key": KEY}) as response:
            assert response.status == 200
        async with client.get(gateway.metrics_url) as response:
            return await response.text()


async def test_the_gateway_counts_and_logs_strangers_and_names_callers(tmp_path: Path, cluster: FakeKubernetes) -> None:
    publish(cluster, f"http://127.0.0.1:{free_port()}")
    with gateway_process(tmp_path, cluster) as gateway:
        metrics = await asked_by_a_stranger_and_by_alice(gateway)
        gateway.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(gateway.process.wait, 30) == 0
    assert 'slipway_gateway_unauthenticated_total{cause="no key"} 3.0' in metrics
    assert 'slipway_gateway_unauthenticated_total{cause="unknown key"} 6.0' in metrics
    logged = lines(gateway.log)
    refused = [line for line in logged if "was refused" in str(line["message"])]
    assert [(line["remote"], line["level"]) for line in refused] == [("127.0.0.1", "warning")] * 9
    requests = [line for line in logged if line["message"] == "request"]
    assert [(line["method"], line["path"], line["status"]) for line in requests] == [
        ("GET", "/agents/demo/none/runs/a", 404),
        ("GET", "/agents", 200),
    ]
    assert [(line["caller"], line["remote"]) for line in requests] == [("alice", "127.0.0.1")] * 2
    assert WRONG not in gateway.log.read_text()
    assert KEY not in gateway.log.read_text()


async def test_a_gateway_without_keys_names_no_file_to_strangers(tmp_path: Path, cluster: FakeKubernetes) -> None:
    with gateway_process(tmp_path, cluster, SLIPWAY_API_KEYS_FILE="/etc/nowhere/keys.json") as gateway:
        async with aiohttp.ClientSession(gateway.url) as client:

            async def lacks_keys() -> bool:
                try:
                    async with client.get("/readyz") as response:
                        return "make the Secret" in await response.text()
                except aiohttp.ClientConnectionError:
                    return False

            await until_async(lacks_keys, "the gateway says what is missing")
            async with client.get("/readyz") as response:
                assert "nowhere" not in await response.text()
        assert "/etc/nowhere/keys.json" in gateway.log.read_text(), "the log says which file"


async def test_a_host_counts_and_logs_what_comes_past_the_gateway(tmp_path: Path) -> None:
    with host_process(tmp_path, f"sqlite:///{tmp_path}/store.db") as host:
        async with aiohttp.ClientSession(host.url) as client:
            for headers in ({}, {HEADER: "forged"}):
                async with client.post(f"/agents/{AGENT}/runs", json=ask_json("a"), headers=headers) as response:
                    assert response.status == 401
            async with client.get(host.metrics_url) as response:
                metrics = await response.text()
        host.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(host.process.wait, 30) == 0
    assert 'slipway_host_unauthenticated_total{cause="no token"} 1.0' in metrics
    assert 'slipway_host_unauthenticated_total{cause="invalid token"} 1.0' in metrics
    refused = [line for line in lines(host.log) if "was refused" in str(line["message"])]
    assert [(line["remote"], line["cause"]) for line in refused] == [
        ("127.0.0.1", "no token"),
        ("127.0.0.1", "invalid token"),
    ]
