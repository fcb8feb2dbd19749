"""The probes of the operator, over HTTP: they fail while its watches have stalled, so that it is started anew."""

from collections.abc import AsyncIterator

import pytest
from aiohttp.test_utils import TestClient, TestServer

from slipway_operator.core.objects import LEASE
from slipway_operator.core.probes import Health
from slipway_operator.core.watches import CANARY_SECONDS, ECHO_SECONDS, Watches


class Operator:
    """The probes of a replica, and the time that its watches see."""

    def __init__(self) -> None:
        self.now = 0.0
        self.watches = Watches(clock=lambda: self.now)
        self.health = Health(self.watches)
        self.client = TestClient(TestServer(self.health.app()))

    async def get(self, path: str) -> tuple[int, str]:
        """Status and detail of a probe's answer."""
        async with self.client.get(path) as response:
            body = await response.json()
            assert body["ok"] is (response.status == 200)
            return response.status, body["detail"]


@pytest.fixture
async def operator() -> AsyncIterator[Operator]:
    operator = Operator()
    async with operator.client:
        yield operator


async def test_a_replica_is_alive_from_the_start_and_ready_once_it_leads_or_waits(operator: Operator) -> None:
    assert await operator.get("/livez") == (200, "")
    assert await operator.get("/readyz") == (503, "the API server was not reached yet")
    operator.health.started = True
    operator.now += 1000 * CANARY_SECONDS  # one that waits to lead watches nothing
    assert await operator.get("/livez") == (200, "")
    assert await operator.get("/readyz") == (200, "")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_probe_fails_while_the_lease_is_silent(operator: Operator, path: str) -> None:
    operator.health.started = True
    operator.watches.start_canary()
    operator.now += CANARY_SECONDS
    assert await operator.get(path) == (200, "")
    operator.now += 1
    assert await operator.get(path) == (503, "no event of our own Lease for 61 s")
    operator.watches.touch(LEASE.name, 1)
    assert await operator.get(path) == (200, "")


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
async def test_a_probe_fails_while_a_write_does_not_come_back(operator: Operator, path: str) -> None:
    operator.health.started = True
    operator.watches.expect("Deployment", 7)
    operator.now += ECHO_SECONDS + 1
    assert await operator.get(path) == (503, "a write to a Deployment has not come back for 91 s")
    operator.watches.touch("Deployment", 7)
    assert await operator.get(path) == (200, "")
