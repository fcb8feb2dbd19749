"""How a client that was refused finds out where to get a token: RFC 9728, OAuth 2.0 Protected Resource Metadata.

A 401 names a document, and the document names the identity provider. MCP clients sign their user in by that. The
document says nothing of agents: its paths answer alike whether there is such an agent or not.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers, MutableHeaders

from slipway_runtime.gateway.asgi import Application, Message, Receive, Send

WELL_KNOWN = "/.well-known/oauth-protected-resource"
MCP_PATH = re.compile(r"/mcp|/(?:agents|plugins)/[a-z0-9-]{1,63}/[a-z0-9-]{1,63}/mcp")
"""Paths that are resources of their own: MCP clients ask for a token for the URL of the server that they were given."""


@dataclass(frozen=True)
class ProtectedResource:
    """What the gateway says of itself to OAuth clients.

    Args:
        issuer: the identity provider.
        public_url: where callers reach the gateway; empty: where the request says that it was sent.
    """

    issuer: str
    public_url: str = ""

    def document(self, scope: Message, path: str = "") -> Mapping[str, object]:
        """The metadata of the gateway, or of what is at a path of it."""
        return {
            "resource": self._base(scope) + path,
            "authorization_servers": [self.issuer],
            "bearer_methods_supported": ["header"],
        }

    def challenge(self, scope: Message) -> str:
        """The header WWW-Authenticate of a 401."""
        path = scope["path"] if MCP_PATH.fullmatch(scope["path"]) else ""
        refused = ', error="invalid_token"' if "authorization" in Headers(scope=scope) else ""
        return f'Bearer resource_metadata="{self._base(scope)}{WELL_KNOWN}{path}"{refused}'

    def _base(self, scope: Message) -> str:
        host = re.sub(r"[^-.:\[\]\w]", "", Headers(scope=scope).get("host", ""))
        return self.public_url or f"{scope['scheme']}://{host}"


class Challenge:
    """Puts the header into every 401, whatever protocol words the answer."""

    def __init__(self, app: Application, *, resource: ProtectedResource) -> None:
        self._app = app
        self._resource = resource

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 401:
                MutableHeaders(scope=message)["www-authenticate"] = self._resource.challenge(scope)
            await send(message)

        await self._app(scope, receive, sending)
