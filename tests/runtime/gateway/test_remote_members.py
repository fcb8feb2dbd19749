"""Members of an orchestrator that are elsewhere: the agent that is asked by A2A is one behind the same gateway."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from slipway_runtime.agents import forwarding, remote_members
from slipway_runtime.agents.remote_members import description_of
from slipway_runtime.events import Decision, Delta
from tests.support.orchestrated import LEAVE, PASSWORD, StartTeam, start_team
from tests.support.team import abstains, answers, fails, hangs, waits

__all__ = ["start_team"]

IT = "/agents/demo/it/a2a"


async def test_a_member_elsewhere_is_chosen_by_its_card_and_answers(start_team: StartTeam) -> None:
    team = await start_team(hr=answers("28 ", "days."), it=answers("At the ", "help desk."), elsewhere={"it": IT})
    stream = await team.stream(**PASSWORD)
    stream.assert_whole("At the help desk.")
    decision = next(event for _, event in stream.events if isinstance(event, Decision))
    assert decision.members == ("demo/hr", "demo/it")
    assert {event.step for _, event in stream.events if isinstance(event, Delta)} == {"ask/1/it"}
    _, answer = await team.ask(**PASSWORD)
    assert (answer["agent_used"], answer["orchestration"]["chosen_agent"]) == ("demo/it", "demo/it")
    _, answer = await team.ask(**LEAVE)
    assert (answer["answer"], answer["agent_used"]) == ("28 days.", "demo/hr")
    assert all(run["session_id"] for run in await team.runs("it")), "to the agent it is a context of its own"


async def test_all_members_may_be_elsewhere(start_team: StartTeam) -> None:
    team = await start_team(
        hr=answers("28 ", "days."),
        it=answers("At the ", "help desk."),
        elsewhere={"it": IT, "hr": "/agents/demo/hr/a2a"},
    )
    _, answer = await team.ask(**LEAVE)
    assert (answer["answer"], answer["agent_used"]) == ("28 days.", "demo/hr")


@pytest.mark.parametrize("forced", ["it", "demo/it", "a2a"])
async def test_a_member_elsewhere_is_asked_by_name(start_team: StartTeam, forced: str) -> None:
    team = await start_team(hr=answers("28 ", "days."), it=answers("At the ", "help desk."), elsewhere={"it": IT})
    _, answer = await team.ask(**LEAVE, force_agent=forced)
    assert (answer["answer"], answer["agent_used"]) == ("At the help desk.", "demo/it")
    _, problem = await team.ask(**LEAVE, force_agent="law")
    assert "hr (langgraph), it (a2a)" in problem["detail"]


@pytest.mark.parametrize(
    ("play", "why"),
    [
        (fails("some ", "text ", "of it"), "it failed (RemoteAgentFailed"),
        (abstains("I do not know."), "it abstained"),
        (waits, "it failed (MemberWaits"),
    ],
)
async def test_without_an_answer_from_elsewhere_the_next_is_asked(start_team: StartTeam, play: Any, why: str) -> None:
    team = await start_team(hr=answers("Ask ", "them."), it=play, elsewhere={"it": IT})
    stream = await team.stream(**PASSWORD)
    stream.assert_whole("Ask them.")
    decisions = [event.decision for _, event in stream.events if isinstance(event, Decision)]
    assert [each["chosen_agent"] for each in decisions] == ["demo/it", "demo/hr"]
    assert why in decisions[1]["reason"]


async def test_a_member_elsewhere_that_hangs_is_left(start_team: StartTeam, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "LEAST_PATIENCE_SECONDS", 2.0)
    monkeypatch.setattr(forwarding, "PATIENCE_SHARE", 0.0)
    team = await start_team(hr=answers("Ask ", "them."), it=hangs, elsewhere={"it": IT})
    _, answer = await team.ask(**PASSWORD)
    assert (answer["answer"], answer["agent_used"]) == ("Ask them.", "demo/hr")
    assert "it failed (MemberTimeout" in answer["orchestration"]["reason"]


async def test_an_answer_to_a_schema_is_not_asked_of_a_member_elsewhere(start_team: StartTeam) -> None:
    team = await start_team(it=answers("At the ", "help desk."), elsewhere={"it": IT})
    schema = {"type": "object", "properties": {"place": {"type": "string"}}}
    body = {
        "model": "demo/lead",
        "messages": [{"role": "user", "content": PASSWORD["question"]}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": schema}},
    }
    async with team.front.client.post("/v1/chat/completions", json=body) as response:
        problem = await response.text()
    assert "it failed (InvalidRequest: This agent does not take: output_schema" in problem
    assert not team.members["it"].asked


@asynccontextmanager
async def cards(answer: Any) -> AsyncIterator[str]:
    """A server whose card is what the handler answers."""
    app = web.Application()
    app.router.add_get("/.well-known/agent-card.json", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def no_card(_: web.Request) -> web.Response:
    return web.Response(text="<html>", content_type="text/html")


async def hanging_card(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError


async def stolen_card(_: web.Request) -> web.Response:
    place = {"url": "http://127.0.0.2/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
    return web.json_response({"description": "Passwords and the VPN.", "supportedInterfaces": [place]})


@pytest.mark.parametrize("card", [no_card, hanging_card, stolen_card])
async def test_a_member_whose_card_cannot_be_used_is_not_ready_and_comes_last(
    start_team: StartTeam, monkeypatch: pytest.MonkeyPatch, card: Any
) -> None:
    monkeypatch.setattr(remote_members, "READ_SECONDS", 0.5)
    async with cards(card) as url:
        team = await start_team(hr=answers("Ask ", "them."), elsewhere={"passwords-vpn": url})
        _, answer = await team.ask(**PASSWORD)
    assert (answer["answer"], answer["agent_used"]) == ("Ask them.", "demo/hr")
    assert [each["agent"] for each in answer["orchestration"]["alternatives"]] == ["demo/passwords-vpn"]


async def test_a_card_is_read_once(start_team: StartTeam) -> None:
    read = 0

    async def counted(request: web.Request) -> web.Response:
        nonlocal read
        read += 1
        place = {"url": f"http://{request.host}/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        return web.json_response({"description": "Knows cats.", "supportedInterfaces": [place]})

    async with cards(counted) as url:
        team = await start_team(hr=answers("28 ", "days."), elsewhere={"cats": url})
        for _ in range(2):
            assert (await team.ask(**LEAVE))[1]["agent_used"] == "demo/hr"
    assert read == 1


def test_what_a_card_says_is_bounded_and_may_be_anything() -> None:
    skills = [{"description": f"Skill {number}.", "tags": ["a b", "x" * 999, 7]} for number in range(100)]
    told = description_of("tax", {"description": "Knows \n taxes.", "skills": [None, "x", *skills]})
    assert told.description.startswith("Knows taxes. Skill 0. Skill 1.")
    assert (told.capabilities, told.ready) == (("a b", "x" * 64), True)
    assert len(description_of("tax", {"description": "y" * 10_000}).description) == 1024
    assert description_of("tax", {"description": 7, "skills": {"a": 1}}).description == ""
