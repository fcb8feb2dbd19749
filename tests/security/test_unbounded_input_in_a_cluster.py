"""The same floods against a gateway pod with its memory limit: it is not killed, and others are served meanwhile."""

import asyncio

import aiohttp
import pytest

from tests.security.test_unbounded_input import FLOODS, LIVEZ
from tests.support.cluster import Gateway, Installation
from tests.support.raw_http import connected, exchange

pytestmark = pytest.mark.cluster

SYSTEM = "slipway-system"
AT_ONCE = 4


async def test_floods_kill_no_gateway_pod(
    asking: aiohttp.ClientSession, installation: Installation, cluster_gateway: Gateway
) -> None:
    before = await asyncio.to_thread(installation.restarts, SYSTEM, component="gateway")
    await asyncio.gather(*(_flood(cluster_gateway.url, name) for name in FLOODS for _ in range(AT_ONCE)))
    async with asking.get("/agents") as response:
        assert response.status == 200
    assert await asyncio.to_thread(installation.restarts, SYSTEM, component="gateway") == before


async def _flood(url: str, name: str) -> None:
    first, again, total = FLOODS[name]
    async with connected(url) as connection:
        await connection.send(first)
        flooding = asyncio.create_task(connection.flood(again, total=total))
        assert (await exchange(url, LIVEZ)).status == 200, name
        await flooding
