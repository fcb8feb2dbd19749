"""Agents elsewhere that ask for credentials: they answer those who have them, and without them nobody asks."""

import os
from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.runtime.agents.test_container_agent import example
from tests.runtime.dev.test_plugins import Dev, calls, dev
from tests.support.mcp_servers import Recording
from tests.support.model_server import model_server
from tests.support.servers import free_port
from tests.support.serving import served

__all__ = ["dev"]

CREDENTIALS = """
      tokenRef: {name: orders, key: token}
      headers: [{name: X-Tenant, secretRef: {name: orders, key: ORDERS_TENANT}}]
"""
LEAD = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: desk, namespace: demo}}
spec:
  architecture: orchestrator
  members:
    - name: orders
      url: {url}{credentials}
"""
ASKING = """
apiVersion: slipway.dev/v1alpha1
kind: Agent
metadata: {{name: desk, namespace: demo}}
spec:
  architecture: pydantic-ai
  models: [{{name: m, provider: openai-compatible, model: x, baseURL: "{model}"}}]
  tools:
    - name: ask-orders
      url: {url}{credentials}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: orders, namespace: demo}
stringData: {token: s3cret}
"""


class Guarded:
    """An agent that answers 401 to everybody without the token and the tenant."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope.get("headers", ()))
        if scope["type"] != "http" or (
            given.get(b"authorization") == b"Bearer s3cret" and given.get(b"x-tenant") == b"acme inc"
        ):
            await self._app(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
async def orders(stack: AsyncExitStack) -> tuple[str, Recording]:
    """An agent elsewhere, and what it was sent."""
    port = free_port()
    recording = Recording(Guarded(example().make(f"http://127.0.0.1:{port}/")))
    return await stack.enter_async_context(served(recording, port=port)), recording


async def test_a_member_elsewhere_is_asked_with_its_token_and_its_headers(
    dev: Dev, orders: tuple[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, recording = orders
    monkeypatch.setitem(os.environ, "ORDERS_TENANT", "acme inc")
    await dev.apply(LEAD.format(url=url, credentials=CREDENTIALS), SECRET)
    answer = await dev.ask("Where is order 1001?")
    assert (answer["code"], answer["answer"], answer["agent_used"]) == (200, "Order 1001 is on its way.", "demo/orders")
    assert {headers["authorization"] for headers, _ in recording.requests} == {"Bearer s3cret"}


async def test_a_tool_elsewhere_is_asked_with_its_token_and_its_headers(
    dev: Dev, orders: tuple[str, Recording], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "ORDERS_TENANT", "acme inc")
    with model_server(calls("It is on its way.", "ask-orders", {"question": "Where is order 1001?"})) as model:
        given = ASKING.format(url=orders[0], credentials=CREDENTIALS, model=model.base_url)
        await dev.apply(given, SECRET)
        assert (await dev.ask("Where is order 1001?"))["answer"] == "It is on its way."
    assert "Order 1001 is on its way." in str(model.requests[-1].body["messages"])


async def test_without_its_token_a_member_is_not_asked_and_the_problem_says_why(
    dev: Dev, orders: tuple[str, Recording]
) -> None:
    url, recording = orders
    await dev.apply(LEAD.format(url=url, credentials=CREDENTIALS))
    answer = await dev.ask("Where is order 1001?")
    assert answer["code"] == 503
    assert "the token is missing: create the Secret that tokenRef names" in answer["detail"]
    assert recording.requests == []
