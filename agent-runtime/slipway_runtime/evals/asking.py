"""Where the questions of an evaluation go: to an agent in this process, or to one behind a gateway."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import aiohttp

from slipway_crds.runtimeconfig import AgentConfig
from slipway_runtime.agents.factory import AgentDependencies, make_agent
from slipway_runtime.agents.protocol import Agent, close
from slipway_runtime.agents.steps import MemoryJournal, StepRun
from slipway_runtime.dev.agent_plugins import local_places, write_code
from slipway_runtime.dev.agents import agents_in
from slipway_runtime.dev.indexes import indexes_in
from slipway_runtime.dev.manifests import Manifests, load
from slipway_runtime.dev.model_files import LocalModelFiles
from slipway_runtime.dev.source_files import LocalSourceFiles
from slipway_runtime.evals.stores import cached_stores
from slipway_runtime.events import Done
from slipway_runtime.knowledge.ingestion.ingestion import Ingestion
from slipway_runtime.knowledge.retrieval.retriever import Retriever
from slipway_runtime.plugins.middleware.making import with_plugins
from slipway_runtime.run import AgentRequest
from slipway_runtime.store.sessions import FinishedTurn


class AgentUnusable(Exception):
    """There is no agent to ask, or it does not answer; the message says what to do."""


@dataclass(frozen=True)
class EvaluatedAnswer:
    """An answer as an evaluation looks at it."""

    answer: str
    abstained: bool
    documents: tuple[str, ...]
    """Names of the documents that were found (in this process) or cited (behind a gateway), best first."""
    contexts: tuple[str, ...]
    """The texts that were found, or the quotes."""
    seconds: float
    """How long the answer took."""


class Target(Protocol):
    """Something that answers."""

    async def ask(self, question: str, after: Sequence[str] = ()) -> EvaluatedAnswer:
        """Answer one question, in a conversation in which others were asked before."""
        ...


class LocalTarget:
    """An agent in this process."""

    def __init__(self, agent: Agent, config: AgentConfig, retriever: Retriever) -> None:
        self._agent = agent
        self._config = config
        self._retriever = retriever

    async def ask(self, question: str, after: Sequence[str] = ()) -> EvaluatedAnswer:
        """See `Target`. Retrieval is asked for by itself too, so that it can be judged where the agent abstains."""
        retrieved = await self._retriever.retrieve(question, self._config.knowledge)
        turns: list[FinishedTurn] = []
        for earlier in after:
            said = await self._answer(earlier, turns)
            turns.append(FinishedTurn(earlier, said.answer, said.abstained))
        began = time.perf_counter()
        done = await self._answer(question, turns)
        return EvaluatedAnswer(
            answer=done.answer,
            abstained=done.abstained,
            documents=tuple(dict.fromkeys(found.chunk.document for found in retrieved)),
            contexts=tuple(found.chunk.text for found in retrieved),
            seconds=time.perf_counter() - began,
        )

    async def _answer(self, question: str, turns: Sequence[FinishedTurn]) -> Done:
        return await self._agent.run(StepRun(AgentRequest(question, turns=tuple(turns)), MemoryJournal()))


@dataclass(frozen=True)
class GatewayTarget:
    """An agent behind a gateway."""

    http: aiohttp.ClientSession
    url: str

    async def ask(self, question: str, after: Sequence[str] = ()) -> EvaluatedAnswer:
        """See `Target`."""
        session: str | None = None
        for earlier in after:
            session = (await self._post(earlier, session))["session_id"]
        began = time.perf_counter()
        body = await self._post(question, session)
        sources = body["sources"]
        return EvaluatedAnswer(
            answer=body["answer"],
            abstained=body["abstained"],
            documents=tuple(dict.fromkeys(source["document"] for source in sources)),
            contexts=tuple(source["quote"] for source in sources),
            seconds=time.perf_counter() - began,
        )

    async def _post(self, question: str, session: str | None) -> Any:
        asked = {"question": question} | ({"session_id": session} if session else {})
        try:
            async with self.http.post(self.url, json=asked) as response:
                body = await response.json(content_type=None)
        except aiohttp.ClientError as error:
            raise AgentUnusable(f"{self.url} cannot be reached: {error}") from error
        if response.status != 200:
            raise AgentUnusable(f"{self.url} answered {response.status}: {body}")
        return body


@asynccontextmanager
async def gateway_target(url: str, agent: str, key: str | None) -> AsyncIterator[Target]:
    """The agent `namespace/name` behind the gateway at `url`."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=120)) as http:
        yield GatewayTarget(http, f"{url.rstrip('/')}/agents/{agent}/chat")


@asynccontextmanager
async def local_target(paths: Sequence[Path]) -> AsyncIterator[Target]:
    """The agent in the manifests, with its indexes ingested into the user's cache folder, one for each set of tables.

    Raises:
        AgentUnusable: if there is not exactly one agent in them, or a model of it has no key.
        NothingToIngest, ModelMissing, StoreUnavailable, VectorsUnavailable: if it cannot be made.
    """
    manifests = await asyncio.to_thread(load, paths)
    config = only_agent(manifests)
    async with AsyncExitStack() as stack:
        stores = await stack.enter_async_context(cached_stores("evals", paths))
        database, vectors, embedder = stores.database, stores.vectors, stores.embedder
        place = Path(stack.enter_context(TemporaryDirectory(prefix="slipway-eval-sources-")))
        source_files = LocalSourceFiles(place, os.environ)
        source_files.apply(manifests)
        for index in indexes_in(manifests):
            ingestion = Ingestion(index.config, database=database, vectors=vectors, embedder=embedder, patience=10)
            with index.open(source_files.of(index.key)) as sources:
                await ingestion.run(sources)
        files = LocalModelFiles(Path(stack.enter_context(TemporaryDirectory(prefix="slipway-eval-"))), os.environ)
        if missing := files.missing(manifests):
            raise AgentUnusable("; ".join(missing))
        files.apply(manifests)
        code = Path(stack.enter_context(TemporaryDirectory(prefix="slipway-eval-plugins-")))
        write_code(manifests, code)
        dependencies = AgentDependencies(
            database=database,
            embedder=embedder,
            vectors=lambda *_: vectors,
            bindings=files.of,
            plugins=local_places(code),
        )
        retriever = Retriever(config.namespace, database=database, embedder=embedder, vectors=lambda *_: vectors)
        agent = with_plugins(make_agent(config, dependencies), config, dependencies.plugins)
        stack.push_async_callback(close, agent)
        yield LocalTarget(agent, config, retriever)


def only_agent(manifests: Manifests) -> AgentConfig:
    """The one agent of the manifests.

    Raises:
        AgentUnusable: if there is none, or more than one.
    """
    agents = agents_in(manifests)
    if len(agents) != 1:
        names = ", ".join(f"{agent.namespace}/{agent.name}" for agent in agents) or "none"
        raise AgentUnusable(f"an evaluation needs manifests with one agent; these have: {names}")
    return agents[0]
