"""The plugin `agent-metrics` in a cluster: it adds up the metrics of all pods to which the name of the agents leads."""

import importlib.util
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Counter, start_http_server

from slipway_runtime.plugins.loading.http_app import http_app
from tests.support.servers import free_port
from tests.support.serving import served

PLUGIN = Path(__file__).parents[2] / "examples" / "plugins" / "agent-metrics" / "agent_metrics.py"
PODS = ("127.0.0.1", "127.0.0.2")
RESOLVE: Callable[..., Any] = socket.getaddrinfo


@contextmanager
def agents_pod(ip: str, port: int, outcomes: dict[str, int]) -> Iterator[None]:
    """A pod of the agent `demo/people` with this many attempts by outcome."""
    registry = CollectorRegistry()
    runs = Counter("slipway_runs", "Attempts.", ["agent", "outcome"], registry=registry)
    for outcome, count in outcomes.items():
        runs.labels("demo/people", outcome).inc(count)
    server, thread = start_http_server(port, ip, registry)
    with ExitStack() as ended:
        for end in (thread.join, server.server_close, server.shutdown):
            ended.callback(end)
        yield


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """Of the pods' metrics, which the plugin finds by a name that leads to both pods, as a headless Service's does."""
    port = free_port()

    def resolve(host: Any, *args: Any, **more: Any) -> Any:
        if host != "agents.demo.svc":
            return RESOLVE(host, *args, **more)
        return [found for ip in PODS for found in RESOLVE(ip, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("SLIPWAY_AGENT_METRICS", f"agents.demo.svc:{port}")
    return port


async def metrics() -> tuple[int, Any]:
    """The status and the body of `/metrics`, of the shipped plugin without a configuration."""
    spec = importlib.util.spec_from_file_location("agent_metrics_in_a_pod", PLUGIN)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    app = http_app("agent-metrics", [module.slipway_router({})], {})
    async with served(app) as url, aiohttp.ClientSession(url) as client, client.get("/metrics") as response:
        return response.status, await response.json()


async def test_it_adds_up_what_the_pods_of_agents_count(port: int) -> None:
    with agents_pod(PODS[0], port, {"done": 3, "failed": 1}), agents_pod(PODS[1], port, {"done": 4}):
        status, found = await metrics()
    assert status == 200
    assert found["success_rates"]["demo/people"] == {"answers": 8, "failed": 1, "rate": 7 / 8}
    assert found["agent_usage"]["demo/people"]["requests"] == 8


async def test_a_pod_that_has_just_gone_is_left_out(port: int) -> None:
    with agents_pod(PODS[1], port, {"done": 4}):
        status, found = await metrics()
    assert (status, found["agent_usage"]["demo/people"]["requests"]) == (200, 4)
    status, found = await metrics()
    assert (status, "no agent's pod gives its metrics" in found["detail"]) == (502, True)


async def test_without_agents_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLIPWAY_AGENT_METRICS", "nobody.invalid:8081")
    status, found = await metrics()
    assert (status, found["agent_usage"]) == (200, {})
