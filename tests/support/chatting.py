"""Asking an agent through a gateway, many times at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from slipway_runtime.events import Delta
from tests.support.chat import STREAM, Transcript, events

AGENT = "demo/handbook"
QUESTION = "What happens to a conversation when a pod is killed?"
CANDIDATES = (
    QUESTION,
    "What is a revision?",
    "What happens when a pod is drained?",
    "How does the gateway choose a pod?",
    "How is the store's password made?",
    "What does the operator do with Secrets?",
    "Does it matter in which order I apply the manifests?",
)
"""Questions to choose from where a test needs an answer of several sentences, or of one."""


def chat_path(agent: str = AGENT) -> str:
    return f"/agents/{agent}/chat"


async def ask(
    client: aiohttp.ClientSession, question: str = QUESTION, *, agent: str = AGENT, session_id: str | None = None
) -> dict[str, Any]:
    """The JSON answer; fails the test with what came instead."""
    body = {"question": question, **({"session_id": session_id} if session_id else {})}
    async with client.post(chat_path(agent), json=body) as response:
        assert response.status == 200, f"{response.status} {await response.text()}"
        answer: dict[str, Any] = await response.json()
        return answer


async def longest(client: aiohttp.ClientSession) -> tuple[str, str]:
    """The candidate with the most sentences in its answer, and that answer: a stream of it stays open for a while."""
    question, answer = max((await _answers(client)).items(), key=lambda each: len(each[1]["sources"]))
    assert len(answer["sources"]) >= 2, "no candidate has an answer of two sentences: add one that has"
    return question, str(answer["answer"])


async def shortest(client: aiohttp.ClientSession) -> str:
    """The candidate with the fewest sentences in its answer: many of it are answered in a while."""
    return min((await _answers(client)).items(), key=lambda each: len(each[1]["sources"]) or 9)[0]


async def _answers(client: aiohttp.ClientSession) -> dict[str, dict[str, Any]]:
    found = await asyncio.gather(*(ask(client, question) for question in CANDIDATES))
    return dict(zip(CANDIDATES, found, strict=True))


@dataclass(frozen=True)
class Refusal:
    """An answer that is a problem."""

    status: int
    retry_after: str | None
    reason: str


async def ask_or_refusal(
    client: aiohttp.ClientSession, question: str = QUESTION, *, agent: str = AGENT
) -> dict[str, Any] | Refusal:
    """The JSON answer, or what was said instead."""
    async with client.post(chat_path(agent), json={"question": question}) as response:
        body: dict[str, Any] = await response.json(content_type=None)
        if response.status == 200:
            return body
        return Refusal(response.status, response.headers.get("Retry-After"), str(body.get("reason")))


async def reachable(client: aiohttp.ClientSession) -> bool:
    """Whether a question is answered, over a connection that may be refused or reset until then."""
    try:
        return not isinstance(await ask_or_refusal(client), Refusal)
    except aiohttp.ClientConnectionError:
        return False


class OpenStream:
    """A stream that has begun to answer, read on in the background."""

    def __init__(self, client: aiohttp.ClientSession, question: str, *, agent: str = AGENT) -> None:
        self.transcript = Transcript()
        self.answering = asyncio.Event()
        """Set once the first piece of the answer is here."""
        self._task = asyncio.create_task(self._read(client, question, agent))

    async def _read(self, client: aiohttp.ClientSession, question: str, agent: str) -> None:
        async with client.post(chat_path(agent), json={"question": question}, headers=STREAM) as response:
            assert response.status == 200, f"{response.status} {await response.text()}"
            async for number, event in events(response):
                self.transcript.events.append((number, event))
                if isinstance(event, Delta):
                    self.answering.set()

    async def begun(self) -> None:
        """Wait for the first piece of the answer; an error before it is raised here."""
        waiting = asyncio.create_task(self.answering.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if self._task.done():
            self._task.result()

    async def whole(self) -> Transcript:
        """The stream to its end."""
        await self._task
        return self.transcript


async def open_streams(
    client: aiohttp.ClientSession, count: int, question: str, *, agent: str = AGENT
) -> list[OpenStream]:
    """Streams that are all answering at the same time."""
    streams = [OpenStream(client, question, agent=agent) for _ in range(count)]
    await asyncio.gather(*(stream.begun() for stream in streams))
    return streams


class Traffic:
    """Questions asked one after the other by several clients, until told to stop."""

    def __init__(self, client: aiohttp.ClientSession, agent: str, question: str) -> None:
        self.answers: list[dict[str, Any] | Refusal] = []
        self._client = client
        self._agent, self._question = agent, question
        self._stopping = asyncio.Event()

    async def ask_until_stopped(self) -> None:
        while not self._stopping.is_set():
            self.answers.append(await ask_or_refusal(self._client, self._question, agent=self._agent))

    def stop(self) -> None:
        self._stopping.set()


@asynccontextmanager
async def traffic(
    client: aiohttp.ClientSession, clients: int, *, agent: str = AGENT, question: str = QUESTION
) -> AsyncIterator[Traffic]:
    """Traffic for as long as the block runs; an error of any client is raised at its end."""
    made = Traffic(client, agent, question)
    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(made.ask_until_stopped())
        try:
            yield made
        finally:
            made.stop()


@asynccontextmanager
async def streaming(client: aiohttp.ClientSession, clients: int, question: str) -> AsyncIterator[list[Transcript]]:
    """So many streams open at any time for as long as the block runs: whoever has an answer opens the next stream.

    Yields the transcripts, which are added as they end; an error of any client is raised at the end.
    """
    transcripts: list[Transcript] = []
    stopping = asyncio.Event()

    async def stream_until_stopped(first: OpenStream) -> None:
        transcripts.append(await first.whole())
        while not stopping.is_set():
            transcripts.append(await OpenStream(client, question).whole())

    opened = await open_streams(client, clients, question)
    async with asyncio.TaskGroup() as group:
        for stream in opened:
            group.create_task(stream_until_stopped(stream))
        try:
            yield transcripts
        finally:
            stopping.set()
