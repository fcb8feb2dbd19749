"""Callers get as many requests a minute as they may, through however many gateways."""

import json
import random
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.kubernetes_api import KubernetesApi
from slipway_runtime.gateway.rates import BURST_SECONDS, PRUNE_AT, Rate, RateLimits, RequestLimits
from slipway_runtime.gateway.replicas import Replicas
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.problems import Problem
from tests.runtime.gateway.conftest import CHAT, QUESTION, SUPPORT, Front, StartFront, StartHost
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.waiting import until

OTHER = AgentKey("demo", "other")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def accepted(gateways: list[RateLimits], clock: Clock, *, a_second: int, seconds: int) -> int:
    """Of a caller who sends so much, to whichever gateway."""
    chosen, count = random.Random(1), 0
    for _ in range(seconds * a_second):
        with suppress(Problem):
            chosen.choice(gateways).take("alice")
            count += 1
        clock.now += 1 / a_second
    return count


@pytest.mark.parametrize("replicas", [1, 2, 5])
@pytest.mark.parametrize("limit", [60, 600])
def test_gateways_together_keep_the_limit_within_a_fifth(replicas: int, limit: int) -> None:
    clock = Clock()
    gateways = [RateLimits(RequestLimits(limit), replicas=lambda: replicas, clock=clock) for _ in range(replicas)]
    first = accepted(gateways, clock, a_second=50, seconds=60)
    later = accepted(gateways, clock, a_second=50, seconds=60)
    assert 0.8 * limit <= first <= 1.2 * limit
    assert 0.8 * limit <= later <= 1.2 * limit


def test_a_caller_below_the_limit_is_never_refused() -> None:
    clock = Clock()
    assert accepted([RateLimits(RequestLimits(60), clock=clock)], clock, a_second=1, seconds=300) == 300


def test_the_share_changes_with_the_replicas() -> None:
    clock, replicas = Clock(), 1
    rate = Rate(60, lambda: replicas, clock)

    def in_a_minute() -> int:
        count = 0
        for _ in range(600):
            count += rate.take("alice") == 0.0
            clock.now += 0.1
        return count

    in_a_minute()
    assert in_a_minute() == 60
    replicas = 2
    in_a_minute()
    assert in_a_minute() == 30


def test_callers_and_agents_are_counted_apart() -> None:
    limits = RateLimits(RequestLimits(per_caller=0, per_caller_and_agent=6), clock=Clock())
    limits.take_for("alice", SUPPORT)
    limits.take_for("alice", SUPPORT)
    with pytest.raises(Problem, match="6 requests a minute to demo/support") as caught:
        limits.take_for("alice", SUPPORT)
    assert caught.value.retry_after
    assert caught.value.retry_after <= BURST_SECONDS + 1
    limits.take_for("alice", OTHER)
    limits.take_for("bob", SUPPORT)
    for _ in range(1000):
        limits.take("alice")


def test_quiet_callers_are_forgotten() -> None:
    clock = Clock()
    rate = Rate(60, lambda: 1, clock)
    for number in range(3 * PRUNE_AT):
        rate.take(number)
        clock.now += 0.01
    assert len(rate._due) < PRUNE_AT + 200


def slice_of(name: str, *ready: bool) -> dict[str, Any]:
    endpoints = [{"addresses": ["10.0.0.1"], "conditions": {"ready": each}} for each in ready]
    return {"metadata": {"namespace": "slipway-system", "name": name}, "endpoints": endpoints}


async def test_the_replicas_are_the_ready_end_points_of_the_service(cluster: FakeKubernetes) -> None:
    from kubernetes.aio.client import ApiClient, Configuration

    path = "/apis/discovery.k8s.io/v1/namespaces/slipway-system/endpointslices"
    api = KubernetesApi(ApiClient(Configuration(host=cluster.url)))
    replicas = Replicas(api, "slipway-system/slipway-gateway")
    assert replicas() == 1
    async with replicas.following():
        cluster.apply(path, slice_of("a", True, True, False))
        await until(lambda: replicas() == 2, "two are ready")
        cluster.apply(path, slice_of("b", True))
        await until(lambda: replicas() == 3, "so is the one in another slice")
        cluster.delete(path, "slipway-system", "a")
        await until(lambda: replicas() == 1, "two are gone")
    await api.close()


@pytest.fixture
async def limited(start_front: StartFront, start_host: StartHost, tmp_path: Path) -> tuple[Front, str]:
    key, entry = new_key("alice")
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [entry.model_dump()]}))
    _, url = await start_host()
    chosen = {"auth_mode": "apikeys", "api_keys_file": path, "rate_limit_caller": 60, "rate_limit_agent": 6}
    front = await start_front(replicas=lambda: 2, **chosen)
    front.routes.set(SUPPORT, [url])
    return front, key


OF_OPENAI = {"model": str(SUPPORT), "messages": [{"role": "user", "content": "say 2 words"}]}


@pytest.mark.parametrize(("path", "body"), [(CHAT, QUESTION), ("/v1/chat/completions", OF_OPENAI)])
async def test_too_many_requests_to_an_agent_get_429(
    limited: tuple[Front, str], path: str, body: dict[str, Any]
) -> None:
    front, key = limited
    answers = []
    for _ in range(3):
        async with front.client.post(path, json=body, headers={"X-API-Key": key}) as response:
            answers.append((response.status, "Retry-After" in response.headers, await response.text()))
    assert [each[:2] for each in answers] == [(200, False), (429, True), (429, True)]
    assert "requests a minute" in answers[1][2]
    async with front.client.get("/agents", headers={"X-API-Key": key}) as response:
        assert response.status == 200


@pytest.mark.parametrize("path", [f"/agents/{SUPPORT}/mcp", "/mcp"])
async def test_too_many_calls_of_a_tool_are_told_when_to_come_back(limited: tuple[Front, str], path: str) -> None:
    front, key = limited
    name = "support__ask" if path == "/mcp" else "ask"
    params = {"name": name, "arguments": {"question": "say 2 words"}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    seen = []
    for _ in range(2):
        headers = {"X-API-Key": key, "Accept": "application/json"}
        async with front.client.post(path, json=body, headers=headers) as response:
            result = (await response.json())["result"]
            seen.append((result.get("isError", False), "Retry-After" in response.headers))
    assert seen == [(False, False), (True, True)]
    assert "RateLimited" in result["content"][0]["text"]


async def test_too_many_requests_of_a_caller_get_429(limited: tuple[Front, str]) -> None:
    front, key = limited
    seen = []
    for _ in range(12):
        async with front.client.get("/agents", headers={"X-API-Key": key}) as response:
            seen.append(response.status)
    assert seen[:5] == [200] * 5
    assert seen[-1] == 429
    async with front.client.get("/livez") as response:
        assert response.status == 200
