"""`subscriptions/listen` at the path of a plugin: clients share one subscription to the server."""

import asyncio
from collections.abc import Mapping
from typing import Any

from slipway_runtime.gateway.plugins.calls import PluginCall
from slipway_runtime.gateway.relay import Reply
from slipway_runtime.plugins.answers import event_of
from slipway_runtime.plugins.changes import KINDS
from slipway_runtime.plugins.discovery import MODERN
from slipway_runtime.plugins.messages import ENDLESS, EVENT_STREAM, ClientMessage, Kind
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.mcp.sdk import subscriptions


async def shares(call: PluginCall, message: ClientMessage) -> bool:
    """Whether this client's subscription is one that others may share: to changes of lists, of a server that has such
    subscriptions. What is about single resources goes to the server. Raises ServerFailed."""
    if message.method != ENDLESS or message.kind is not Kind.REQUEST or not message.modern:
        return False
    wanted = message.params.get("notifications")
    return (
        isinstance(wanted, Mapping)
        and all(name.endswith("ListChanged") or not value for name, value in wanted.items())
        and (await call.plugin.discovery()).era == MODERN
    )


async def listen(call: PluginCall, message: ClientMessage, reply: Reply) -> None:
    """Tell the client what changes, until it leaves."""
    tag = {subscriptions.SUBSCRIPTION_ID_META_KEY: message.id}
    kinds = [kind for kind in KINDS.values() if message.params["notifications"].get(f"{kind}ListChanged") is True]
    await reply.start(200, {"content-type": EVENT_STREAM, **sse.HEADERS})
    async with call.plugin.changes.followed() as changed:
        honoured = {f"{kind}ListChanged": True for kind in kinds}
        await reply.body(
            _notification("subscriptions/acknowledged", {"notifications": honoured, "_meta": tag}), more=True
        )
        while True:
            try:
                async with asyncio.timeout(sse.PING_SECONDS):
                    kind = await changed.get()
            except TimeoutError:
                await reply.body(sse.PING, more=True)
                continue
            if kind in kinds:
                await reply.body(_notification(f"{kind}/list_changed", {"_meta": tag}), more=True)


def _notification(name: str, params: dict[str, Any]) -> bytes:
    return event_of({"jsonrpc": "2.0", "method": f"notifications/{name}", "params": params})
