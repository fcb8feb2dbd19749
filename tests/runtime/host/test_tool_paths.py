"""The JSON paths of a host for what starts no run: for the gateway alone, and strict about what it is sent."""

from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.identity import HEADER, Caller, IdentitySigner
from tests.runtime.gateway.conftest import SUPPORT, StartHost
from tests.runtime.gateway.conftest import signer as signer
from tests.runtime.gateway.conftest import start_host as start_host
from tests.support.knowledge import Knowledge, contents, entry

PATHS = ["search", "document", "web-search", "analysis", "workflow"]
CALLER = Caller.by_key("alice")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("headers", "body", "status"), [(False, {}, 401), (True, {}, 422), (True, {"odd": 1}, 422)])
async def test_what_is_refused(
    start_host: StartHost, signer: IdentitySigner, path: str, headers: bool, body: Any, status: int
) -> None:
    _, url = await start_host()
    sent = {HEADER: signer.sign(CALLER, str(SUPPORT))} if headers else {}
    async with (
        aiohttp.ClientSession(url) as http,
        http.post(f"/agents/{SUPPORT}/{path}", json=body, headers=sent) as response,
    ):
        assert response.status == status, await response.text()


async def test_a_search_by_the_gateway(start_host: StartHost, signer: IdentitySigner, local: Knowledge) -> None:
    host, url = await start_host()
    await local.ingestion().run(contents(tea_md="# Tea\n\nGreen tea is brewed at eighty degrees.\n"))
    served = host.runs.agents[str(SUPPORT)]
    config = served.config.model_copy(update={"knowledge": (entry(),)})
    dependencies = AgentDependencies(database=local.database, embedder=local.embedder, vectors=lambda *_: local.vectors)
    host.serve([replace(served, config=config, tools=DirectTools(config, dependencies))])
    async with aiohttp.ClientSession(url, headers={HEADER: signer.sign(CALLER, str(SUPPORT))}) as http:
        async with http.post(f"/agents/{SUPPORT}/search", json={"query": "How hot is green tea?"}) as response:
            (passage,) = (await response.json())["passages"]
        place = {"knowledge": passage["index"], "source": passage["source"], "document": passage["document"]}
        async with http.post(f"/agents/{SUPPORT}/document", json=place) as response:
            document = await response.json()
    assert passage["text"] in document["text"]
    assert document["media_type"] == "text/markdown"
