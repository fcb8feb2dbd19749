"""Agents as tools that a person approves: who may decide, and what becomes of a call that is approved or denied."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slipway_crds.runtimeconfig import ApprovalConfig
from slipway_runtime.events import Delta, Done
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import Description
from slipway_runtime.host.lifecycle import Host
from tests.runtime.gateway.conftest import StartHost
from tests.support.agent_team import ASK_HR, StartTeam, Team, drafting, given, hosted, start_team
from tests.support.chat import STREAM, Transcript, transcribe
from tests.support.knowledge import Knowledge
from tests.support.model_server import Script, model_server
from tests.support.team import add, answers
from tests.support.waiting import until

__all__ = ["start_team"]


async def input_of(team: Team, asked: dict[str, Any], approved: bool, **headers: str) -> int:
    """Decide on what a run waits for."""
    run, required = asked["run_id"], asked["input_required"]["id"]
    path = f"/agents/{team.key}/runs/{run}/input/{required}"
    async with team.front.client.post(path, json={"approved": approved}, headers=headers) as response:
        return response.status


async def end_of(team: Team, run_id: str, **headers: str) -> Transcript:
    path = f"/agents/{team.key}/runs/{run_id}"
    async with team.front.client.get(path, headers={**STREAM, **headers}) as response:
        return await transcribe(response)


@pytest.mark.parametrize("architecture", ["pydantic-ai", "hybrid"])
async def test_an_agent_is_asked_once_a_person_has_approved(start_team: StartTeam, architecture: str) -> None:
    script: Script = [ASK_HR, "You have 28 days."]
    if architecture == "hybrid":
        script = drafting("You have 28 days.")
    with model_server(script) as server:
        approvals = (ApprovalConfig(tool="ask-hr"),)
        team = await start_team(
            server, answers("You have ", "28 days."), approvals=approvals, architecture=architecture
        )
        status, asked = await team.ask()
        assert (status, asked["state"]) == (202, "waiting")
        assert asked["input_required"]["kind"] == "approval"
        (call,) = asked["input_required"]["calls"]
        assert (call["name"], call["args"]) == ("ask-hr", {"question": "How many days of leave?"})
        assert not team.hr.asked
        assert await input_of(team, asked, True) == 200
        end = await end_of(team, asked["run_id"])
        assert await input_of(team, asked, True) == 409
    assert "".join(each.text for _, each in end.events if isinstance(each, Delta)) == "You have 28 days."
    assert len(team.hr.asked) == 1


async def test_a_call_that_is_denied_is_not_made_and_the_model_learns_it(start_team: StartTeam) -> None:
    with model_server([ASK_HR, "I may not ask."]) as server:
        team = await start_team(server, answers("28"), approvals=(ApprovalConfig(tool="ask-hr"),))
        _, asked = await team.ask()
        await input_of(team, asked, False)
        end = await end_of(team, asked["run_id"])
    assert "".join(each.text for _, each in end.events if isinstance(each, Delta)) == "I may not ask."
    assert given(server.requests[1]) == "A person refused this call."
    assert not team.hr.asked


async def test_openai_ends_with_a_text_that_names_the_place(start_team: StartTeam) -> None:
    with model_server([ASK_HR, "You have 28 days."]) as server:
        team = await start_team(server, answers("28"), approvals=(ApprovalConfig(tool="ask-hr"),))
        body = {"model": str(team.key), "messages": [{"role": "user", "content": "How many days?"}]}
        async with team.front.client.post("/v1/chat/completions", json=body) as response:
            said = (await response.json())["choices"][0]["message"]["content"]
    assert f"/agents/{team.key}/runs/" in said
    assert "/input/approve-" in said


async def test_only_those_who_may_decide_do(start_team: StartTeam) -> None:
    with model_server([ASK_HR, "You have 28 days."]) as server:
        team = await start_team(server, answers("28"), approvals=(ApprovalConfig(tool="ask-hr", groups=("leads",)),))
        _, asked = await team.ask()
        assert asked["input_required"]["answerers"] == ["group:leads"]
        assert await input_of(team, asked, True) == 403
    assert not team.hr.asked


@pytest.mark.parametrize("architecture", ["pydantic-ai", "hybrid"])
@pytest.mark.parametrize("by", ["ann", "lea"])
async def test_whoever_decides_after_the_grant_has_expired_lets_the_agent_ask_for_its_caller(
    start_team: StartTeam, tmp_path: Path, architecture: str, by: str
) -> None:
    keys = {"ann": new_key("ann"), "lea": new_key("lea", groups=["leads"])}
    file = tmp_path / "keys.json"
    file.write_text(json.dumps({"keys": [entry.model_dump() for _, entry in keys.values()]}))
    bearer = {name: {"Authorization": f"Bearer {key}"} for name, (key, _) in keys.items()}
    script: Script = [ASK_HR, "You have 28 days."] if architecture == "pydantic-ai" else drafting("You have 28 days.")
    approvals = (ApprovalConfig(tool="ask-hr", groups=("leads",) if by == "lea" else ()),)
    with model_server(script) as server:
        team = await start_team(
            server,
            answers("You have ", "28 days."),
            architecture=architecture,
            approvals=approvals,
            auth_mode="apikeys",
            api_keys_file=file,
        )
        reach = team.front.routes.reach(team.key)
        team.front.routes.describe(team.key, Description(), replace(reach, seconds=-60.0))  # as if it had waited
        _, asked = await team.ask(headers=bearer["ann"])
        team.front.routes.describe(team.key, Description(), reach)
        assert await input_of(team, asked, True, **bearer[by]) == 200
        end = await end_of(team, asked["run_id"], **bearer["ann"])
    assert "".join(each.text for _, each in end.events if isinstance(each, Delta)) == "You have 28 days."
    (run,) = team.hr.asked
    assert run.caller == "ann"


async def test_nobody_who_may_not_decide_sees_a_grant(start_team: StartTeam) -> None:
    """The path is the gateway's own, and no client's."""
    with model_server([ASK_HR, "You have 28 days."]) as server:
        team = await start_team(server, answers("28"), approvals=(ApprovalConfig(tool="ask-hr", groups=("leads",)),))
        _, asked = await team.ask()
        path = f"/agents/{team.key}/runs/{asked['run_id']}/input/{asked['input_required']['id']}/grant"
        async with team.front.client.get(path) as response:
            assert response.status == 404


async def test_a_host_that_dies_after_the_approval_asks_nobody_twice(
    start_team: StartTeam, start_host: StartHost, local: Knowledge, stack: AsyncExitStack
) -> None:
    go_on = asyncio.Event()

    async def slowly(run: Any) -> Done:
        await go_on.wait()
        return await answers("28 ", "days.")(run)

    with model_server([ASK_HR, "You have 28 days."]) as server:
        team = await start_team(server, slowly, approvals=(ApprovalConfig(tool="ask-hr"),))
        hosts: list[tuple[Host, str]] = [await start_host(name=name, agents=()) for name in ("one", "two", "three")]
        for host, _ in hosts:
            add(host, hosted(team.lead.config, team.front.url, local, stack))
        team.front.routes.set(team.key, [hosts[0][1]])
        _, asked = await team.ask()
        await hosts[0][0].runs.hand_over()  # it goes while the run waits
        team.front.routes.set(team.key, [hosts[1][1]])
        assert await input_of(team, asked, True) == 200
        await until(lambda: bool(team.hr.asked), "the agent is asked")
        team.front.routes.set(team.key, [hosts[2][1]])
        await hosts[1][0].runs.hand_over()  # and right after the approval
        go_on.set()
        end = await end_of(team, asked["run_id"])
    assert "".join(each.text for _, each in end.events if isinstance(each, Delta)) == "You have 28 days."
    assert (len(team.hr.asked), len(await team.runs()), len(server.requests)) == (1, 1, 2)
