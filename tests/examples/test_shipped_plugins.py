"""The plugins of `examples/plugins`, as they are shipped, over `slipway dev`."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from mcp import Client
from mcp_types import TextContent

from slipway_runtime.authoring.packing import CODE_FILE, PLUGIN_FILE, pack
from tests.support import npm
from tests.support.dev_process import DevProcess
from tests.support.search_server import SearchServer, search_server
from tests.support.servers import free_port
from tests.support.waiting import until

EXAMPLES = Path(__file__).parents[2] / "examples"
PLUGINS = ("agent-metrics", "feedback", "web-search")
BROWSER = EXAMPLES.parent / "tests" / "support" / "browser"
QUESTION = "How many days of leave does an employee have?"


@dataclass
class Running:
    """A `slipway dev` over the team of agents and the plugins."""

    url: str
    web: SearchServer

    async def json(self, method: str, path: str, *, status: int = 200, **given: Any) -> Any:
        async with aiohttp.ClientSession(self.url) as client, client.request(method, path, **given) as response:
            assert response.status == status, await response.text()
            return await response.json()

    async def ask(self, agent: str = "people") -> dict[str, Any]:
        answer: dict[str, Any] = await self.json("POST", f"/agents/demo/{agent}/chat", json={"question": QUESTION})
        return answer


async def ready(dev: DevProcess) -> str:
    """Where it serves, once it has loaded the plugins."""
    url = await dev.url()
    for name in PLUGINS:
        await until(partial(dev.says, rf"plugin demo/{name} .*: \d tool"), f"{name} is loaded")
    return url


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("shipped")
    with search_server() as web:
        files = [*sorted((EXAMPLES / "team").glob("*.yaml"))]
        files += [EXAMPLES / "plugins" / name / file for name in PLUGINS for file in (PLUGIN_FILE, CODE_FILE)]
        text = "\n---\n".join(file.read_text() for file in files)
        dev = DevProcess(folder, "--port", str(free_port()), TMPDIR=str(folder))
        dev.replace(text.replace("http://localhost:8888", web.url))
        dev.start()
        try:
            yield Running(asyncio.run(ready(dev)), web)
        finally:
            dev.stop()


@pytest.mark.parametrize("name", PLUGINS)
def test_the_manifest_has_the_code_and_its_digest(name: str, tmp_path: Path) -> None:
    for source in filter(Path.is_file, (EXAMPLES / "plugins" / name).iterdir()):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    pack(tmp_path)
    for file in (PLUGIN_FILE, CODE_FILE):
        shipped = EXAMPLES / "plugins" / name / file
        assert (tmp_path / file).read_text() == shipped.read_text(), (
            f"run `slipway plugin pack examples/plugins/{name}`"
        )


async def test_agent_metrics_shows_what_agents_did(running: Running) -> None:
    await running.ask("people")
    await running.ask("concierge")
    path = "/plugins/demo/agent-metrics"
    metrics = await running.json("GET", f"{path}/metrics")
    assert list(metrics) == ["agent_usage", "response_times", "success_rates", "cost_analysis"]
    assert metrics["agent_usage"]["demo/concierge"]["requests"] >= 1
    assert metrics["success_rates"]["demo/people"]["rate"] == 1
    assert metrics["response_times"]["demo/people"]["p95"] > 0
    compared = await running.json("POST", f"{path}/performance/compare", json={"agents": ["demo/people"]})
    assert compared["fastest"] == "demo/people"
    await running.json("POST", f"{path}/performance/compare", json={"agents": ["demo/nobody"]}, status=404)
    document = await running.json("GET", "/openapi.json")
    said = {each["name"]: each["metadata"] for each in document["x-plugins"]}
    assert said["agent-metrics"]["name"] == "agent_metrics"
    assert document["x-dashboard-url"] == f"{path}/dashboard"
    assert f"{path}/metrics" in document["x-metrics-endpoints"]


async def test_the_dashboard_has_plots_of_real_figures(running: Running, tmp_path: Path) -> None:
    await running.ask("people")
    home = await asyncio.to_thread(npm.installed, BROWSER)
    url, shot = f"{running.url}/plugins/demo/agent-metrics/dashboard", str(tmp_path / "dashboard.png")
    environment = {"TMPDIR": str(home)}
    out = await npm.output_of(BROWSER, "dashboard.mjs", url, shot, seconds=120, environment=environment)
    seen = json.loads(out)
    assert seen["errors"] == [], "the page breaks its own Content-Security-Policy, or its script fails"
    plots = {each["title"].partition(":")[0]: each for each in seen["plots"]}
    assert list(plots) == ["Requests", "Response time", "Success rate", "Cost", "Requests over time"]
    requests = dict(zip(plots["Requests"]["texts"][::2], plots["Requests"]["texts"][1::2], strict=True))
    metrics = await running.json("GET", "/plugins/demo/agent-metrics/metrics")
    assert int(requests["demo/people"]) == metrics["agent_usage"]["demo/people"]["requests"]
    assert max(plots["Requests"]["bars"]) == 200
    assert plots["Requests over time"]["points"]


async def test_feedback_keeps_what_answers_were_worth(running: Running) -> None:
    answer, path = await running.ask(), "/plugins/demo/feedback"
    rating = {"run_id": answer["run_id"], "agent": "demo/people", "rating": 2, "comment": "too short"}
    await running.json("POST", f"{path}/ratings", json=rating, status=201)
    await running.json("POST", f"{path}/ratings", json={**rating, "rating": 4}, status=201)
    await running.json("POST", f"{path}/ratings", json={**rating, "run_id": "other", "rating": 5}, status=201)
    await running.json("POST", f"{path}/ratings", json={**rating, "rating": 6}, status=422)
    found = (await running.json("GET", f"{path}/ratings", params={"agent": "demo/people"}))["ratings"]
    assert [(each["run_id"], each["rating"]) for each in found] == [("other", 5), (answer["run_id"], 4)]
    assert (await running.json("GET", f"{path}/ratings", params={"agent": "demo/devices"}))["ratings"] == []
    assert (await running.json("GET", f"{path}/summary"))["agents"] == {"demo/people": {"ratings": 2, "average": 4.5}}


async def test_web_search_finds_pages(running: Running) -> None:
    async with Client(f"{running.url}/plugins/demo/web-search/mcp") as client:
        result = await client.call_tool("search", {"query": "kettles"})
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert json.loads(block.text)[0]["url"] == "https://tea.example/kettles"
    assert "kettles" in str(running.web.asked[-1])
