"""A run that outlives `slipway dev`: what stands behind an agent's tools gets the same idempotency key again."""

import asyncio
import stat
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
from mcp.server import MCPServer
from mcp_types import ToolAnnotations
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from slipway_runtime.dev.parts import SEED, SEED_BYTES
from tests.support.dev_process import DevProcess
from tests.support.mcp_servers import Recording, application
from tests.support.model_server import Asked, Call, Reply, model_server
from tests.support.serving import served
from tests.support.waiting import until, until_async

MANIFESTS = """
apiVersion: slipway.dev/v1alpha1
kind: Workflow
metadata: {{name: booking, namespace: demo}}
spec:
  steps:
    - {{name: book, agentRef: {{name: clerk}}, ask: "Book it twice, please."}}
    - {{name: allow, needs: [book], approval: {{message: Once more?, expires: 1h}}}}
    - {{name: again, needs: [allow], agentRef: {{name: clerk}}, ask: "Book it once more."}}
---
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: clerk, namespace: demo}}
spec:
  architecture: pydantic-ai
  models: [{{name: m, provider: openai-compatible, model: x, baseURL: "{model}"}}]
  tools:
    - {{name: desk, pluginRef: {{name: desk}}}}
    - {{name: shop, pluginRef: {{name: shop}}}}
---
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: desk, namespace: demo}}
spec: {{type: mcp, mcp: {{serviceRef: {{name: desk, port: {desk}}}}}}}
---
apiVersion: slipway.dev/v1alpha1
kind: Plugin
metadata: {{name: shop, namespace: demo}}
spec:
  type: openapi
  openapi: {{source: {{configMapRef: {{name: shop, key: api}}}}, serviceRef: {{name: shop, port: {shop}}}}}
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: shop, namespace: demo}}
data:
  api: |
    openapi: 3.1.0
    info: {{title: Shop, version: "1"}}
    paths:
      /orders/{{id}}:
        put:
          operationId: order
          parameters: [{{name: id, in: path, required: true, schema: {{type: string}}}}]
"""
KEY = "idempotency-key"


def answer(asked: Asked) -> str | Reply:
    """A model that calls both tools at once, and is done when they have answered."""
    if any(each["role"] == "tool" for each in asked.body["messages"]):
        return "It is booked."
    return Reply(calls=(Call("desk__book", {"room": "7"}, id="c1"), Call("shop__order", {"id": "7"}, id="c2")))


class Behind:
    """An MCP server and an API, which answer once they may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.orders: list[str | None] = []
        server = MCPServer("desk")

        @server.tool(annotations=ToolAnnotations(idempotent_hint=True))
        async def book(room: str) -> str:
            """Book a room."""
            await self.may.wait()
            return f"room {room} is booked"

        self.desk = Recording(application(server))
        self.shop = Starlette(routes=[Route("/orders/{id}", self._order, methods=["PUT"])])

    async def _order(self, request: Request) -> Response:
        self.orders.append(request.headers.get(KEY))
        await self.may.wait()
        return JSONResponse({"ordered": request.path_params["id"]})

    @property
    def bookings(self) -> list[str | None]:
        """The keys of the calls of the MCP server's tool."""
        return [headers.get(KEY) for headers, _ in self.desk.of("tools/call")]


async def test_what_stands_behind_an_agents_tools_sees_one_key_for_each_call_over_a_kill(tmp_path: Path) -> None:
    behind, dev = Behind(), DevProcess(tmp_path, "--port", "0")
    with model_server(answer) as model:
        async with served(behind.desk) as desk, served(behind.shop) as shop:
            ports = {"desk": desk.rpartition(":")[2], "shop": shop.rpartition(":")[2]}
            dev.replace(MANIFESTS.format(model=model.base_url, **ports))
            dev.start()
            try:
                async with aiohttp.ClientSession(await dev.url()) as client:
                    async with client.post("/workflows/demo/booking/runs", json={"input": {}}) as response:
                        run = f"/workflows/demo/booking/runs/{(await response.json())['run_id']}"
                    await until(lambda: behind.bookings and behind.orders, "both tools are called", deadline=60)
                seed = dev.data / SEED
                assert (stat.S_IMODE(seed.stat().st_mode), len(seed.read_bytes())) == (0o600, SEED_BYTES)
                kill(dev)
                behind.may.set()
                dev.start()
                async with aiohttp.ClientSession(await dev.url()) as client:
                    await reached(client, run, "waiting", "failed")
                    async with client.post(f"{run}/steps/allow/decision", json={"approved": True}) as response:
                        assert response.status == 200, await response.text()
                    ended = await reached(client, run, "done", "failed")
                assert ended["state"] == "done", ended
            finally:
                kill(dev)
    for keys in (behind.bookings, behind.orders):
        assert None not in keys
        assert list(Counter(keys).values()) == [2, 1], "the first call twice, over the kill, and the second once"
    assert set(behind.bookings).isdisjoint(behind.orders)


def kill(dev: DevProcess) -> None:
    """With SIGKILL."""
    assert dev.process is not None
    dev.process.kill()
    dev.process.wait()


async def reached(client: aiohttp.ClientSession, run: str, *states: str) -> dict[str, Any]:
    """The run, once it is in one of these states."""
    found: dict[str, Any] = {}

    async def there() -> bool:
        async with client.get(run) as response:
            found.update(await response.json())
        return found["state"] in states

    await until_async(there, f"the run is {states}", deadline=60)
    return found
