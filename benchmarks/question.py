"""A simple question through the gateway, compared with the retrieval that it cannot do without, called in process.

Both use the same store and the same index, in turns, round by round. The gateway's and the host's CPU is what they say
of themselves in /metrics, less what the host says that the embedding model took. Each question opens a session in
Postgres, its events are committed, and every process sends its spans to a receiver.
"""

import statistics
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

from benchmarks import machine, stack
from benchmarks.asking import Ask, Timing, ask_all
from benchmarks.figures import BenchmarkFailed, BenchmarkReport, Figure, median_ratio
from benchmarks.processes import Running
from benchmarks.stack import StackParts
from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.evals.cases import CaseKind, load_cases
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.knowledge.vectors.servers import VectorServers
from slipway_runtime.settings import default_model_dir
from slipway_runtime.store.opening import open_database

CONCURRENCY = (1, 8)
WARM_UP = 100
P95_BAR_MS = 100.0
CPU_BAR_MS = 12.0


@dataclass(frozen=True)
class QuestionSize:
    """How much is measured."""

    rounds: int
    questions: int
    """Per round, way and concurrency."""


FULL, REDUCED = QuestionSize(rounds=5, questions=300), QuestionSize(rounds=2, questions=40)


@dataclass
class Rounds:
    """One way of asking, at each number in flight: a Timing a round."""

    timings: dict[int, list[Timing]] = field(default_factory=lambda: {number: [] for number in CONCURRENCY})

    def ms(self, in_flight: int, percent: float) -> list[float]:
        """A percentile of each round, in milliseconds."""
        return [timing.ms(percent) for timing in self.timings[in_flight]]


@dataclass(frozen=True)
class Costs:
    """CPU of an answer, in milliseconds."""

    gateway: float
    host: float
    embedding: float


async def measure(*, reduced: bool, wait: float) -> BenchmarkReport:
    """Run the benchmark. `wait`: seconds that may be waited for a quiet machine once all is set up."""
    size = REDUCED if reduced else FULL
    async with AsyncExitStack() as entered:
        made = await entered.enter_async_context(stack.parts())
        host = await entered.enter_async_context(stack.host(made))
        gateway = await entered.enter_async_context(stack.gateway(made))
        stack.route(made, host)
        through = await entered.enter_async_context(asking(gateway, made.agent))
        in_process = await entered.enter_async_context(retrieving(made))
        questions = await simple_questions(through)
        for ask in (through, in_process):
            await ask_all(ask, questions, count=WARM_UP, in_flight=max(CONCURRENCY))
        load = await machine.quiet(wait)
        ours, theirs, costs = await _rounds(
            through, in_process, questions=questions, size=size, host=host, gateway=gateway
        )
        rss = host.usage().rss, gateway.usage().rss
        await _check(made, at_least=size.rounds * size.questions * len(CONCURRENCY))
    return machine.report(
        "question",
        _figures(ours, theirs, costs, rss),
        load_before=load,
        reduced=reduced,
        packages=("onnxruntime", "fastapi", "starlette", "uvicorn", "aiohttp", "asyncpg", "chromadb"),
        notes=[
            f"{size.rounds} rounds of {size.questions} questions each way and each number in flight; times are medians "
            "of the rounds' percentiles. The client, Postgres, Chroma, the host and the gateway share the cores."
        ],
    )


async def _rounds(
    through: Ask, in_process: Ask, *, questions: list[str], size: QuestionSize, host: Running, gateway: Running
) -> tuple[Rounds, Rounds, Costs]:
    ours, theirs = Rounds(), Rounds()
    costs: list[Costs] = []
    for _ in range(size.rounds):
        for in_flight in CONCURRENCY:
            before = gateway.usage(), host.usage()
            timing = await ask_all(through, questions, count=size.questions, in_flight=in_flight)
            after = gateway.usage(), host.usage()
            ours.timings[in_flight].append(timing)
            embedding = after[1].embedding - before[1].embedding
            per_answer = 1e3 / size.questions
            costs.append(
                Costs(
                    gateway=(after[0].cpu - before[0].cpu) * per_answer,
                    host=(after[1].cpu - before[1].cpu - embedding) * per_answer,
                    embedding=embedding * per_answer,
                )
            )
            timing = await ask_all(in_process, questions, count=size.questions, in_flight=in_flight)
            theirs.timings[in_flight].append(timing)
    return ours, theirs, _median(costs)


def _median(costs: list[Costs]) -> Costs:
    return Costs(
        gateway=statistics.median(each.gateway for each in costs),
        host=statistics.median(each.host for each in costs),
        embedding=statistics.median(each.embedding for each in costs),
    )


@asynccontextmanager
async def asking(gateway: Running, agent: AgentConfig) -> AsyncIterator[Ask]:
    """Asks through the gateway; a question that is not answered ends the benchmark."""
    path = f"/agents/{agent.namespace}/{agent.name}/chat"
    headers = {"Authorization": f"Bearer {stack.KEY}"}
    async with aiohttp.ClientSession(gateway.url, headers=headers) as client:

        async def ask(question: str) -> object:
            async with client.post(path, json={"question": question}) as response:
                if response.status != 200:
                    raise BenchmarkFailed(f"the gateway answered {response.status}: {await response.text()}")
                return await response.json()

        yield ask


@asynccontextmanager
async def retrieving(made: StackParts) -> AsyncIterator[Ask]:
    """Retrieves in this process, from the same index."""
    async with AsyncExitStack() as entered:
        database = await open_database(made.dsn)
        entered.push_async_callback(database.close)
        embedder = MiniLM(default_model_dir())
        entered.push_async_callback(embedder.close)
        vectors = VectorServers(made.chroma_url)
        entered.push_async_callback(vectors.close)
        retriever = Retriever(made.agent.namespace, database=database, embedder=embedder, vectors=vectors)

        async def ask(question: str) -> object:
            return await retriever.retrieve(question, made.agent.knowledge)

        yield ask


async def simple_questions(ask: Ask) -> list[str]:
    """The handbook's answerable questions that are answered: to abstain would be cheaper."""
    asked = [case.question for case in load_cases([stack.HANDBOOK]) if case.kind is CaseKind.ANSWERABLE]
    answers = {question: await ask(question) for question in asked}
    answered = [question for question, body in answers.items() if isinstance(body, dict) and not body["abstained"]]
    if not answered:
        raise BenchmarkFailed("the agent abstains on every question; `make eval` shows more")
    return answered


async def _check(made: StackParts, *, at_least: int) -> None:
    """That sessions were written and traces were sent, as is claimed."""
    database = await open_database(made.dsn)
    try:
        sessions = int((await database.fetch("SELECT count(*) AS many FROM sessions"))[0]["many"] or 0)
    finally:
        await database.close()
    if sessions < at_least:
        raise BenchmarkFailed(f"{sessions} sessions are in the store after {at_least} questions")
    services = {span.service for span in made.traces.spans}
    if not {"slipway-gateway", "slipway-host"} <= services:
        raise BenchmarkFailed(f"spans came from {sorted(services)} only")


def _figures(ours: Rounds, theirs: Rounds, costs: Costs, rss: tuple[float, float]) -> list[Figure]:
    shared = (
        f"gateway, host and embedder take {costs.gateway + costs.host + costs.embedding:.1f} ms of CPU an answer; the "
        "client, Postgres and Chroma take theirs from the same cores"
    )
    figures = []
    for number in CONCURRENCY:
        for percent in (50, 95):
            bar, note = (P95_BAR_MS, shared) if (number, percent) == (8, 95) else (None, "")
            mine, bare = ours.ms(number, percent), theirs.ms(number, percent)
            where = f"p{percent}, {number} in flight"
            figures += [
                Figure(f"through the gateway, {where}", statistics.median(mine), "ms", bar, note),
                Figure(f"retrieval in process, {where}", statistics.median(bare), "ms"),
                Figure(f"ratio, {where}", median_ratio(mine, bare), "times"),
            ]
    rates = [timing.per_second for timing in ours.timings[8]]
    return [*figures, Figure("answers a second, 8 in flight", statistics.median(rates), ""), *_cost_figures(costs, rss)]


def _cost_figures(costs: Costs, rss: tuple[float, float]) -> list[Figure]:
    ours = "CPU an answer, gateway and host without the embedder's"
    return [
        Figure(ours, costs.gateway + costs.host, "ms", CPU_BAR_MS, "tracing and session writes are on"),
        Figure("CPU an answer, gateway", costs.gateway, "ms"),
        Figure("CPU an answer, host without the embedder's", costs.host, "ms"),
        Figure("CPU an answer, embedder", costs.embedding, "ms"),
        Figure("memory of the host at the end", rss[0], "MiB"),
        Figure("memory of the gateway at the end", rss[1], "MiB"),
    ]
