"""Hosts over a real store."""

import itertools
from contextlib import AsyncExitStack

import pytest

from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentityVerifier
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from tests.support.scripts import SIGNER, StartHost


@pytest.fixture
def start_host(dsn: str, stack: AsyncExitStack) -> StartHost:
    """Start a host with its own connections to the test's store.

    With `alive=False` it does nothing in the background, so that its leases run out although it works on.
    """
    numbers = itertools.count(1)

    async def start(agent: HostedAgent, *, alive: bool = True, database: Database | None = None) -> Host:
        opened = database or await open_database(dsn)
        stack.push_async_callback(opened.close)
        host = Host(opened, verifier=IdentityVerifier([SIGNER.public_key]), host_id=f"host-{next(numbers)}")
        host.serve([agent])
        if alive:
            await stack.enter_async_context(host.running())
        else:
            stack.push_async_callback(host.runs.hand_over)
        return host

    return start
