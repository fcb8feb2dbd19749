"""What fail-over adds to a call that a provider refused, and what each provider's SDK costs a host.

Providers are stand-ins in processes of their own, which answer at once. The SDKs are the real ones. Answers are
streamed.
"""

import asyncio
import gc
import logging
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pydantic_ai.messages import ModelMessage, ModelRequest, UserPromptPart
from pydantic_ai.models import ModelRequestParameters

from benchmarks import machine
from benchmarks.figures import BenchmarkFailed, BenchmarkReport, Figure, percentile
from slipway_crds.runtimeconfig import AgentBindings, ModelConfig
from slipway_runtime.models import Models
from slipway_runtime.models.breaker import CircuitBreaker
from tests.support.models import agent_config

FAILOVER_BAR_MS = 20.0
CALLS, REDUCED_CALLS = 300, 20
WARM_UP = 10
IMPORTS = 5
FAULTS = ("rate_limited", "server_error", "refused_key", "cut_clean")
PROVIDERS = ("openai", "anthropic", "google", "bedrock")
PROBE = """
import sys, time
import psutil
import slipway_runtime.models
before, memory = time.process_time(), psutil.Process().memory_info().rss
from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime.models.providers import Connection, make_model, no_key
make_model(Connection(ModelConfig(name="a", provider=sys.argv[1], model="a"), no_key))
print(time.process_time() - before, (psutil.Process().memory_info().rss - memory) / 2**20)
"""


@asynccontextmanager
async def provider(*options: str, module: str = "tests.support.model_server") -> AsyncIterator[str]:
    """A stand-in for a provider; its base URL."""
    command = (sys.executable, "-m", module, *options)
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.terminate()
        await process.wait()


def models(*urls: str) -> Models:
    """The models of an agent, in this order. Their breakers never open, so that each call is made."""
    entries = [
        ModelConfig(name=f"m{number}", provider="openai-compatible", model="m", base_url=url)
        for number, url in enumerate(urls)
    ]
    return Models(agent_config(*entries), AgentBindings, breaker=lambda *key: CircuitBreaker(*key, failures=10**9))


async def ask(made: Models) -> float:
    """Ask once, and read the whole answer. Milliseconds."""
    began = time.perf_counter()
    messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart("Who?")])]
    async with made.for_role(None).request_stream(messages, None, ModelRequestParameters()) as stream:
        async for _ in stream:
            pass
        if stream.get().state != "complete":
            raise BenchmarkFailed("the answer of the stand-in was not whole; run it again")
    return (time.perf_counter() - began) * 1000


async def compare(refusing: str, good: str, calls: int) -> tuple[list[float], list[float], list[float]]:
    """Milliseconds of calls that the first model answers; how much longer calls take that it refuses; and how much more
    CPU of this process, in milliseconds. Calls of both kinds alternate."""
    direct, failing = models(good), models(refusing, good)
    plain: list[float] = []
    added: list[float] = []
    cpu: list[float] = []
    try:
        for number in range(WARM_UP + calls):
            clocks = [time.process_time()]
            one = await ask(direct)
            clocks.append(time.process_time())
            two = await ask(failing)
            clocks.append(time.process_time())
            if number >= WARM_UP:
                plain.append(one)
                added.append(two - one)
                cpu.append((clocks[2] - 2 * clocks[1] + clocks[0]) * 1000)
    finally:
        await direct.close()
        await failing.close()
    return plain, added, cpu


def sdk(name: str, times: int) -> tuple[float, float]:
    """CPU seconds and MiB that the first model of a provider costs a process that has none yet."""
    command = [sys.executable, "-W", "ignore", "-c", PROBE, name]
    found = [
        [float(each) for each in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()]
        for _ in range(times)
    ]
    return min(seconds for seconds, _ in found), statistics.median(memory for _, memory in found)


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine once all is set up."""
    calls = REDUCED_CALLS if reduced else CALLS
    figures: list[Figure] = []
    logging.getLogger("slipway_runtime.models").setLevel(logging.ERROR)  # each failure is a warning
    async with provider() as good:
        load = await machine.quiet(wait)
        gc.collect()
        gc.freeze()  # as a host does once it is warm
        for fault in FAULTS:
            async with provider("--fault", fault) as refusing:
                plain, added, cpu = await compare(refusing, good, calls)
            if not figures:
                figures.append(Figure("a call that the first model answers, median", statistics.median(plain), "ms"))
            figures += [
                Figure(f"added by a first model that fails ({fault}), median", statistics.median(added), "ms"),
                Figure(
                    f"added by a first model that fails ({fault}), p95", percentile(added, 95), "ms", FAILOVER_BAR_MS
                ),
                Figure(f"CPU added by a first model that fails ({fault}), median", statistics.median(cpu), "ms"),
            ]
    for name in PROVIDERS:
        seconds, memory = sdk(name, 1 if reduced else IMPORTS)
        figures += [
            Figure(f"CPU of the first model, {name}", seconds, "s", note="import of the SDK included, least of five"),
            Figure(f"memory of the first model, {name}", memory, "MiB"),
        ]
    return machine.report(
        "models",
        figures,
        load_before=load,
        reduced=reduced,
        packages=("pydantic-ai-slim", "openai", "anthropic", "google-genai", "boto3"),
        notes=["What is added includes the refused request itself, to a server that refuses at once."],
    )
