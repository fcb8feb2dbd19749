"""What each architecture costs on top of its framework, with a model that answers at once, and what a host takes.

Questions go through the gateway to a host as a pod runs it: sessions are written, events are committed, spans are sent,
callers show a key. The same work is done by the bare framework in this process, in turns, round by round. No agent has
documents: what retrieval costs is in the benchmark `question`. Sockets, models and SDKs are the same on both sides.
"""

import gc
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from benchmarks import machine, models, stack
from benchmarks.asking import Ask, Timing, ask_all
from benchmarks.bare_frameworks import BARE, bare
from benchmarks.figures import BenchmarkReport, Figure
from benchmarks.processes import ProcessUsage, Running
from benchmarks.question import asking
from benchmarks.stack import StackParts
from slipway_crds.runtimeconfig import AgentConfig, ModelConfig
from tests.support.models import agent_config, entry

CONCURRENCY = (1, 8, 32)
CPU_BAR_MS = 10.0
P95_BAR_MS = 30.0
P95_BAR_AT = 8
RSS_BAR_MIB = 150.0
"""Of a host without the embedding model, apart from what its provider's SDK takes."""
WARM_UP = 40
QUESTION = "How do I pause an agent?"
PROVIDERS = ("anthropic", "google", "bedrock")
"""Besides OpenAI's SDK, which the others' hosts have."""


@dataclass(frozen=True)
class ArchitecturesSize:
    """How much is measured."""

    rounds: int
    questions: int
    """Per round, way and concurrency."""
    starts: int


FULL, REDUCED = (
    ArchitecturesSize(rounds=5, questions=160, starts=3),
    ArchitecturesSize(rounds=2, questions=32, starts=1),
)


@dataclass
class Compared:
    """Ours and the bare framework, side by side, a value a round."""

    ours: dict[int, list[Timing]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    theirs: dict[int, list[Timing]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})
    our_cpu: list[float] = field(default_factory=list)
    """Of gateway and host without the embedder, in milliseconds an answer."""
    their_cpu: list[float] = field(default_factory=list)

    def added(self, in_flight: int, percent: float) -> float:
        """What we add to a percentile, in milliseconds: the median of the rounds."""
        pairs = zip(self.ours[in_flight], self.theirs[in_flight], strict=True)
        return statistics.median(mine.ms(percent) - bare.ms(percent) for mine, bare in pairs)

    def cpu(self) -> float:
        """What we add to an answer's CPU, in milliseconds: the median of the rounds."""
        return statistics.median(mine - bare for mine, bare in zip(self.our_cpu, self.their_cpu, strict=True))


def agents(architecture: str, url: str, provider: str = "openai-compatible") -> list[AgentConfig]:
    """The agent that is asked, and its member if it is an orchestrator."""
    models: tuple[ModelConfig, ...] = (entry(url, provider, seconds=60),)
    member = agent_config(*models).model_copy(update={"architecture": "pydantic-ai", "name": "member", "in_flight": 64})
    if architecture == "orchestrator":
        return [member.model_copy(update={"architecture": architecture, "name": "lead", "models": ()}), member]
    return [member.model_copy(update={"architecture": architecture})]


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine once all is set up."""
    size = REDUCED if reduced else FULL
    figures: list[Figure] = []
    async with AsyncExitStack() as entered:
        made = await entered.enter_async_context(stack.parts(ingested=False))
        url = await entered.enter_async_context(models.provider(module="benchmarks.instant_model"))
        gateway = await entered.enter_async_context(stack.gateway(made))
        load = await machine.quiet(wait)
        gc.collect()
        gc.freeze()  # as a host does once it is warm
        for architecture in BARE:
            async with (
                serving(made, gateway, agents(architecture, url)) as (host, through),
                bare(architecture, url) as in_process,
            ):
                compared = await compare(through, in_process, size, (gateway, host))
            figures += _figures(architecture, compared)
        for architecture in BARE:
            figures += await host_figures(made, gateway, architecture, url, size.starts)
        for provider in PROVIDERS:
            figures += await host_figures(
                made, gateway, "pydantic-ai", url.removesuffix("/v1"), size.starts, provider=provider
            )
    return machine.report(
        "architectures",
        figures,
        load_before=load,
        reduced=reduced,
        packages=("pydantic-ai-slim", "langgraph", "openai", "anthropic", "google-genai", "boto3"),
        notes=[
            f"{size.rounds} rounds of {size.questions} questions each way and each number in flight; medians of the "
            "rounds' differences. CPU is that of gateway and host, without the embedder's, less the bare framework's "
            "in this process. The client, the model's stand-in, Postgres and both ways share the cores.",
            f"Starts and memory: medians of {size.starts} starts, bytecode compiled; memory after {WARM_UP} questions.",
        ],
    )


@asynccontextmanager
async def serving(
    made: StackParts, gateway: Running, agents: Sequence[AgentConfig]
) -> AsyncIterator[tuple[Running, Ask]]:
    """A host with these agents, and what asks the first of them through the gateway."""
    first, *members = agents
    async with stack.host(made, *agents, gateway_url=gateway.url) as host:
        stack.route(made, host, first, members=[each.name for each in members])
        if members:
            stack.route(made, host, *members)
        async with asking(gateway, first) as ask:
            yield host, ask


async def compare(through: Ask, in_process: Ask, size: ArchitecturesSize, processes: Sequence[Running]) -> Compared:
    """Ask both ways in turns."""
    found = Compared()
    for ask in (through, in_process):
        await ask_all(ask, [QUESTION], count=WARM_UP, in_flight=P95_BAR_AT)
    for _ in range(size.rounds):
        for number in CONCURRENCY:
            before = cpu(processes)
            found.ours[number].append(await ask_all(through, [QUESTION], count=size.questions, in_flight=number))
            found.our_cpu.append((cpu(processes) - before) * 1e3 / size.questions)
            before = time.process_time()
            found.theirs[number].append(await ask_all(in_process, [QUESTION], count=size.questions, in_flight=number))
            found.their_cpu.append((time.process_time() - before) * 1e3 / size.questions)
    return found


def cpu(processes: Sequence[Running]) -> float:
    """Seconds that they have used, without the embedding model's."""
    return sum(usage.cpu - usage.embedding for usage in (process.usage() for process in processes))


def _figures(architecture: str, found: Compared) -> list[Figure]:
    theirs = statistics.median(found.their_cpu)
    figures = [
        Figure(f"CPU an answer, {architecture}, bare framework", theirs, "ms"),
        Figure(f"CPU an answer, {architecture}, added", found.cpu(), "ms", CPU_BAR_MS),
    ]
    for number in CONCURRENCY:
        bar = P95_BAR_MS if number == P95_BAR_AT else None
        figures.append(Figure(f"p95 added, {architecture}, {number} in flight", found.added(number, 95), "ms", bar))
    return figures


async def host_figures(
    made: StackParts, gateway: Running, architecture: str, url: str, starts: int, *, provider: str = "openai-compatible"
) -> list[Figure]:
    """CPU until ready, and memory once it has answered. The bar counts where there is no embedding model."""
    sdk = "openai" if provider == "openai-compatible" else provider
    ready: list[ProcessUsage] = []
    used: list[ProcessUsage] = []
    for _ in range(starts + 1):
        async with serving(made, gateway, agents(architecture, url, provider)) as (host, ask):
            ready.append(host.usage())
            await ask_all(ask, [QUESTION], count=WARM_UP, in_flight=P95_BAR_AT)
            used.append(host.usage())
    _, of_sdk = models.sdk(sdk, starts)
    bar = None if architecture == "orchestrator" else RSS_BAR_MIB + of_sdk
    what = f"{architecture}, {sdk}"
    return [
        Figure(f"CPU until ready, {what}", statistics.median(each.cpu for each in ready[1:]), "s"),
        Figure(
            f"memory of a host, {what}",
            statistics.median(each.rss for each in used[1:]),
            "MiB",
            bar,
            "with the embedding model" if bar is None else f"{RSS_BAR_MIB:g} MiB and {of_sdk:.0f} MiB of the SDK",
        ),
    ]
