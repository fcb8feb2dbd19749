"""Sending push notifications: what hosts say is due, to receivers at addresses that were looked at.

Every gateway does this. A host gives each of what is due to one of them for a while; what is not settled by then is
given to another.
"""

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

from slipway_runtime import addresses, retrying
from slipway_runtime.addresses import AddressRule, ForbiddenAddress
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.hosted_path import upstream_request
from slipway_runtime.gateway.inner_calls import fetch
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import GATEWAY
from slipway_runtime.plugins.connection import new_session
from slipway_runtime.problems import Problem

log = logging.getLogger(__name__)
PAUSE_SECONDS = 5.0
"""Between two looks at what is due."""
SEND_SECONDS = 10.0
HOST_SECONDS = 10.0
TOKEN_HEADER = "X-A2A-Notification-Token"
JSON = {"Accept": "application/json", "Content-Type": "application/json"}


@asynccontextmanager
async def pushing(gateway: Gateway, *, pause: float = PAUSE_SECONDS) -> AsyncIterator[None]:
    """Send what is due meanwhile."""
    async with new_session(gateway.receiver_rule, timeout=SEND_SECONDS, connect_timeout=SEND_SECONDS) as http:
        task = asyncio.create_task(_push(gateway, http, pause))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})


async def _push(gateway: Gateway, http: aiohttp.ClientSession, pause: float) -> None:
    while True:
        for agent, pods in list(gateway.routes.agents().items()):
            if pods:
                try:
                    await send_due(gateway, http, agent)
                except Problem as problem:
                    log.debug(
                        "what is due to receivers cannot be read: %s", problem.detail, extra={"agent": str(agent)}
                    )
                except Exception:
                    log.exception("receivers were not told", extra={"agent": str(agent)})
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))


async def send_due(gateway: Gateway, http: aiohttp.ClientSession, agent: AgentKey) -> None:
    """Send what is due of one agent. Raises Problem if its hosts cannot say."""
    due = (await _asked(gateway, agent, "claim", {}))["due"]
    await asyncio.gather(*(_tell(gateway, http, agent, each) for each in due))


async def _tell(gateway: Gateway, http: aiohttp.ClientSession, agent: AgentKey, due: Mapping[str, Any]) -> None:
    run, failed = due["record"]["run_id"], ""
    try:
        async with asyncio.timeout(SEND_SECONDS):
            await _send(gateway.receiver_rule, http, due)
    except (aiohttp.ClientError, OSError, ValueError, ForbiddenAddress) as error:
        failed = type(error).__name__
        log.info("a receiver was not told: %s", failed, extra={"agent": str(agent), "run": run, "receiver": due["id"]})
    again_in = retrying.delay(retrying.RECEIVER, due["failures"] + 1) if failed else None
    settled = {"run_id": run, "id": due["id"], "changed": due["changed"], "again_in": again_in}
    await _asked(gateway, agent, "settle", settled)


async def _send(rule: AddressRule, http: aiohttp.ClientSession, due: Mapping[str, Any]) -> None:
    from a2a.types.a2a_pb2 import StreamResponse
    from google.protobuf.json_format import MessageToDict

    from slipway_runtime.gateway.a2a.looking_up import recorded

    config, found = due["config"], recorded(due["record"])
    await check_receiver(rule, config["url"])
    headers = {"Content-Type": "application/json"}
    if config.get("token"):
        headers[TOKEN_HEADER] = config["token"]
    proof = config.get("authentication") or {}
    if proof.get("scheme") and proof.get("credentials"):
        headers["Authorization"] = f"{proof['scheme']} {proof['credentials']}"
    body = orjson.dumps(MessageToDict(StreamResponse(task=found.view.task(changed=found.changed))))
    async with http.post(config["url"], data=body, headers=headers, allow_redirects=False) as response:
        if not 200 <= response.status < 300:
            raise ValueError(f"it answered {response.status}")


async def check_receiver(rule: AddressRule, url: str) -> None:
    """Raise ForbiddenAddress if a URL leads where nothing is sent, OSError for a name that is not known."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    rule.check(host, await addresses.resolve(host, port))


async def _asked(gateway: Gateway, agent: AgentKey, path: str, data: Mapping[str, Any]) -> Any:
    call = upstream_request(
        gateway,
        "POST",
        f"/agents/{agent}/receivers/{path}",
        agent=agent,
        caller=GATEWAY,
        headers=JSON,
        body=orjson.dumps(data),
        seconds=HOST_SECONDS,
    )
    return await fetch(gateway.upstreams, call)
