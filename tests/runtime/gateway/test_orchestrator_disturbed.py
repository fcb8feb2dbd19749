"""An orchestrator over a real gateway and real hosts, while members, hosts, connections or models fail."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime import retrying
from slipway_runtime.agents import calling
from slipway_runtime.agents.metrics import REPEATED
from slipway_runtime.events import Delta, Discarded, Done
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from tests.runtime.gateway.conftest import Front, StartHost
from tests.support.chat import STREAM, Transcript, events
from tests.support.model_server import Reply, model_server
from tests.support.orchestrated import (
    CHAT,
    CHOICE,
    LEAD,
    LEAVE,
    StartTeam,
    publish,
    start_team,
)
from tests.support.scripted_host import Options, spawn, words
from tests.support.servers import free_port
from tests.support.team import add, answers, lead_config
from tests.support.team import orchestrator as hosted_orchestrator
from tests.support.waiting import until, until_async

__all__ = ["start_team"]


async def test_a_member_killed_in_the_middle_leaves_one_whole_answer(
    start_team: StartTeam, store_dsn: str, signer: IdentitySigner
) -> None:
    team = await start_team()
    pods = [
        Options(store_dsn, signer.public_key, free_port(), f"hr-{n}", ("demo/hr",), delta_delay=0.05) for n in (1, 2)
    ]
    processes = [spawn(pod) for pod in pods]
    try:
        urls = [f"http://127.0.0.1:{pod.port}" for pod in pods]
        for url in urls:
            await until_async(lambda url=url: alive(team.front, url), "the pod is up")  # type: ignore[misc]
        team.front.routes.set(AgentKey("demo", "hr"), urls)
        publish(team.front, ["hr"])
        async with team.front.client.post(CHAT, json={"question": "say 60 words"}, headers=STREAM) as response:
            stream = events(response)
            seen = Transcript()
            while sum(isinstance(event, Delta) for _, event in seen.events) < 5:
                seen.events.append(await anext(stream))
            busy = max(team.front.routes.endpoints(AgentKey("demo", "hr")), key=lambda endpoint: endpoint.in_flight)
            processes[urls.index(busy.url)].kill()
            seen.events += [each async for each in stream]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    seen.assert_whole("".join(words(60)))
    assert any(isinstance(event, Discarded) and event.reason == "MemberRestarted" for _, event in seen.events)


async def alive(front: Front, url: str) -> bool:
    try:
        async with front.client.get(f"{url}/readyz") as response:
            return response.status == 200
    except OSError:
        return False


async def test_whoever_takes_the_orchestrators_run_over_asks_nobody_twice(
    start_team: StartTeam, start_host: StartHost, signer: IdentitySigner, embedder: MiniLM, stack: AsyncExitStack
) -> None:
    go_on = asyncio.Event()

    async def slowly(run: Any) -> Done:
        await go_on.wait()
        return await answers("28 ", "days.")(run)

    team = await start_team(hr=slowly)
    hosts = [await start_host(name=name, agents=()) for name in ("one", "two")]
    for host, _ in hosts:
        add(host, hosted_orchestrator(lead_config(Options("", signer.public_key)), team.front.url, embedder, stack))
    team.front.routes.set(LEAD, [hosts[0][1]])
    asking = asyncio.create_task(team.ask(**LEAVE))
    await until(lambda: bool(team.members["hr"].asked), "the member is asked")
    team.front.routes.set(LEAD, [hosts[1][1]])
    await hosts[0][0].runs.hand_over()
    await until(lambda: hosts[1][0].runs.in_flight == 1, "another host has the run")
    go_on.set()
    status, answer = await asking
    assert (status, answer["answer"], answer["agent_used"]) == (200, "28 days.", "demo/hr")
    assert len(team.members["hr"].asked) == 1
    assert len(await team.runs("hr")) == 1


async def test_a_decision_by_a_model_that_is_made_again_is_counted(
    start_team: StartTeam, start_host: StartHost, signer: IdentitySigner, embedder: MiniLM, stack: AsyncExitStack
) -> None:
    counted = REPEATED.labels(str(LEAD))._value.get()
    with model_server([Reply(fault="hang"), CHOICE]) as server:
        team = await start_team(hr=answers("?"), it=answers("28 ", "days."))
        lead = lead_config(Options("", signer.public_key), models=by_model(server.base_url))
        hosts = [await start_host(name=name, agents=()) for name in ("one", "two")]
        for host, _ in hosts:
            add(host, hosted_orchestrator(lead, team.front.url, embedder, stack))
        team.front.routes.set(LEAD, [hosts[0][1]])
        asking = asyncio.create_task(team.ask(**LEAVE))
        await until(lambda: bool(server.requests), "the model is asked")
        team.front.routes.set(LEAD, [hosts[1][1]])
        await hosts[0][0].runs.hand_over()
        status, answer = await asking
    assert (status, answer["agent_used"], len(server.requests)) == (200, "demo/it", 2)
    assert REPEATED.labels(str(LEAD))._value.get() - counted == 1


@dataclass
class CuttingWay:
    """See `cutting_proxy`."""

    target: str
    left: int
    cut: Callable[[], object]
    passed_on: Callable[[bytes], object]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.removeprefix("http://").partition(":")
        there, here = await asyncio.open_connection(host, int(port))
        pumping = asyncio.create_task(_pump(reader, here))
        try:
            await self._back(there, writer)
        finally:
            pumping.cancel()
            for each in (writer, here):
                each.close()

    async def _back(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        passed = b""
        while data := await there.read(65536):
            self.passed_on(data)
            writer.write(data)
            passed += data
            await writer.drain()
            if self.left and b"event: delta" in passed:
                self.left -= 1
                if isinstance(waiting := self.cut(), Awaitable):
                    await waiting
                return


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def cutting_proxy(
    target: str, *, cuts: int, cut: Callable[[], object] = bool, passed_on: Callable[[bytes], object] = bool
) -> AsyncIterator[str]:
    """A way to the gateway that breaks the first connections after a few hundred bytes of a stream.

    Args:
        cut: called before each break, and awaited where there is something to await.
        passed_on: called with what the gateway sends.
    """
    server = await asyncio.start_server(CuttingWay(target, cuts, cut, passed_on).serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


@pytest.mark.parametrize("silence", [0.0, 1.1], ids=["at once", "after a silence longer than the patience"])
async def test_a_connection_that_breaks_is_taken_up_where_it_was(
    start_team: StartTeam, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch, silence: float
) -> None:
    monkeypatch.setattr(retrying, "delay", lambda _: 0.01)
    monkeypatch.setattr(calling, "PATIENCE_SECONDS", 1.0)
    port = free_port()
    proxy = await stack.enter_async_context(
        cutting_proxy(f"http://127.0.0.1:{port}", cuts=2, cut=lambda: asyncio.sleep(silence))
    )
    pieces = [f"piece {number} " for number in range(30)]
    team = await start_team(gateway_url=proxy, hr=answers(*pieces))
    forward = await stack.enter_async_context(relay(port, team.front.url))
    assert forward
    stream = await team.stream(**LEAVE)
    stream.assert_whole("".join(pieces))
    assert len(team.members["hr"].asked) == 1
    deltas = [event.text for _, event in stream.events if isinstance(event, Delta)]
    assert deltas == pieces, "each once"


async def test_a_gateway_that_starts_anew_ends_no_call(
    start_team: StartTeam, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It listens before it knows any agent."""
    monkeypatch.setattr(retrying, "delay", lambda _: 0.01)
    port = free_port()
    refusals: list[bytes] = []

    def forget() -> None:
        team.front.routes.listed = False
        team.front.routes.replace({})

    def learn_after_a_refusal(data: bytes) -> None:
        if team.front.routes.listed or b'"reason"' not in data:
            return
        refusals.append(data)
        team.front.routes.replace({LEAD: [host], AgentKey("demo", "hr"): [host]})
        publish(team.front, ["hr"])
        team.front.routes.listed = True

    proxy = await stack.enter_async_context(
        cutting_proxy(f"http://127.0.0.1:{port}", cuts=1, cut=forget, passed_on=learn_after_a_refusal)
    )
    team = await start_team(gateway_url=proxy, hr=answers("28 ", "days."))
    host = team.front.routes.endpoints(LEAD)[0].url
    await stack.enter_async_context(relay(port, team.front.url))
    status, answer = await team.ask(**LEAVE)
    assert (status, answer.get("answer"), len(team.members["hr"].asked)) == (200, "28 days.", 1), answer
    assert len(refusals) == 1


@asynccontextmanager
async def relay(port: int, target: str) -> AsyncIterator[bool]:
    """Passes a port on to a URL that is not known beforehand."""
    host, _, to = target.removeprefix("http://").partition(":")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, here = await asyncio.open_connection(host, int(to))

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            while data := await source.read(65536):
                sink.write(data)
                await sink.drain()
            sink.close()

        try:
            await asyncio.gather(pump(reader, here), pump(there, writer), return_exceptions=True)
        finally:
            for each in (here, writer):
                each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield True
    finally:
        server.close()


def by_model(base_url: str) -> tuple[ModelConfig, ...]:
    return (ModelConfig(name="m", provider="openai-compatible", model="router", base_url=base_url),)


async def test_a_model_chooses_better_and_rules_choose_where_it_cannot(start_team: StartTeam) -> None:
    def script(asked: Any) -> str | Reply:
        return "no choice at all" if "broken" in json.dumps(asked.body["messages"]) else CHOICE

    with model_server(script) as server:
        team = await start_team(models=by_model(server.base_url), hr=answers("hr ", "says"), it=answers("it ", "says"))
        _, answer = await team.ask(**LEAVE)
        decision = answer["orchestration"]
        assert (answer["agent_used"], decision["reason"]) == ("demo/it", "The question is about a device.")
        assert (decision["confidence"], decision["task_category"]) == (0.9, "policy")
        assert decision["model"] == "openai-compatible:router"
        assert answer["usage"]["models"][0]["requests"] == 1
        assert "staff handbook" in json.dumps(server.requests[0].body["messages"]), "it knows what members are for"
        _, by_rules = await team.ask(question="How many days of leave do I have if it is broken?")
        assert by_rules["agent_used"] == "demo/hr"
        assert "no model could choose" in by_rules["orchestration"]["reason"]
        assert "model" not in by_rules["orchestration"]
