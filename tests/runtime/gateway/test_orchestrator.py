"""An orchestrator over a real gateway and real hosts: whom it asks, and what becomes of members that do not answer."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.runtimeconfig import ModelConfig
from slipway_runtime import retrying
from slipway_runtime.agents import calling, forwarding, orchestrator
from slipway_runtime.agents.metrics import REPEATED
from slipway_runtime.events import Decision, Delta, Discarded, Done, ModelUsage, Usage
from slipway_runtime.gateway.routes import AgentKey, Description, Reach
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.protocols.ask import ImagePart
from slipway_runtime.run import Run
from tests.runtime.gateway.conftest import Front, StartFront, StartHost
from tests.support.chat import STREAM, Transcript, events, transcribe
from tests.support.model_server import Reply, model_server
from tests.support.pictures import LARGE_PICTURE
from tests.support.scripted_host import Options, spawn, words
from tests.support.scripts import said
from tests.support.servers import free_port
from tests.support.team import Actor, abstains, add, answers, fails, hangs, lead_config, member, waits
from tests.support.team import orchestrator as hosted_orchestrator
from tests.support.waiting import until, until_async

LEAD = AgentKey("demo", "lead")
CHAT = f"/agents/{LEAD}/chat"
CHOICE = Reply(
    output={
        "task_category": "policy",
        "task_complexity": "moderate",
        "ranking": ["it", "hr"],
        "reason": "The question is about a device.",
        "confidence": 0.9,
    }
)
"""Of a model."""
DESCRIPTIONS = {
    "hr": "Leave, sick days and travel expenses. Knows the staff handbook.",
    "it": "Laptops, passwords and the VPN. Knows the help desk.",
}
LEAVE = {"question": "How many days of leave do I have?"}
PASSWORD = {"question": "How do I reset my password for the VPN?"}


class Team:
    """An orchestrator `lead` with the members that a test gives it."""

    def __init__(self, front: Front, host: Host, members: dict[str, Actor]) -> None:
        self.front = front
        self.host = host
        self.members = members

    async def ask(self, **body: Any) -> tuple[int, dict[str, Any]]:
        async with self.front.client.post(CHAT, json=body) as response:
            return response.status, await response.json(content_type=None)

    async def stream(self, **body: Any) -> Transcript:
        async with self.front.client.post(CHAT, json=body, headers=STREAM) as response:
            return await transcribe(response)

    async def runs(self, name: str) -> list[dict[str, Any]]:
        async with self.front.client.get(f"/agents/demo/{name}/runs") as response:
            return list((await response.json())["runs"])


StartTeam = Callable[..., Awaitable[Team]]


@pytest.fixture
def start_team(
    start_front: StartFront,
    start_host: StartHost,
    signer: IdentitySigner,
    embedder: MiniLM,
    stack: AsyncExitStack,
    tmp_path: Path,
) -> StartTeam:
    """Start a gateway and a host with an orchestrator and its members."""

    async def start(
        *, models: tuple[ModelConfig, ...] = (), gateway_url: str = "", request_timeout: int = 60, **plays: Any
    ) -> Team:
        options = Options("", signer.public_key, request_timeout=request_timeout)
        front = await start_front(hold_seconds=1.0)
        host, url = await start_host(agents=())
        actors = {name: play if isinstance(play, Actor) else Actor(play) for name, play in plays.items()}
        add(host, *(member(name, actor, options) for name, actor in actors.items()))
        lead = hosted_orchestrator(lead_config(options, models=models), gateway_url or front.url, embedder, stack)
        add(host, lead)
        for name in (*actors, "lead"):
            front.routes.set(AgentKey("demo", name), [url])
        publish(front, list(actors))
        return Team(front, host, actors)

    return start


def publish(front: Front, names: list[str]) -> None:
    """Let the gateway know of the members."""
    front.routes.describe(
        LEAD, Description("orchestrator"), Reach(frozenset(AgentKey("demo", name) for name in names), 60.0)
    )
    for name in names:
        front.routes.describe(AgentKey("demo", name), Description("langgraph", description=DESCRIPTIONS.get(name, "")))


async def test_the_member_that_fits_answers_and_the_answer_says_who_and_why(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("28 ", "days."), it=answers("At the ", "help desk."))
    for asked, name, text in ((LEAVE, "hr", "28 days."), (PASSWORD, "it", "At the help desk.")):
        status, answer = await team.ask(**asked)
        assert (status, answer["answer"], answer["agent_used"]) == (200, text, f"demo/{name}")
        decision = answer["orchestration"]
        assert decision["chosen_agent"] == f"demo/{name}"
        assert decision["confidence"] > 0.5
        assert [other["agent"] for other in decision["alternatives"]] == [f"demo/{'it' if name == 'hr' else 'hr'}"]
        assert (decision["task_complexity"], decision["model_role"]) == ("simple", "fast_routing")
        assert answer["usage"]["embedded_texts"] == 2, "one for the decision, one by the member"
    assert [run["session_id"] for run in await team.runs("hr")] == [None], "a call is no turn of a conversation"


async def test_the_stream_has_the_decision_then_the_members_text_as_its_own(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("28 ", "days", "."), it=answers("?"))
    stream = await team.stream(**LEAVE)
    stream.assert_whole("28 days.")
    decision = next(event for _, event in stream.events if isinstance(event, Decision))
    assert decision.members == ("demo/hr", "demo/it")
    deltas = [event for _, event in stream.events if isinstance(event, Delta)]
    assert [(delta.step, delta.text) for delta in deltas] == [("ask/1/hr", text) for text in ("28 ", "days", ".")]


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (fails(), "hr failed (InternalError"),
        (fails("some ", "text ", "of it"), "hr failed (InternalError"),
        (abstains("I do not know."), "hr abstained"),
        (abstains(), "hr abstained"),
        (abstains("well, ", "I am ", "not sure"), "hr abstained"),
        (waits, "hr failed (MemberWaits"),
    ],
)
async def test_the_next_one_is_asked_and_nothing_of_the_first_stands(
    start_team: StartTeam, play: Any, why: str
) -> None:
    team = await start_team(hr=play, it=answers("28 ", "days."))
    stream = await team.stream(**LEAVE)
    stream.assert_whole("28 days.")
    decisions = [event.decision for _, event in stream.events if isinstance(event, Decision)]
    assert [decision["chosen_agent"] for decision in decisions] == ["demo/hr", "demo/it"]
    assert why in decisions[1]["reason"]
    status, answer = await team.ask(**LEAVE)
    assert (status, answer["agent_used"], answer["orchestration"]) == (200, "demo/it", decisions[1])


async def test_what_was_used_for_text_that_does_not_stand_is_counted(start_team: StartTeam) -> None:
    team = await start_team(hr=fails("some ", "text"), it=answers("28 ", "days."))
    _, answer = await team.ask(**LEAVE)
    assert answer["usage"]["embedded_texts"] == 3


async def test_what_a_member_used_is_in_the_answer_and_stored_for_its_own_run_only(
    start_team: StartTeam, signer: IdentitySigner, embedder: MiniLM, stack: AsyncExitStack, tmp_path: Path
) -> None:
    used = ModelUsage(model="openai:large", requests=1, input_tokens=10, output_tokens=2, cost="0.5")

    async def play(run: Run) -> Done:
        await said(run, "think", Usage(models=(used,)))
        return await answers("28 ", "days.")(run)

    team = await start_team(hr=play)
    base, top = lead_config(Options("", signer.public_key)), AgentKey("demo", "top")
    add(
        team.host,
        hosted_orchestrator(base.model_copy(update={"name": top.name}), team.front.url, embedder, stack),
    )
    team.front.routes.set(top, [team.front.routes.endpoints(LEAD)[0].url])
    team.front.routes.describe(top, Description("orchestrator"), Reach(frozenset({LEAD}), 60.0))
    async with team.front.client.post(f"/agents/{top}/chat", json=LEAVE, headers=STREAM) as response:
        stream = await transcribe(response)
    assert [event.of for _, event in stream.events if isinstance(event, Usage) and event.models] == ["demo/hr"]
    _, answer = await team.ask(**LEAVE)
    assert answer["usage"]["models"] == [used.to_json()]
    with closing(sqlite3.connect(tmp_path / "store.db")) as store:
        assert store.execute("SELECT agent, SUM(cost) FROM usage GROUP BY agent").fetchall() == [("demo/hr", 1.0)]


async def test_a_member_without_pods_is_passed_over(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("28 ", "days."), it=answers("I can ", "help."))
    team.front.routes.set(AgentKey("demo", "hr"), [])
    _, answer = await team.ask(**LEAVE)
    assert answer["agent_used"] == "demo/it", "one that is ready comes first"
    _, forced = await team.ask(**LEAVE, force_agent="hr")
    assert (forced["reason"], forced["status"]) == ("NoMemberAnswered", 503)
    assert "NoPodReady" in forced["detail"]


async def test_a_member_that_hangs_is_left_and_its_run_cancelled(
    start_team: StartTeam, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "LEAST_PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(forwarding, "PATIENCE_SHARE", 0.0)
    team = await start_team(hr=hangs, it=answers("28 ", "days."))
    _, answer = await team.ask(**LEAVE)
    assert answer["agent_used"] == "demo/it"
    assert "MemberTimeout" in answer["orchestration"]["reason"]

    async def cancelled() -> bool:
        return [run["state"] for run in await team.runs("hr")] == ["cancelled"]

    await until_async(cancelled, "the run that hangs is over")


@pytest.mark.parametrize("seconds", [60, 2], ids=["cancelled", "timed-out"])
async def test_a_member_is_cancelled_when_its_orchestrators_run_is_over(
    start_team: StartTeam,
    signer: IdentitySigner,
    embedder: MiniLM,
    stack: AsyncExitStack,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
) -> None:
    monkeypatch.setattr(orchestrator, "UNFOLLOWED_SECONDS", 1)
    team = await start_team(hr=hangs)
    made = lead_config(Options("", signer.public_key, request_timeout=seconds))
    add(team.host, hosted_orchestrator(made, team.front.url, embedder, stack))
    asking = asyncio.create_task(team.ask(**LEAVE))
    await until(lambda: bool(team.members["hr"].asked), "the member is asked")
    if seconds == 60:
        (run,) = await team.runs("lead")
        async with team.front.client.delete(f"/agents/{LEAD}/runs/{run['run_id']}") as response:
            assert response.status < 300
    status, _ = await asking
    assert status >= 400

    async def cancelled() -> bool:
        return [run["state"] for run in await team.runs("hr")] == ["cancelled"]

    await until_async(cancelled, "nobody follows the member's run")


async def test_where_nobody_answers_the_error_names_everybody(start_team: StartTeam) -> None:
    team = await start_team(hr=fails(), it=abstains())
    status, problem = await team.ask(**LEAVE)
    assert (status, problem["reason"]) == (503, "NoMemberAnswered")
    assert "hr failed (InternalError" in problem["detail"]
    assert "it abstained" in problem["detail"]


async def test_where_everybody_abstains_so_does_the_orchestrator(start_team: StartTeam) -> None:
    team = await start_team(hr=abstains("I do not know."), it=abstains("I do not know."))
    stream = await team.stream(**LEAVE)
    stream.assert_whole("I do not know.")
    assert isinstance(stream.last, Done)
    assert stream.last.abstained


async def test_an_orchestrator_without_members_says_so(start_team: StartTeam) -> None:
    status, problem = await (await start_team()).ask(**LEAVE)
    assert (status, problem["reason"]) == (503, "NoMemberAnswered")
    assert "The run has no right to ask agents" in problem["detail"]


async def test_a_caller_may_force_a_member_or_an_architecture(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("hr ", "says"), it=answers("it ", "says"))
    architecture = Description("pydantic-ai", description=DESCRIPTIONS["it"])
    team.front.routes.describe(AgentKey("demo", "it"), architecture)
    for forced, used in (("it", "it"), ("demo/it", "it"), ("pydantic_ai", "it"), ("pydantic-ai", "it"), ("hr", "hr")):
        _, answer = await team.ask(**LEAVE, force_agent=forced)
        assert answer["agent_used"] == f"demo/{used}", forced
        assert "force_agent" in answer["orchestration"]["reason"]
    status, problem = await team.ask(**LEAVE, force_agent="hybrid")
    assert (status, problem["reason"]) == (422, "InvalidRequest")
    assert "hr (langgraph), it (pydantic-ai)" in problem["detail"]
    async with team.front.client.post("/agents/demo/hr/chat", json={**LEAVE, "force_agent": "it"}) as response:
        assert response.status == 422, "an agent that is no orchestrator refuses it"


async def test_what_a_member_cannot_use_is_left_out_and_what_matters_is_not(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("28 ", "days."), it=Actor(answers("it ", "says"), frozenset()))
    _, first = await team.ask(**LEAVE)
    _, second = await team.ask(**LEAVE, session_id=first["session_id"])
    assert (second["agent_used"], second["answer"]) == ("demo/hr", "28 days."), "asked again without the history"
    status, answer = await team.ask(**PASSWORD, context={"ticket": 7})
    assert (status, answer["agent_used"]) == (200, "demo/hr"), "the one that takes no data is not asked without it"
    assert team.members["hr"].asked[-1].request.context == {"ticket": 7}
    assert not team.members["it"].asked


async def test_pictures_go_along_to_a_member_that_sees(start_team: StartTeam) -> None:
    it = Actor(answers("A ", "cat."), frozenset(("image",)))
    team = await start_team(hr=answers("hr ", "says"), it=it)
    status, answer = await team.ask(question="How many days of leave are on this?", images=[LARGE_PICTURE])
    assert (status, answer["answer"]) == (200, "A cat.")
    (picture,) = [part for part in it.asked[0].request.parts if isinstance(part, ImagePart)]
    assert f"data:{picture.media_type};base64,{picture.data}" == LARGE_PICTURE
    assert "hr failed (InvalidRequest: This agent does not take: image" in answer["orchestration"]["reason"]


async def test_the_turns_before_go_along_as_history(start_team: StartTeam) -> None:
    hr = Actor(answers("28 ", "days."), frozenset(("history",)))
    team = await start_team(hr=hr)
    _, first = await team.ask(**LEAVE)
    await team.ask(question="And sick days?", session_id=first["session_id"])
    assert [(each.role, each.text) for each in hr.asked[1].request.history] == [
        ("user", LEAVE["question"]),
        ("assistant", "28 days."),
    ]


async def test_an_orchestrator_may_be_a_member_and_five_deep_is_the_end(
    start_team: StartTeam, signer: IdentitySigner, embedder: MiniLM, stack: AsyncExitStack
) -> None:
    team = await start_team(hr=answers("28 ", "days."))
    url = team.front.routes.endpoints(LEAD)[0].url
    names = [f"lead{number}" for number in range(7)]
    base = lead_config(Options("", signer.public_key))
    for name in names:
        add(team.host, hosted_orchestrator(base.model_copy(update={"name": name}), team.front.url, embedder, stack))
    for name, asked in zip(names, [*names[1:], "hr"], strict=True):
        key = AgentKey("demo", name)
        team.front.routes.set(key, [url])
        team.front.routes.describe(key, Description("orchestrator"), Reach(frozenset({AgentKey("demo", asked)}), 60.0))
    async with team.front.client.post("/agents/demo/lead2/chat", json=LEAVE) as response:
        answer = await response.json()
        assert (response.status, answer["answer"]) == (200, "28 days."), "five orchestrators and the one that answers"
    async with team.front.client.post("/agents/demo/lead1/chat", json=LEAVE) as response:
        assert response.status == 503
        assert "five have asked each other" in await response.text()


async def test_a_member_killed_in_the_middle_leaves_one_whole_answer(
    start_team: StartTeam, postgres_dsn: str, signer: IdentitySigner
) -> None:
    team = await start_team()
    pods = [
        Options(postgres_dsn, signer.public_key, free_port(), f"hr-{n}", ("demo/hr",), delta_delay=0.05) for n in (1, 2)
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


@asynccontextmanager
async def cutting_proxy(
    target: str, *, cuts: int, cut: Callable[[], object] = bool, passed_on: Callable[[bytes], object] = bool
) -> AsyncIterator[str]:
    """A way to the gateway that breaks the first connections after a few hundred bytes of a stream.

    Args:
        cut: called before each break, and awaited where there is something to await.
        passed_on: called with what the gateway sends.
    """
    host, _, port = target.removeprefix("http://").partition(":")
    left = cuts

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal left
        there, here = await asyncio.open_connection(host, int(port))

        async def up() -> None:
            while data := await reader.read(65536):
                here.write(data)
                await here.drain()

        pumping = asyncio.create_task(up())
        passed = b""
        try:
            while data := await there.read(65536):
                passed_on(data)
                writer.write(data)
                passed += data
                await writer.drain()
                if left and b"event: delta" in passed:
                    left -= 1
                    if isinstance(waiting := cut(), Awaitable):
                        await waiting
                    break
        finally:
            pumping.cancel()
            for each in (writer, here):
                each.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
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
