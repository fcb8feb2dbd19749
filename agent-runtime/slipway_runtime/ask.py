"""`slipway ask`: a question to a gateway from a terminal, and the answer with its citations."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import aiohttp
from rich.console import Console
from rich.markup import escape
from yarl import URL

from slipway_runtime.events import (
    Cancelled,
    Citation,
    Delta,
    Discarded,
    Done,
    Event,
    Failed,
    InputRequired,
    Restarted,
    Started,
    read,
)
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.terminal import Terminal

ANSWERED, FAILED = 0, 1
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Asking:
    """One question, and how to ask it. `agent` is `namespace/name`; None means the only one there is."""

    question: str
    url: str
    agent: str | None = None
    key: str | None = None
    session: str | None = None
    stream: bool = False


class CannotAsk(Exception):
    """There is no answer; the text says why and what to do."""


def main(asking: Asking) -> int:
    """Ask and print. 0 with an answer (an abstention is one), 1 without."""
    console = Terminal()
    return finished(asking, lambda: asyncio.run(_ask(asking, console)))


def finished(asking: Asking, act: Callable[[], None]) -> int:
    """The exit status of what asks a gateway: 0, or 1 after it was printed why not."""
    complaints = Terminal(stderr=True)
    try:
        act()
    except CannotAsk as error:
        complaints.print(str(error), markup=False)
        return FAILED
    except aiohttp.ClientError as error:
        complaints.print(f"{asking.url} cannot be reached ({error}): is the gateway running there?", markup=False)
        return FAILED
    except TimeoutError:
        complaints.print(f"{asking.url} did not answer within {TIMEOUT_SECONDS} s: its log says why", markup=False)
        return FAILED
    return ANSWERED


async def _ask(asking: Asking, console: Console) -> None:
    gateway, headers = gateway_url(asking), headers_for(asking.key)
    _named(asking)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(gateway, headers=headers, timeout=timeout) as session:
        agent = await agent_for(asking, session)
        body = {"question": asking.question} | ({"session_id": asking.session} if asking.session else {})
        accept = "text/event-stream" if asking.stream else "application/json"
        async with session.post(f"agents/{agent}/chat", json=body, headers={"Accept": accept}) as response:
            await check(response)
            if asking.stream:
                await _show_stream(_events(response), console)
            else:
                _show(await response.json(), console)


def gateway_url(asking: Asking) -> URL:
    """The gateway's URL, with the slash at the end that aiohttp wants of a path. Raises CannotAsk."""
    advice = "write --url like http://127.0.0.1:8080, with http:// or https:// and a host"
    try:
        url = URL(asking.url)
    except ValueError as error:
        raise CannotAsk(f"{asking.url!r} is not a gateway's URL ({error}): {advice}") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise CannotAsk(f"{asking.url!r} is not a gateway's URL: {advice}")
    if url.user and asking.key:
        raise CannotAsk("--url names a user and there is an API key too, but a request carries one of them: drop one")
    return url / ""


def headers_for(key: str | None) -> dict[str, str]:
    """Headers that carry an API key. Raises CannotAsk for one that no header can carry."""
    if key and not key.isprintable():
        raise CannotAsk("the API key holds a line break or a control character: give it as `slipway keys new` shows it")
    return {"Authorization": f"Bearer {key}"} if key else {}


def _named(asking: Asking) -> AgentKey | None:
    """The agent that is named. Raises CannotAsk for what is no name."""
    try:
        return AgentKey.parse(asking.agent) if asking.agent else None
    except ValueError as error:
        raise CannotAsk(f"--agent: {error}") from error


async def agent_for(asking: Asking, session: aiohttp.ClientSession) -> AgentKey:
    """The agent that is named, or the only one there is. Raises CannotAsk."""
    return _named(asking) or await _only_agent(session)


async def _only_agent(session: aiohttp.ClientSession) -> AgentKey:
    async with session.get("agents") as response:
        await check(response)
        agents = [AgentKey(agent["namespace"], agent["name"]) for agent in (await response.json())["agents"]]
    if len(agents) != 1:
        raise CannotAsk(f"say which agent with --agent: {', '.join(map(str, agents)) or 'there is none yet'}")
    return agents[0]


async def check(response: aiohttp.ClientResponse) -> None:
    """Raise CannotAsk, in the gateway's words, unless a response has an answer."""
    if response.status == 202:
        waiting: dict[str, Any] = await response.json()
        asked = waiting["input_required"]
        raise CannotAsk(
            f"the run waits for an input ({asked['kind']}): {asked.get('prompt', '')}\n"
            f"send it with POST to {waiting['answer_at']}, then read the answer at {waiting['run_at']}"
        )
    if response.ok:
        return
    try:
        problem: dict[str, Any] = await response.json(content_type=None)
        raise CannotAsk(f"{problem['reason']}: {problem['detail']}")
    except (json.JSONDecodeError, KeyError, TypeError):
        raise CannotAsk(f"{response.url} answered {response.status}: is this a Slipway gateway?") from None


async def _events(response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
    async for line in response.content:
        if line.startswith(b"data: "):
            yield read(json.loads(line[len(b"data: ") :]))


async def _show_stream(events: AsyncIterator[Event], console: Console) -> None:
    session = ""
    async for event in events:
        match event:
            case Started():
                session = event.session_id or ""
            case Delta(channel="answer"):
                console.print(event.text, end="", markup=False)
            case Restarted() | Discarded():
                console.print("\n[dim](what is above is void; the answer goes on:)[/]")
            case InputRequired():
                what = f"waiting for an input ({event.kind}, id {event.id}) from {', '.join(event.answerers)}"
                console.print(f"\n[dim]{escape(what)}: {escape(event.prompt or '')}[/]")
            case Done():
                console.print()
                show_sources(event.sources, console)
                _show_session(session, console)
                return
            case Failed() | Cancelled():
                raise CannotAsk(f"{event.reason}: {event.message}")
            case _:
                pass
    raise CannotAsk("the stream ended before the answer did: ask again")


def _show(answer: dict[str, Any], console: Console) -> None:
    console.print(answer["answer"], markup=False)
    show_sources(tuple(Citation.model_validate(source) for source in answer["sources"]), console)
    _show_session(answer["session_id"], console)


def show_sources(sources: tuple[Citation, ...], console: Console) -> None:
    """Print where an answer is from."""
    for number, source in enumerate(sources, 1):
        heading = f" > {source.heading}" if source.heading else ""
        page = f", page {source.page}" if source.page else ""
        where = f"{source.document}{heading}{page}, characters {source.start} to {source.end}"
        console.print(f"[cyan]\\[{number}][/] {escape(where)} [dim]({source.index}, {source.score:.2f})[/]")


def _show_session(session: str, console: Console) -> None:
    console.print(f"[dim]to go on: --session {escape(session)}[/]")
