"""An orchestrator over a real gateway and real hosts: whom it asks, and what becomes of members that do not answer."""

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from slipway_runtime.agents import forwarding, orchestrator
from slipway_runtime.events import Decision, Delta, Done, ModelUsage, Usage
from slipway_runtime.gateway.routes import AgentKey, Description, Reach
from slipway_runtime.identity import IdentitySigner
from slipway_runtime.knowledge.embedding.minilm import MiniLM
from slipway_runtime.protocols.ask import ImagePart
from slipway_runtime.run import Run
from tests.support.chat import STREAM, transcribe
from tests.support.orchestrated import (
    DESCRIPTIONS,
    LEAD,
    LEAVE,
    PASSWORD,
    StartTeam,
    start_team,
)
from tests.support.pictures import LARGE_PICTURE
from tests.support.scripted_host import Options
from tests.support.scripts import said
from tests.support.team import Actor, abstains, add, answers, fails, hangs, lead_config, waits
from tests.support.team import orchestrator as hosted_orchestrator
from tests.support.waiting import until, until_async

__all__ = ["start_team"]


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
