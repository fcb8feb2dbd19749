"""The figures of the plugin agent-metrics, from metrics as hosts and gateways show them."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from aiohttp import web
from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

FILE = Path(__file__).parents[2] / "examples" / "plugins" / "agent-metrics" / "agent_metrics.py"


@pytest.fixture(scope="module")
def plugin() -> ModuleType:
    spec = importlib.util.spec_from_file_location("agent_metrics_example", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def registry() -> CollectorRegistry:
    """What two agents leave behind: a fast one that costs, and a slow one of whose five answers one failed."""
    made = CollectorRegistry()
    requests = Counter("slipway_gateway_requests", "", ["namespace", "agent", "code"], registry=made)
    runs = Counter("slipway_runs", "", ["agent", "outcome"], registry=made)
    seconds = Histogram("slipway_run_seconds", "", ["agent"], buckets=(0.1, 1, 10), registry=made)
    cost = Counter("slipway_model_cost_usd", "", ["agent", "model"], registry=made)
    tokens = Counter("slipway_model_tokens", "", ["agent", "model", "kind"], registry=made)
    for agent, count, took in (("fast", 10, 0.05), ("slow", 4, 5.0)):
        requests.labels("demo", agent, "200").inc(count)
        runs.labels(f"demo/{agent}", "done").inc(count)
        for _ in range(count):
            seconds.labels(f"demo/{agent}").observe(took)
    requests.labels("demo", "slow", "503").inc()
    runs.labels("demo/slow", "failed").inc()
    runs.labels("demo/slow", "cancelled").inc(7)
    cost.labels("demo/fast", "openai:gpt-5-mini").inc(0.5)
    tokens.labels("demo/fast", "openai:gpt-5-mini", "input").inc(1000)
    return made


def test_the_four_reports(plugin: ModuleType) -> None:
    reports = plugin.metrics_of(plugin.figures_of(registry().collect()))
    assert list(reports) == ["agent_usage", "response_times", "success_rates", "cost_analysis"]
    assert reports["agent_usage"]["demo/slow"] == {
        "requests": 5,
        "outcomes": {"done": 4, "failed": 1, "cancelled": 7},
        "tokens": {},
    }
    assert reports["agent_usage"]["demo/fast"]["tokens"] == {"input": 1000}
    assert reports["response_times"]["demo/slow"]["average"] == pytest.approx(5)
    assert reports["response_times"]["demo/slow"]["p50"] == pytest.approx(5.5), "in the middle of the bucket to 10 s"
    assert reports["response_times"]["demo/fast"]["p95"] == pytest.approx(0.095)
    assert reports["success_rates"]["demo/slow"] == {"answers": 5, "failed": 1, "rate": 0.8}
    assert reports["cost_analysis"] == {
        "total_usd": 0.5,
        "by_agent": {"demo/fast": 0.5, "demo/slow": 0},
        "by_model": {"openai:gpt-5-mini": 0.5},
    }


def test_answers_beyond_the_last_bucket_count_as_the_last_bound(plugin: ModuleType) -> None:
    made = CollectorRegistry()
    seconds = Histogram("slipway_run_seconds", "", ["agent"], buckets=(0.1, 1), registry=made)
    seconds.labels("demo/late").observe(100)
    assert plugin.figures_of(made.collect())["demo/late"].percentile(95) == 1


def test_agents_are_compared(plugin: ModuleType) -> None:
    figures = plugin.figures_of(registry().collect())
    compared = plugin.compared(figures, ["demo/fast", "demo/slow"])
    assert (compared["fastest"], compared["most_reliable"], compared["cheapest"]) == (
        "demo/fast",
        "demo/fast",
        "demo/slow",
    )
    assert compared["agents"]["demo/fast"]["usd_per_answer"] == pytest.approx(0.05)
    with pytest.raises(KeyError):
        plugin.compared(figures, ["demo/other"])


def test_without_any_figures_nothing_is_made_up(plugin: ModuleType) -> None:
    reports = plugin.metrics_of(plugin.figures_of([]))
    assert reports["cost_analysis"] == {"total_usd": 0, "by_agent": {}, "by_model": {}}
    assert plugin.compared({}, []) == {"agents": {}, "fastest": None, "most_reliable": None, "cheapest": None}
    nothing = plugin.AgentFigures()
    assert (nothing.success_rate, nothing.percentile(50)) == (None, None)


async def test_figures_of_other_processes_are_read_over_http(plugin: ModuleType) -> None:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry()))

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        sources = plugin.Sources([f"{url}/metrics", f"{url}/metrics"])
        figures: dict[str, Any] = await sources.figures()
        assert figures["demo/fast"].requests == 20, "of both hosts together"
        (point,) = sources.history
        assert point["agents"]["demo/slow"]["requests"] == 10
        with pytest.raises(HTTPException, match="correct sources"):
            await plugin.Sources([f"{url}/nothing"]).figures()
    finally:
        await runner.cleanup()
