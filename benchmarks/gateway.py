"""What the gateway adds to a call of an MCP server's tool: directly, through our gateway, and through ContextForge.

One process each on the loopback interface, one client, the same server. Our gateway is the command of a cluster, with
API keys, groups and metrics on. ContextForge is measured as it is installed, with its rate limits lifted, where
`CONTEXTFORGE_PYTHON` names the Python of an environment that has it (`make bench-gateway` makes one).
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import psutil

from benchmarks import machine
from benchmarks.figures import BenchmarkFailed, BenchmarkReport, Figure, percentile
from benchmarks.processes import answers, environment, running
from slipway_runtime.gateway.plugins.source import PLUGINS_PATH
from tests.support.fake_kubernetes import FakeKubernetes
from tests.support.gateway_process import KEY, GatewayProcess
from tests.support.servers import free_port

ADDED_BAR_MS, CPU_BAR_MS = 1.0, 0.6
CALLS, REDUCED_CALLS = 2000, 100
ROUNDS = 3
CONCURRENCY = 16
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@dataclass(frozen=True)
class Way:
    """How the tool is called."""

    name: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    process: psutil.Process | None = None
    """In between."""

    async def call(self, http: aiohttp.ClientSession) -> None:
        """Once. Raises BenchmarkFailed for an answer that is none."""
        async with http.post(self.url, data=self.body, headers=self.headers) as response:
            text = await response.text()
            if response.status != 200 or "hello" not in text or '"error"' in text:
                raise BenchmarkFailed(f"{self.name} answered {response.status}: {text[:300]}")


@dataclass
class Measured:
    """Milliseconds of single calls, calls a second of many, and milliseconds of CPU time for each of them."""

    singles: list[float]
    rate: float = 0.0
    cpu: float = 0.0


def address() -> str:
    """One of this machine's that is not a loopback one: the gateway of a cluster connects to none of those."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("10.255.255.255", 9))
        except OSError as error:
            raise BenchmarkFailed("this machine has no address besides the loopback ones") from error
        return str(probe.getsockname()[0])


@asynccontextmanager
async def upstream(folder: Path) -> AsyncIterator[str]:
    """The server's URL."""
    host, port = address(), free_port()
    command = (sys.executable, "-m", "benchmarks.mcp_upstream", host, str(port))
    log = folder / "upstream.log"
    async with running(command, env=environment(), url=f"http://{host}:{port}", log=log, ready=_listens):
        yield f"http://{host}:{port}/mcp"


def _listens(url: str) -> bool:
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def modern(url: str, name: str, **headers: str) -> Way:
    """A call as a client of 2026-07-28 makes it."""
    params = {"name": "echo", "arguments": {"text": "hello"}, "_meta": META}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    of_mcp = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": "echo"}
    return Way(name, url, {**JSON, **of_mcp, **headers}, body)


@asynccontextmanager
async def our_gateway(server: str, folder: Path) -> AsyncIterator[Way]:
    """Ours, with a Plugin for the server."""
    cluster = FakeKubernetes(free_port())
    await cluster.start()
    spec = {"type": "mcp", "mcp": {"url": server}}
    cluster.apply(PLUGINS_PATH, {"metadata": {"namespace": "demo", "name": "tools"}, "spec": spec})
    gateway = GatewayProcess(folder, cluster, SLIPWAY_PLUGIN_NETWORKS=f"{address()}/32")
    try:
        way = modern(f"{gateway.url}/plugins/demo/tools/mcp", "our gateway", **{"X-API-Key": KEY})
        async with aiohttp.ClientSession(gateway.url) as http, asyncio.timeout(60):
            while not await _works(way, http):  # noqa: ASYNC110 (another process does not wake us)
                await asyncio.sleep(0.1)
        yield Way(way.name, way.url, way.headers, way.body, psutil.Process(gateway.process.pid))
    finally:
        gateway.process.kill()
        gateway.process.wait(30)
        await cluster.stop()


async def _works(way: Way, http: aiohttp.ClientSession) -> bool:
    try:
        await way.call(http)
    except (BenchmarkFailed, aiohttp.ClientError):
        return False
    return True


CONTEXTFORGE = {
    "AUTH_REQUIRED": "true",
    "JWT_SECRET_KEY": "a-key-of-this-benchmark-that-is-long-enough",
    "AUTH_ENCRYPTION_SECRET": "another-key-of-this-benchmark-long-enough",
    "SSRF_ALLOW_LOCALHOST": "true",
    "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
    "RATE_LIMITING_ENABLED": "false",
    "TOOL_RATE_LIMIT": "100000000",
    "LOG_LEVEL": "ERROR",
}

FIRST_START_SECONDS = 600.0
"""ContextForge compiles all of its modules and makes its tables before it answers."""


@asynccontextmanager
async def contextforge(python: str, server: str, folder: Path) -> AsyncIterator[Way]:
    """ContextForge with the server registered, and a session of its own era."""
    port = free_port()
    env = environment(**CONTEXTFORGE, DATABASE_URL=f"sqlite:///{folder}/mcp.db", PORT=str(port))
    command = (python, "-m", "uvicorn", "mcpgateway.main:app", "--host", "127.0.0.1", "--port", str(port))
    make = ("-m", "mcpgateway.utils.create_jwt_token", "--username", "admin@example.com", "--admin")
    url = f"http://127.0.0.1:{port}"
    log = folder / "contextforge.log"
    async with running(
        command, env=env, url=url, log=log, ready=lambda at: answers(f"{at}/health"), deadline=FIRST_START_SECONDS
    ):
        secret = CONTEXTFORGE["JWT_SECRET_KEY"]
        made = await asyncio.to_thread(
            subprocess.run, [python, *make, "--secret", secret], env=env, capture_output=True, text=True, check=True
        )
        headers = {"Authorization": f"Bearer {made.stdout.strip().splitlines()[-1]}"}
        async with aiohttp.ClientSession(url, headers=headers) as http:
            await _registered(http, server)
            session = await _session(http)
            tool = await _tool(http, session)
        body = json.dumps(_request("tools/call", name=tool, arguments={"text": "hello"})).encode()
        process = next(
            each
            for each in psutil.process_iter(["cmdline"])
            if str(port) in (each.info["cmdline"] or []) and "mcpgateway.main:app" in each.info["cmdline"]
        )
        yield Way("ContextForge", f"{url}/mcp/", {**JSON, **headers, **session}, body, process)


def _request(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


async def _registered(http: aiohttp.ClientSession, server: str) -> None:
    gateway = {"name": "bench", "url": server, "transport": "STREAMABLEHTTP"}
    async with http.post("/gateways", json=gateway) as response:
        if response.status not in (200, 201):
            raise BenchmarkFailed(f"ContextForge did not take the server: {(await response.text())[:500]}")


async def _session(http: aiohttp.ClientSession) -> dict[str, str]:
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
    async with http.post("/mcp/", json=_request("initialize", **params), headers=JSON) as response:
        session = response.headers.get("Mcp-Session-Id")
        await response.read()
    return {"MCP-Protocol-Version": "2025-11-25"} | ({"Mcp-Session-Id": session} if session else {})


async def _tool(http: aiohttp.ClientSession, session: dict[str, str]) -> str:
    """ContextForge's name of the tool."""
    async with http.post("/mcp/", json=_request("tools/list"), headers={**JSON, **session}) as response:
        text = await response.text()
    data = next((line[5:] for line in text.splitlines() if line.startswith("data:")), text)
    tools = json.loads(data).get("result", {}).get("tools", [])
    if not tools:
        raise BenchmarkFailed(f"ContextForge lists no tools: {text[:300]}")
    return str(tools[0]["name"])


async def measured(way: Way, calls: int) -> Measured:
    """Calls one after the other, then many at a time."""
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector) as http:
        for _ in range(20):
            await way.call(http)
        singles = []
        for _ in range(calls // 4):
            began = time.perf_counter()
            await way.call(http)
            singles.append((time.perf_counter() - began) * 1000)
        before, began = _cpu(way), time.perf_counter()
        left = iter(range(calls))

        async def work() -> None:
            for _ in left:
                await way.call(http)

        await asyncio.gather(*(work() for _ in range(CONCURRENCY)))
        seconds = time.perf_counter() - began
        return Measured(singles, calls / seconds, (_cpu(way) - before) / calls * 1000)


def _cpu(way: Way) -> float:
    if way.process is None:
        return 0.0
    times = way.process.cpu_times()
    return float(times.user + times.system)


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """All ways in turn, in several rounds, so that what else the machine does hits each of them."""
    load_before = await machine.quiet(wait)
    calls, python = REDUCED_CALLS if reduced else CALLS, os.environ.get("CONTEXTFORGE_PYTHON", "")
    notes = [] if python else ["ContextForge was not measured: run `make bench-gateway`."]
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="slipway-bench-")))
        server = await stack.enter_async_context(upstream(folder))
        ways = [modern(server, "direct"), await stack.enter_async_context(our_gateway(server, folder))]
        if python:
            ways.append(await stack.enter_async_context(contextforge(python, server, folder)))
        rounds = [[await measured(way, calls) for way in ways] for _ in range(1 if reduced else ROUNDS)]
    figures = figures_of([way.name for way in ways], rounds)
    return machine.report(
        "gateway", figures, load_before=load_before, reduced=reduced, packages=("mcp", "aiohttp"), notes=notes
    )


def figures_of(names: list[str], rounds: list[list[Measured]]) -> list[Figure]:
    """The best round of each way: what else the machine did makes others worse, never better."""
    made: list[Figure] = []
    direct = min(percentile(each[0].singles, 50) for each in rounds)
    for number, name in enumerate(names):
        of_it = [each[number] for each in rounds]
        p50 = min(percentile(each.singles, 50) for each in of_it)
        ours = name == "our gateway"
        made.append(Figure(f"p50 of single calls, {name}", p50, "ms"))
        if number:
            made.append(Figure(f"added to the p50, {name}", p50 - direct, "ms", ADDED_BAR_MS if ours else None))
            cpu = min(each.cpu for each in of_it)
            made.append(Figure(f"CPU for a call, {name}", cpu, "ms", CPU_BAR_MS if ours else None))
        made.append(Figure(f"calls a second, {CONCURRENCY} at a time, {name}", max(each.rate for each in of_it), ""))
    return made
