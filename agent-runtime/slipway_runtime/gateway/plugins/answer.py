"""What a client of a plugin gets, before anything of it is sent."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from mcp_types.jsonrpc import INVALID_PARAMS

from slipway_runtime.plugins.messages import MessageRefused

NO_SESSION = MessageRefused(INVALID_PARAMS, "there is no such session: begin with initialize", status=404)


@dataclass
class PluginAnswer:
    """A status, headers, and a body in pieces, or as a whole where it is at hand."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    whole: bytes | None = None


async def once(body: bytes) -> AsyncIterator[bytes]:
    """A body at hand."""
    if body:
        yield body
