"""Hosts, gateways and connections die at random moments of answers by a model that answers differently each time.

`SLIPWAY_CHAOS_SEED=N` repeats the choices of a run.
"""

import os
import random
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.chaos import ANSWERED, PAIRS, PROTOCOLS, Chaos
from tests.support.chaos_agents import AGENTS, configs, spec
from tests.support.chaos_model import DOCUMENT, ChaosModel
from tests.support.chaos_processes import DIARY, Killable, acts, serve_gateway, serve_host
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, gateway_environment, publish
from tests.support.host_process import host_environment
from tests.support.knowledge import Knowledge, contents
from tests.support.model_server import model_server
from tests.support.servers import free_port

HOSTS = ("one", "two")


def host(environment: dict[str, str], folder: Path, name: str) -> Killable:
    """A host with this environment, without bindings of models."""
    environment = {**environment, "SLIPWAY_BINDINGS": str(folder / "none")}
    url = f"http://127.0.0.1:{environment['SLIPWAY_PORT']}"
    return Killable(serve_host, url=url, environment=environment, log=folder / f"{name}.log")


@asynccontextmanager
async def running(
    folder: Path, knowledge: Knowledge, dsn: str, chroma_url: str, cluster: FakeKubernetes
) -> AsyncIterator[Chaos]:
    """Two hosts with all agents, and a gateway."""
    namespace = knowledge.namespace
    await knowledge.ingestion(knowledge.config(index="tea")).run(contents(tea_md=DOCUMENT))
    seed = int(os.environ.get("SLIPWAY_CHAOS_SEED") or secrets.randbits(32))
    print(f"\nSLIPWAY_CHAOS_SEED={seed}")  # noqa: T201 (pytest shows it with a failure, and `-s` always)
    model, diary = ChaosModel(random.Random(seed)), folder / "diary"
    async with AsyncExitStack() as stack:
        server = stack.enter_context(model_server(model))
        port = free_port()
        gateway_url = f"http://127.0.0.1:{port}"
        (folder / "gateway").mkdir()
        environment = gateway_environment(folder / "gateway", cluster, port=port, metrics_port=free_port())
        gateway = Killable(serve_gateway, url=gateway_url, environment=environment, log=folder / "gateway.log")
        stack.callback(gateway.kill)
        hosts: dict[str, Killable] = {}
        metrics: dict[str, str] = {}
        for name in HOSTS:
            port = free_port()
            environment = host_environment(
                folder, dsn, name=name, agents=configs(namespace, server.base_url), port=free_port(), metrics_port=port
            )
            environment |= {"SLIPWAY_CHROMA_URL": chroma_url, "SLIPWAY_GATEWAY_URL": gateway_url, DIARY: str(diary)}
            hosts[name] = host(environment, folder, name)
            stack.callback(hosts[name].kill)
            metrics[name] = f"http://127.0.0.1:{port}/metrics"
        for name in AGENTS:
            publish(cluster, *(host.url for host in hosts.values()), namespace=namespace, name=name, spec=spec(name))
        client = await stack.enter_async_context(
            aiohttp.ClientSession(
                gateway_url,
                headers={"Authorization": f"Bearer {KEY}"},
                connector=aiohttp.TCPConnector(force_close=True),
                timeout=aiohttp.ClientTimeout(total=120),
            )
        )
        yield Chaos(client, gateway, hosts, metrics, model, knowledge.database, diary, namespace, random.Random(seed))


async def judge(chaos: Chaos, *, points: int, acting: bool = True) -> None:
    """Print what came of all, and see that most of it was answered."""
    print(await chaos.report())  # noqa: T201
    assert chaos.outcomes.keys() == PROTOCOLS.keys()
    assert sum(each.total() for each in chaos.outcomes.values()) == points
    assert max(Counter(acts(chaos.diary)).values(), default=0) == bool(acting), "what must not run twice ran once"
    assert sum(each[ANSWERED] for each in chaos.outcomes.values()) > points / 2


@pytest.fixture
async def chaos(
    tmp_path: Path, served: Knowledge, store_dsn: str, chroma_url: str, cluster: FakeKubernetes
) -> AsyncIterator[Chaos]:
    async with running(tmp_path, served, store_dsn, chroma_url, cluster) as chaos:
        yield chaos


async def test_ten_disturbances(chaos: Chaos) -> None:
    for number in range(10):
        agent, protocol = PAIRS[7 * number % len(PAIRS)]
        await chaos.survive(chaos.point(agent, protocol))
    await judge(chaos, points=10)


@pytest.mark.deep
@pytest.mark.parametrize("agent", AGENTS)
async def test_sixty_disturbances(chaos: Chaos, agent: str) -> None:
    for number in range(60):
        await chaos.survive(chaos.point(agent, list(PROTOCOLS)[number % len(PROTOCOLS)]))
    await judge(chaos, points=60, acting=agent != "lang")
