"""A gateway over a table of routes that the test fills, and hosts with agents that need no documents."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.main import assembled, read_authorities
from slipway_runtime.gateway.routes import AgentKey, RouteTable
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.settings import GatewaySettings
from tests.support.scripted_host import SEED, Options, host_app, words
from tests.support.serving import served

SUPPORT = AgentKey("demo", "support")
CHAT = f"/agents/{SUPPORT}/chat"
QUESTION = {"question": "say 5 words"}
ANSWER = "".join(words(5))


class Front:
    """A served gateway: its parts to look at, and a client to ask it with."""

    def __init__(self, gateway: Gateway, client: aiohttp.ClientSession, url: str) -> None:
        self.gateway = gateway
        self.client = client
        self.url = url

    @property
    def routes(self) -> RouteTable:
        return self.gateway.routes


StartFront = Callable[..., Awaitable[Front]]
StartHost = Callable[..., Awaitable[tuple[Host, str]]]


@pytest.fixture
def signer() -> IdentitySigner:
    return IdentitySigner.from_seed(SEED)


@pytest.fixture
def start_front(stack: AsyncExitStack, signer: IdentitySigner) -> StartFront:
    """Start a gateway with settings of the test's choice; open unless it says otherwise."""

    async def start(port: int | None = None, *, replicas: Callable[[], int] = lambda: 1, **settings: object) -> Front:
        chosen = GatewaySettings.model_validate({"auth_mode": "open", **settings})
        gateway = await stack.enter_async_context(
            assembled(
                chosen, routes=RouteTable(), signer=signer, replicas=replicas, authorities=read_authorities(chosen)
            )
        )
        url = await stack.enter_async_context(served(create_app(gateway), port=port))
        client = await stack.enter_async_context(
            aiohttp.ClientSession(
                url, connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(total=300)
            )
        )
        return Front(gateway, client, url)

    return start


@pytest.fixture
def start_host(stack: AsyncExitStack, signer: IdentitySigner, sqlite_dsn: str) -> StartHost:
    """Start a host in this process, over the test's SQLite store; gives the host and its URL."""

    async def start(**options: object) -> tuple[Host, str]:
        chosen: dict[str, object] = {
            "dsn": sqlite_dsn,
            "public_key": signer.public_key,
            **options,
        }
        host, app = await stack.enter_async_context(host_app(Options(**chosen)))  # type: ignore[arg-type]
        return host, await stack.enter_async_context(served(app))

    return start


@pytest.fixture
async def front(start_front: StartFront, start_host: StartHost) -> Front:
    """An open gateway with one pod behind it."""
    _, url = await start_host()
    front = await start_front()
    front.routes.set(SUPPORT, [url])
    return front
