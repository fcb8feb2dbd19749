"""What anybody who reaches a port can send without a key: it costs neither memory nor other callers.

The ports of the gateway and of a host that serve callers, their ports for metrics, and the operator's one port.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import gateway_process, kubeconfig_of
from tests.support.host_process import host_process
from tests.support.operator_process import OperatorProcess
from tests.support.raw_http import Connection, connected, exchange
from tests.support.scripts import AGENT
from tests.support.servers import free_port
from tests.support.waiting import until, until_async, until_seen

MB = 1024 * 1024
HEAD = f"POST /agents/{AGENT}/chat HTTP/1.1\r\nHost: x\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LIVEZ = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
"""Answered with 200 by every port; a port for metrics does not look at the path."""
FLOODS = {
    "98 MB of headers": (HEAD, b"".join(b"X-%d: %s\r\n" % (n, b"x" * 1000) for n in range(64)), 98 * MB),
    "a header of 128 MB": (HEAD + b"X-Long: ", b"x" * 65536, 128 * MB),
    "a URL of 128 MB": (b"GET /", b"x" * 65536, 128 * MB),
    "a body of 128 MB": (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n", 128 * MB),
    "a trailer of 128 MB": (CHUNKED + b"0\r\nX-Long: ", b"x" * 65536, 128 * MB),
    "a million requests at once": (b"", b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n" * 2000, 64 * MB),
}
ROOM = 48 * MB
"""What a flood may add to a process's memory. What is held of a request is below 1 MB."""
SILENT, SLOW = 500, 50


@dataclass(frozen=True)
class Target:
    """A process under attack."""

    url: str
    pid: int

    def peak(self) -> int:
        """The most memory that it ever had, in bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


GATEWAY, HOST, OPERATOR = ("gateway", "gateway metrics"), ("host", "host metrics"), ("operator",)


@asynccontextmanager
async def ports(folder: Path, *names: str) -> AsyncIterator[dict[str, Target]]:
    """Those of the ports that are named, of processes that serve."""
    found: dict[str, Target] = {}
    async with AsyncExitStack() as stack:
        if set(names) & set(GATEWAY):
            found |= await _gateway(stack, folder)
        if set(names) & set(HOST):
            host = stack.enter_context(host_process(folder, f"sqlite:///{folder}/store.db"))
            found |= zip(HOST, (Target(url, host.process.pid) for url in (host.url, host.metrics_url)), strict=True)
        if set(names) & set(OPERATOR):
            found[OPERATOR[0]] = await _operator(stack, folder)
        yield {name: found[name] for name in names}


async def _gateway(stack: AsyncExitStack, folder: Path) -> dict[str, Target]:
    cluster = FakeKubernetes(free_port())
    await cluster.start()
    stack.push_async_callback(cluster.stop)
    gateway = stack.enter_context(gateway_process(folder, cluster))
    async with aiohttp.ClientSession(gateway.url) as client:
        await until_async(lambda: gateway.ready(client), "the gateway is ready")
    return {
        name: Target(url, gateway.process.pid)
        for name, url in zip(GATEWAY, (gateway.url, gateway.metrics_url), strict=True)
    }


async def _operator(stack: AsyncExitStack, folder: Path) -> Target:
    """One that waits for its API server, which it serves its port before."""
    kubeconfig = folder / "operator-kubeconfig"
    kubeconfig.write_text(yaml.safe_dump(kubeconfig_of(f"http://127.0.0.1:{free_port()}")))
    store = f"postgresql:///postgres?host={folder}"
    operator = stack.enter_context(OperatorProcess(folder, kubeconfig=str(kubeconfig), store_dsn=store))
    await until_seen(lambda: operator.get("/livez")[0] == 200, "the operator serves its port")
    return Target(operator.probes, operator.pid)


@pytest.mark.parametrize("name", [*GATEWAY, *HOST, *OPERATOR])
async def test_floods_cost_neither_memory_nor_other_callers(name: str, tmp_path: Path) -> None:
    async with ports(tmp_path, name) as found:
        target = found[name]
        before = target.peak()
        for flood, (first, again, total) in FLOODS.items():
            async with connected(target.url) as connection:
                await connection.send(first)
                flooding = asyncio.create_task(connection.flood(again, total=total))
                assert (await exchange(target.url, LIVEZ)).status == 200, flood
                await flooding
            assert target.peak() - before < ROOM, flood
        assert (await exchange(target.url, LIVEZ)).status == 200


async def test_silent_and_slow_connections_are_closed_after_ten_idle_seconds(tmp_path: Path) -> None:
    async with ports(tmp_path, *GATEWAY, *HOST, *OPERATOR) as found:
        await asyncio.gather(*(_silent_and_slow(target.url) for target in found.values()))


async def _silent_and_slow(url: str) -> None:
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(connected(url)) for _ in range(SILENT + SLOW)]
        for number, connection in enumerate(opened[SILENT:]):
            await connection.send(HEAD + (b"Content-Length: 9\r\n\r\n{" if number % 2 else b"X-Slow: x"))
        assert (await exchange(url, LIVEZ)).status == 200
        closing = asyncio.gather(*(connection.rest() for connection in opened))
        dripping = [asyncio.create_task(_drip(connection)) for connection in opened[SILENT:]]
        await until(closing.done, f"all connections to {url} are closed", deadline=60)
        await asyncio.gather(*dripping)
        assert (await exchange(url, LIVEZ)).status == 200


async def _drip(connection: Connection) -> None:
    """A byte every now and then, until the other side has had enough."""
    while not connection.reader.at_eof() and await connection.send(b"x"):  # noqa: ASYNC110 (the pace is the attack)
        await asyncio.sleep(0.5)
