"""ASGI applications on loopback ports, by the real server, in the test's own event loop."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from slipway_runtime.http_limits import HttpLimits
from slipway_runtime.serving import DrainingServer, server_config
from tests.support.servers import free_port


@asynccontextmanager
async def served(
    app: Any,
    *,
    port: int | None = None,
    limits: HttpLimits | None = None,
    tls: tuple[int, ssl.SSLContext] | None = None,
) -> AsyncIterator[str]:
    """The application's URL for as long as the block lasts. Open requests are given a second to end, then broken.

    Args:
        tls: a further port, which speaks TLS with this context.
    """
    port = port or free_port()
    config = server_config(app, port=port, lifespan=True, limits=limits, stop_seconds=1)
    config.host, config.lifespan = "127.0.0.1", "auto"
    config.load()
    server = DrainingServer(config, drain=lambda: None, busy=lambda: 0, grace=0.0, tls=tls)
    server.lifespan = config.lifespan_class(config)
    # Not `serve()`: that takes the process's signals and wakes up every tenth of a second to see whether to end.
    await server.startup()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await server.shutdown()
