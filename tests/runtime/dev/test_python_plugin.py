"""A plugin in Python by the local driver: its tools, its end points of HTTP and its metrics, and who may use them."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client
from prometheus_client import REGISTRY

from slipway_crds.manifests import ManifestDocument
from slipway_runtime.dev.driver import LocalDriver
from slipway_runtime.dev.manifests import assemble
from slipway_runtime.dev.parts import open_parts
from slipway_runtime.gateway.app import create_app
from slipway_runtime.settings import default_model_dir
from tests.support.servers import free_port
from tests.support.serving import served

MODULE = """
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, StreamingResponse
from prometheus_client.core import GaugeMetricFamily
from pydantic import BaseModel

from slipway_runtime.plugin_api import hookimpl, tool

router = APIRouter()

class Vote(BaseModel):
    stars: int

@router.post("/votes/{run}", openapi_extra={"x-kept-for": "30 days"})
async def vote(run: str, vote: Vote, request: Request) -> dict:
    return {"run": run, "stars": vote.stars, "headers": dict(request.headers), "query": dict(request.query_params)}

@router.get("/page")
async def page() -> HTMLResponse:
    return HTMLResponse("<script>1</script>")

@router.get("/fails")
async def fails() -> None:
    raise ValueError("not today")

@router.get("/breaks")
async def breaks():
    async def pieces():
        yield b"a beginning"
        raise ValueError("not today")
    return StreamingResponse(pieces())

@tool(read_only=True)
def shout(text: str) -> dict:
    return {"said": text.upper()}

@tool
def fall(text: str) -> str:
    raise ValueError("not today")

class Votes:
    def collect(self):
        yield GaugeMetricFamily("plugin_votes", "Votes", value=7)

@hookimpl
def slipway_tools(config):
    return [shout, fall]

@hookimpl
def slipway_router(config):
    return router

@hookimpl
def slipway_metrics(config):
    return [Votes()]

@hookimpl
def slipway_openapi(config):
    return {"x-owner": config["owner"]}
"""
VOTES = "/plugins/demo/votes"


def manifests(**spec: Any) -> list[dict[str, Any]]:
    python = {"module": {"name": "votes", "key": "votes.py"}}
    api = {"apiVersion": "slipway.dev/v1alpha1", "kind": "Plugin", "metadata": {"name": "votes", "namespace": "demo"}}
    return [
        {**api, "spec": {"type": "python", "python": python, "config": {"owner": "web"}} | spec},
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "votes", "namespace": "demo"},
            "data": {"votes.py": MODULE},
        },
    ]


@dataclass
class Dev:
    """A local driver with a gateway."""

    driver: LocalDriver
    client: aiohttp.ClientSession
    url: str

    async def apply(self, *values: dict[str, Any]) -> None:
        given = assemble([ManifestDocument(value, "x.yaml") for value in values])
        await self.driver.apply(given, progress=lambda key, progress: None)

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.client.get(VOTES + path) as response:
            return response.status, await response.json(content_type=None)


@pytest.fixture
async def dev(tmp_path: Path) -> AsyncIterator[Dev]:
    async with AsyncExitStack() as stack:
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        opened = open_parts(tmp_path, model=default_model_dir(), delta_delay=0, gateway_url=url)
        parts = await stack.enter_async_context(opened)
        await stack.enter_async_context(served(create_app(parts.gateway), port=port))
        client = await stack.enter_async_context(aiohttp.ClientSession(url))
        dev = Dev(LocalDriver(parts, host_url="http://127.0.0.1:1"), client, url)
        await dev.apply(*manifests())
        yield dev
        await dev.apply()


async def test_its_tools_are_called_and_one_that_raises_ends_its_own_call(dev: Dev) -> None:
    async with Client(f"{dev.url}{VOTES}/mcp") as client:
        said = await client.call_tool("shout", {"text": "hello"})
        assert said.structured_content == {"said": "HELLO"}
        failed = await client.call_tool("fall", {"text": "x"})
        assert failed.is_error
        assert "the plugin votes failed (Raised)" in failed.content[0].text  # type: ignore[union-attr]
        assert "not today" not in str(failed.content)
        wrong = await client.call_tool("shout", {"words": "x"})
        assert wrong.is_error


async def test_an_end_point_gets_the_request_without_the_callers_key(dev: Dev) -> None:
    headers = {"Authorization": "Bearer slip-key", "X-Slipway-Caller": "somebody else", "Cookie": "a=b"}
    async with dev.client.post(f"{VOTES}/votes/r1?of=a&of=b", json={"stars": 5}, headers=headers) as response:
        answer = await response.json()
        assert response.status == 200
        assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert (answer["run"], answer["stars"], answer["query"]) == ("r1", 5, {"of": "b"})
    assert answer["headers"]["x-slipway-caller"] == "open|anonymous"
    assert {"authorization", "cookie"} & answer["headers"].keys() == set()


async def test_what_an_end_point_refuses_or_fails_with_is_told(dev: Dev) -> None:
    async with dev.client.post(f"{VOTES}/votes/r1", json={"stars": "many"}) as response:
        assert response.status == 422
    async with dev.client.get(f"{VOTES}/nowhere") as response:
        assert response.status == 404
    async with dev.client.get(f"{VOTES}/fails") as response:
        assert response.status == 500
    with pytest.raises(aiohttp.ClientPayloadError):
        async with dev.client.get(f"{VOTES}/breaks") as response:
            await response.read()
    assert (await dev.get("/openapi.json"))[0] == 200, "the pod goes on"


async def test_its_document_has_its_end_points_and_extensions(dev: Dev) -> None:
    status, document = await dev.get("/openapi.json")
    assert status == 200
    assert document["paths"]["/votes/{run}"]["post"]["x-kept-for"] == "30 days"
    assert document["x-owner"] == "web"


async def test_a_page_of_a_plugin_has_no_part_in_the_gateways_origin(dev: Dev) -> None:
    async with dev.client.get(f"{VOTES}/page") as response:
        assert response.headers["Content-Security-Policy"].startswith("sandbox ")


@pytest.mark.parametrize("path", ["/../../agents", "/%2e%2e/status", "/a%00b", "/" + "a" * 201])
async def test_no_path_leads_out_of_the_plugin(dev: Dev, path: str) -> None:
    from yarl import URL

    async with dev.client.get(URL(f"{dev.url}{VOTES}{path}", encoded=True)) as response:
        assert response.status == 404


async def test_its_metrics_are_there_as_long_as_it_is(dev: Dev) -> None:
    assert REGISTRY.get_sample_value("plugin_votes") == 7
    await dev.apply()
    assert REGISTRY.get_sample_value("plugin_votes") is None


async def test_a_plugin_elsewhere_has_no_end_points(dev: Dev) -> None:
    server = {"type": "mcp", "mcp": {"url": "https://mcp.example.com/mcp"}}
    metadata = {"name": "votes", "namespace": "demo"}
    await dev.apply({"apiVersion": "slipway.dev/v1alpha1", "kind": "Plugin", "metadata": metadata, "spec": server})
    status, problem = await dev.get("/votes")
    assert (status, problem["reason"]) == (404, "NotFound")
