"""Figures of agents: how much they are used, how fast and how reliable they are, and what they cost.

The figures are those of Slipway's Prometheus metrics. In a cluster they are of the pods of the namespace's agents, to
which `SLIPWAY_AGENT_METRICS` leads (`python.agentMetrics`), and go with them. With `slipway dev` they are of this
process, which answers the questions too. `config.sources` names other addresses, as that of a Prometheus.
"""

import asyncio
import json
import math
import os
import socket
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from fastapi import APIRouter, HTTPException
from prometheus_client import REGISTRY
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel, Field
from starlette.responses import HTMLResponse

from slipway_runtime.plugin_api import PluginMetadata, PluginTool, hookimpl, tool

MOST_BYTES = 32 * 1024 * 1024
SECONDS = 10.0
HISTORY = 720
HISTORY_SECONDS = 5.0
"""Between two points of a plot."""
PERCENTILES = (50, 95, 99)
EXTENSIONS = {
    "x-metrics-endpoints": ["/metrics", "/history", "/performance/compare"],
    "x-dashboard-url": "/dashboard",
}


class Comparison(BaseModel):
    """What is compared."""

    agents: list[str] = Field(
        default=[], max_length=50, description="As namespace/name; all that have figures if empty."
    )


@dataclass
class AgentFigures:
    """What the metrics say of one agent."""

    requests: float = 0
    outcomes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    buckets: dict[float, float] = field(default_factory=lambda: defaultdict(float))
    """Answers that took at most so many seconds."""
    seconds: float = 0
    cost: float = 0
    tokens: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    models: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """US dollars by model."""

    @property
    def answers(self) -> float:
        """Attempts that ended in an answer or a failure. What waits, or was cancelled, is neither."""
        return self.outcomes["done"] + self.outcomes["failed"]

    @property
    def success_rate(self) -> float | None:
        """Of 1; None without any answers."""
        return self.outcomes["done"] / self.answers if self.answers else None

    @property
    def timed(self) -> float:
        """Answers whose time is known."""
        return max(self.buckets.values(), default=0)

    def percentile(self, percent: int) -> float | None:
        """Seconds, between the bounds of a bucket as Prometheus's `histogram_quantile` has it; None without answers."""
        rank, below, low = self.timed * percent / 100, 0.0, 0.0
        if not rank:
            return None
        for bound, count in sorted(self.buckets.items()):
            if count >= rank:
                if math.isinf(bound):
                    return low
                return low + (bound - low) * (rank - below) / ((count - below) or 1)
            below, low = count, bound
        return low


def figures_of(families: Iterable[Metric]) -> dict[str, AgentFigures]:
    """Figures by `namespace/name`, from Slipway's metrics. Attempts are requests where the gateway's are not there."""
    found: dict[str, AgentFigures] = defaultdict(AgentFigures)
    for family in families:
        for sample in family.samples:
            labels, value = sample.labels, sample.value
            agent = labels.get("agent", "")
            match sample.name:
                case "slipway_gateway_requests_total":
                    found[f"{labels['namespace']}/{agent}"].requests += value
                case "slipway_runs_total":
                    found[agent].outcomes[labels["outcome"]] += value
                case "slipway_run_seconds_bucket":
                    found[agent].buckets[float(labels["le"])] += value
                case "slipway_run_seconds_sum":
                    found[agent].seconds += value
                case "slipway_model_cost_usd_total":
                    found[agent].cost += value
                    found[agent].models[labels["model"]] += value
                case "slipway_model_tokens_total":
                    found[agent].tokens[labels["kind"]] += value
    for figures in found.values():
        figures.requests = figures.requests or sum(figures.outcomes.values())
    return dict(sorted(found.items()))


def metrics_of(figures: Mapping[str, AgentFigures]) -> dict[str, Any]:
    """The four reports."""
    total = sum(each.cost for each in figures.values())
    models: dict[str, float] = defaultdict(float)
    for each in figures.values():
        for model, cost in each.models.items():
            models[model] += cost
    return {
        "agent_usage": {
            agent: {"requests": each.requests, "outcomes": dict(each.outcomes), "tokens": dict(each.tokens)}
            for agent, each in figures.items()
        },
        "response_times": {agent: times_of(each) for agent, each in figures.items()},
        "success_rates": {
            agent: {"answers": each.answers, "failed": each.outcomes["failed"], "rate": each.success_rate}
            for agent, each in figures.items()
        },
        "cost_analysis": {
            "total_usd": total,
            "by_agent": {agent: each.cost for agent, each in figures.items()},
            "by_model": dict(sorted(models.items())),
        },
    }


def times_of(figures: AgentFigures) -> dict[str, float | None]:
    """Seconds that answers took."""
    average = figures.seconds / figures.timed if figures.timed else None
    return {
        "answers": figures.timed,
        "average": average,
        **{f"p{each}": figures.percentile(each) for each in PERCENTILES},
    }


def compared(figures: Mapping[str, AgentFigures], agents: Iterable[str]) -> dict[str, Any]:
    """Agents side by side, and which one is best by what. Raises KeyError for one without figures."""
    rows = {
        agent: {
            "p95_seconds": figures[agent].percentile(95),
            "success_rate": figures[agent].success_rate,
            "usd_per_answer": figures[agent].cost / figures[agent].answers if figures[agent].answers else None,
            "answers": figures[agent].answers,
        }
        for agent in agents
    }

    def best(name: str, *, highest: bool = False) -> str | None:
        known = {agent: row[name] for agent, row in rows.items() if row[name] is not None}
        chosen = max if highest else min
        return chosen(known, key=lambda agent: known[agent] or 0.0) if known else None

    return {
        "agents": rows,
        "fastest": best("p95_seconds"),
        "most_reliable": best("success_rate", highest=True),
        "cheapest": best("usd_per_answer"),
    }


class Sources:
    """Where the metrics are, with the points of the plots so far."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(addresses)
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY)

    async def figures(self) -> dict[str, AgentFigures]:
        """The figures of now. Raises HTTPException: 502, if a source does not give them."""
        families = [each async for each in self._families()]
        figures = figures_of(families)
        self._keep(figures)
        return figures

    async def _families(self) -> AsyncIterator[Metric]:
        if not self._addresses:
            for family in await _of_agents():
                yield family
        for address in self._addresses:
            try:
                for family in text_string_to_metric_families(await _fetched(address)):
                    yield family
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                raise HTTPException(
                    502, f"{address} gives no metrics ({type(error).__name__}): correct sources"
                ) from error

    def _keep(self, figures: Mapping[str, AgentFigures]) -> None:
        now = time.time()
        if self.history and now - self.history[-1]["time"] < HISTORY_SECONDS:
            return
        agents = {
            agent: {"requests": each.requests, "p95": each.percentile(95), "cost": each.cost}
            for agent, each in figures.items()
        }
        self.history.append({"time": now, "agents": agents})


async def _of_agents() -> list[Metric]:
    """The metrics of the agents' pods, or of this process where no variable says where they are."""
    if not (where := os.environ.get("SLIPWAY_AGENT_METRICS")):
        return list(REGISTRY.collect())
    host, _, port = where.rpartition(":")
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except socket.gaierror:  # no agent is ready
        return []
    places = asyncio.Semaphore(16)

    async def of_pod(ip: str) -> list[Metric]:
        async with places:
            text = await _fetched(f"http://{f'[{ip}]' if ':' in ip else ip}:{port}/metrics")
        return list(text_string_to_metric_families(text))

    answers = await asyncio.gather(*map(of_pod, sorted({str(each[4][0]) for each in found})), return_exceptions=True)
    families = [family for each in answers if not isinstance(each, BaseException) for family in each]
    if not families:  # a pod that has just gone is left out, unless none is left
        raise HTTPException(502, "no agent's pod gives its metrics: look at the pods of your agents")
    return families


async def _fetched(address: str) -> str:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as response:
        response.raise_for_status()
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > MOST_BYTES:
                raise ValueError("too long")
        return content.decode()


@hookimpl
def slipway_metadata() -> PluginMetadata:
    """What the plugin is."""
    return PluginMetadata(
        name="agent_metrics",
        version="1.0.0",
        description="Usage, response times, success rates and cost of agents, with a dashboard.",
        author="Slipway",
        openapi_extensions=EXTENSIONS,
    )


@hookimpl
def slipway_router(config: Mapping[str, Any]) -> APIRouter:
    """Its endpoints, below `/plugins/{namespace}/{name}`."""
    router, sources = APIRouter(tags=["agent-metrics"]), Sources(config.get("sources") or ())

    @router.get("/metrics", openapi_extra={"x-metrics": True})
    async def metrics() -> dict[str, Any]:
        """Usage, response times, success rates and cost of all agents."""
        return metrics_of(await sources.figures())

    @router.get("/history", openapi_extra={"x-metrics": True})
    async def history() -> dict[str, Any]:
        """The points of the dashboard's plots. There is one for each look at the figures, 5 s apart at least."""
        await sources.figures()
        return {"points": list(sources.history)}

    @router.post("/performance/compare", openapi_extra={"x-metrics": True})
    async def compare(asked: Comparison) -> dict[str, Any]:
        """Agents side by side: which is the fastest, the most reliable and the cheapest."""
        figures = await sources.figures()
        try:
            return compared(figures, asked.agents or figures)
        except KeyError as error:
            raise HTTPException(404, f"there are no figures of {error.args[0]}: write it as namespace/name") from None

    @router.get("/dashboard", include_in_schema=False)
    async def dashboard() -> HTMLResponse:
        """The page with the plots. The figures are in it: pages of plugins may read nothing else from the gateway."""
        shown = {"metrics": metrics_of(await sources.figures()), "points": list(sources.history)}
        return HTMLResponse(PAGE.replace("FIGURES", json.dumps(shown).replace("<", "\\u003c")))

    return router


@hookimpl
def slipway_tools(config: Mapping[str, Any]) -> list[PluginTool]:
    """The same figures for models."""
    sources = Sources(config.get("sources") or ())

    @tool(read_only=True)
    async def agent_metrics() -> dict[str, Any]:
        """Usage, response times in seconds, success rates and cost in US dollars of all agents."""
        return metrics_of(await sources.figures())

    return [agent_metrics]


PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Agents</title>
<style>
  :root { color-scheme: light dark; --line: #8886; --first: #2f6fde; --second: #d9822b; }
  body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
  main { display: grid; gap: 1.5rem; grid-template-columns: repeat(auto-fit, minmax(26rem, 1fr)); }
  section { border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem 1rem; }
  h1 { font-size: 1.4rem; } h2 { font-size: 1rem; margin: 0 0 0.5rem; }
  .line { fill: none; stroke: var(--first); stroke-width: 2; } svg { display: block; width: 100%; }
  text { fill: currentColor; font-size: 12px; }
</style>
<h1>Agents</h1>
<main id="plots"></main>
<script id="figures" type="application/json">FIGURES</script>
<script>
"use strict";
const SVG = "http://www.w3.org/2000/svg";
const { metrics: found, points } = JSON.parse(document.getElementById("figures").textContent);

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function section(title, plot) {
  const made = document.createElement("section");
  const heading = document.createElement("h2");
  heading.textContent = title;
  made.append(heading, plot);
  return made;
}

function bars(rows, show) {
  const most = Math.max(...rows.map((row) => row.value), 0) || 1;
  const plot = element("svg", { viewBox: `0 0 480 ${rows.length * 26 || 20}`, role: "img" });
  rows.forEach((row, at) => {
    const width = (row.value / most) * 200;
    plot.append(
      element("text", { x: 0, y: at * 26 + 17 }, row.name),
      element("rect", { x: 190, y: at * 26 + 4, width, height: 18, rx: 3, fill: `var(--${row.tone || "first"})` }),
      element("text", { x: 196 + width, y: at * 26 + 17 }, show(row.value)),
    );
  });
  if (!rows.length) plot.append(element("text", { x: 0, y: 14 }, "No figures yet: ask an agent something."));
  return plot;
}

function lines(points) {
  const plot = element("svg", { viewBox: "0 0 480 160", role: "img" });
  const total = (point) => Object.values(point.agents).reduce((sum, each) => sum + each.requests, 0);
  const values = points.map(total);
  const [first, last] = [points[0].time, points[points.length - 1].time];
  const low = Math.min(...values), span = Math.max(...values) - low || 1;
  const place = (point, at) =>
    `${40 + ((point.time - first) / (last - first || 1)) * 430},${140 - ((values[at] - low) / span) * 120}`;
  plot.append(
    element("polyline", { points: points.map(place).join(" "), class: "line" }),
    element("text", { x: 0, y: 24 }, String(low + span)), element("text", { x: 0, y: 144 }, String(low)),
    element("text", { x: 40, y: 158 }, new Date(first * 1000).toLocaleTimeString()),
    element("text", { x: 470, y: 158, "text-anchor": "end" }, new Date(last * 1000).toLocaleTimeString()),
  );
  return plot;
}

const rows = (report, value, tone) =>
  Object.entries(report)
    .map(([name, each]) => ({ name, value: value(each), tone }))
    .filter((row) => row.value !== null);
const percent = (rate) => `${(rate * 100).toFixed(1)} %`;
const seconds = (value) => (value < 1 ? `${(value * 1000).toFixed(0)} ms` : `${value.toFixed(2)} s`);
const times = rows(found.response_times, (each) => each.p50).flatMap((row) => [
  { ...row, name: `${row.name} p50` },
  { name: `${row.name} p95`, value: found.response_times[row.name].p95, tone: "second" },
]);
document.getElementById("plots").replaceChildren(
  section("Requests", bars(rows(found.agent_usage, (each) => each.requests), String)),
  section("Response time", bars(times, seconds)),
  section("Success rate", bars(rows(found.success_rates, (each) => each.rate), percent)),
  section(`Cost: $${found.cost_analysis.total_usd.toFixed(4)}`,
    bars(rows(found.cost_analysis.by_agent, (each) => each), (cost) => `$${cost.toFixed(4)}`)),
  section("Requests over time", lines(points)),
);
setTimeout(() => location.reload(), 10000);
</script>
</html>
"""
