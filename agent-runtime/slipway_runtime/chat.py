"""`slipway chat`: a conversation with an agent in a terminal, shown while it is made."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import orjson
from rich.console import Group, RenderableType
from rich.live import Live
from rich.markdown import Markdown
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from slipway_runtime.ask import (
    ANSWERED,
    FAILED,
    TIMEOUT_SECONDS,
    Asking,
    CannotAsk,
    agent_for,
    check,
    gateway_url,
    headers_for,
    show_sources,
)
from slipway_runtime.events import (
    Cancelled,
    Decision,
    Discarded,
    Done,
    Event,
    EventId,
    Failed,
    InputRequired,
    Progress,
    Restarted,
    ToolCall,
    ends,
    read,
)
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.terminal import Terminal

HELP = "[dim]/new begins another conversation, /quit or Ctrl-D ends it[/]"
REFRESH_PER_SECOND = 12
Read = Callable[[str], str]


def main(asking: Asking, *, prompt: Read | None = None) -> int:
    """Talk until the user leaves. 0 then, 1 if the gateway cannot be used.

    Args:
        asking: `question` is the first one; empty to begin with the prompt.
        prompt: reads a line; raises EOFError at the end.
    """
    console, complaints = Terminal(soft_wrap=False), Terminal(stderr=True)
    try:
        asyncio.run(_talk(asking, console, prompt or _prompt(console)))
    except CannotAsk as error:
        complaints.print(str(error), markup=False)
        return FAILED
    except aiohttp.ClientError as error:
        complaints.print(f"{asking.url} cannot be reached ({error}): is the gateway running there?", markup=False)
        return FAILED
    except KeyboardInterrupt:
        console.print()
    return ANSWERED


def _prompt(console: Terminal) -> Read:
    with suppress(ImportError):
        import readline  # noqa: F401 (gives `input` a history and keys to edit with)
    return lambda text: console.input(f"[bold cyan]{escape(text)}[/] ")


async def _talk(asking: Asking, console: Terminal, prompt: Read) -> None:
    timeout = aiohttp.ClientTimeout(total=None, sock_read=TIMEOUT_SECONDS)
    async with aiohttp.ClientSession(gateway_url(asking), headers=headers_for(asking.key), timeout=timeout) as session:
        agent = await agent_for(asking, session)
        console.print(f"[bold]{escape(str(agent))}[/]  {HELP}")
        question: str | None = asking.question or await _line(prompt)
        while question is not None:
            match question:
                case "/quit" | "/exit":
                    return
                case "/new":
                    asking = replace(asking, session=None)
                    console.print("[dim]another conversation[/]")
                case _ if question.strip():
                    try:
                        turn = _Turn(session, agent, console, prompt)
                        asking = replace(asking, session=await turn.ask(question, asking.session))
                    except (CannotAsk, TimeoutError) as error:
                        console.print(f"[red]{escape(str(error) or 'no answer in time: ask again')}[/]")
            question = await _line(prompt)


async def _line(prompt: Read) -> str | None:
    try:
        return await asyncio.to_thread(prompt, ">")
    except EOFError:
        return None


@dataclass
class _Turn:
    """One question and its answer."""

    session: aiohttp.ClientSession
    agent: AgentKey
    console: Terminal
    prompt: Read
    transcript: Transcript = field(default_factory=Transcript)
    notes: list[str] = field(default_factory=list)
    last: Event | None = None
    last_id: str = ""

    async def ask(self, question: str, session_id: str | None) -> str | None:
        """Ask, show the answer, and return the conversation to go on with."""
        body = {"question": question} | ({"session_id": session_id} if session_id else {})
        path, stream = f"agents/{self.agent}", {"Accept": "text/event-stream"}
        async with self.session.post(f"{path}/chat", json=body, headers=stream) as response:
            await check(response)
            await self._show(response)
        while self.last is None and (asked := self.transcript.asked) is not None:
            run = EventId.parse(self.last_id).run
            await self._answer(run, asked)
            resume = {**stream, "Last-Event-ID": self.last_id}
            async with self.session.get(f"{path}/runs/{run}", headers=resume) as response:
                await check(response)
                await self._show(response)
        match self.last:
            case Done() as done:
                show_sources(done.sources, self.console)
                self._show_cost(done)
            case Failed() | Cancelled() as event:
                raise CannotAsk(f"{event.reason}: {event.message}")
            case _:
                raise CannotAsk("the stream ended before the answer did: ask again")
        started = self.transcript.started
        return started.session_id if started else session_id

    async def _show(self, response: aiohttp.ClientResponse) -> None:
        if not self.console.is_terminal:
            await self._read(response, lambda: None)
            self.console.print(self.transcript.text, markup=False)
            return
        spinner = Spinner("dots")
        with Live(spinner, console=self.console, refresh_per_second=REFRESH_PER_SECOND, transient=False) as live:
            await self._read(response, lambda: live.update(self._view(spinner)))
            live.update(self._view(None))

    async def _read(self, response: aiohttp.ClientResponse, changed: Callable[[], None]) -> None:
        async for event in self._events(response):
            match event:
                case Decision():
                    chosen = event.decision.get("chosen_agent")
                    self.notes = [f"{chosen}: {event.decision.get('reason', '')}"] if chosen else self.notes
                case ToolCall():
                    self.notes = [*self.notes, f"uses {event.name}"]
                case Progress():
                    self.notes = [*self.notes[:-1], event.text]
                case Restarted() | Discarded():
                    self.notes = [*self.notes, "begins anew"]
            self.transcript.add(event)
            changed()
            if ends(event):
                self.last = event
                return
            if isinstance(event, InputRequired):
                return

    async def _events(self, response: aiohttp.ClientResponse) -> AsyncIterator[Event]:
        async for line in response.content:
            if line.startswith(b"id: "):
                self.last_id = line[len(b"id: ") :].decode().strip()
            elif line.startswith(b"data: "):
                yield read(orjson.loads(line[len(b"data: ") :]))

    def _view(self, spinner: Spinner | None) -> RenderableType:
        parts: list[RenderableType] = [Text(note, style="dim") for note in self.notes]
        if self.transcript.text:
            parts.append(Markdown(self.transcript.text))
        return Group(*parts, *([spinner] if spinner is not None else []))

    async def _answer(self, run: str, asked: InputRequired) -> None:
        """Ask the user what the run waits for."""
        self.console.print(f"[yellow]{escape(asked.prompt or f'The agent asks for {asked.kind}.')}[/]")
        for call in asked.calls or ():
            self.console.print(f"  {call.get('name')} {orjson.dumps(call.get('args', {})).decode()}", markup=False)
        if asked.kind != "approval":
            where = f"/agents/{self.agent}/runs/{run}/input/{asked.id}"
            raise CannotAsk(f"the run waits for a {asked.kind}, which this command cannot send: POST it to {where}")
        reply = await _approval(self.prompt)
        url = f"agents/{self.agent}/runs/{run}/input/{asked.id}"
        async with self.session.post(url, json={"approved": reply}) as response:
            await check(response)

    def _show_cost(self, done: Done) -> None:
        used: list[dict[str, Any]] = (self.transcript.usage or {}).get("models", [])
        for each in used:
            cost = f", ${each['cost']}" if each.get("cost") is not None else ""
            tokens = f"{each['input_tokens']} tokens in, {each['output_tokens']} out"
            self.console.print(f"[dim]{escape(each['model'])}: {tokens}{cost}[/]")
        if done.grounded is False:
            self.console.print("[dim]without a source[/]")


async def _approval(prompt: Read) -> bool:
    try:
        return (await asyncio.to_thread(prompt, "approve? [y/N]")).strip().lower() in ("y", "yes")
    except EOFError:
        return False
