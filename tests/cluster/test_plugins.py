"""Plugins on a real cluster: a server in a pod, plainly and behind a connector with a token, and what status says."""

import pytest

from tests.support.cluster import Installation
from tests.support.operator_bench import Bench, bench

__all__ = ["bench"]
pytestmark = pytest.mark.cluster

SERVER = """
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
import uvicorn

server = MCPServer("cluster")

@server.tool()
def echo(text: str) -> str:
    "Say it again."
    return text

app = server.streamable_http_app(transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False))

async def guarded(scope, receive, send):
    given = dict(scope.get("headers") or ())
    if scope["type"] == "http" and scope["path"] == "/guarded":
        if given.get(b"authorization") != b"Bearer s3cret":
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        scope = {**scope, "path": "/mcp", "raw_path": b"/mcp"}
    await app(scope, receive, send)

uvicorn.run(guarded, host="0.0.0.0", port=8000)
"""


def server(namespace: str, image: str) -> list[dict[str, object]]:
    """A pod with an MCP server, and its Service."""
    container = {
        "name": "server",
        "image": image,
        "command": ["python", "-c", SERVER],
        "ports": [{"containerPort": 8000}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    metadata = {"name": "tools", "namespace": namespace}
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**metadata, "labels": {"app": "tools"}},
            "spec": {"securityContext": security, "containers": [container]},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "tools"}, "ports": [{"port": 9000, "targetPort": 8000}]},
        },
    ]


def plugin(namespace: str, name: str, **mcp: object) -> dict[str, object]:
    """A Plugin of the namespace."""
    return {
        "apiVersion": "slipway.dev/v1alpha1",
        "kind": "Plugin",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "mcp", "mcp": mcp},
    }


def test_a_server_in_a_pod_is_found_plainly_and_behind_a_connector(bench: Bench, installation: Installation) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "tools", "namespace": bench.namespace},
        "stringData": {"token": "s3cret"},
    }
    bench.apply(*server(bench.namespace, f"slipway.local/runtime:{installation.tags['runtime']}"), secret)
    bench.apply(
        plugin(bench.namespace, "plain", serviceRef={"name": "tools", "port": 9000}),
        plugin(
            bench.namespace,
            "guarded",
            serviceRef={"name": "tools", "port": 9000, "path": "/guarded"},
            tokenRef={"name": "tools", "key": "token"},
        ),
    )
    for name in ("plain", "guarded"):
        ready = bench.until_condition("plugins", name)
        assert ready["reason"] == "Serving"
