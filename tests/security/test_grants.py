"""What a stolen grant is worth: an agent that gives away, or abuses, what its run was given to ask other agents with.

A real gateway and a real host. The agent `demo/lead` may ask `demo/hr`, and `demo/mole` may ask `demo/it`.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from slipway_runtime import grants
from slipway_runtime.events import Done
from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.gateway import Gateway
from slipway_runtime.gateway.main import assembled
from slipway_runtime.gateway.routes import AgentKey, Description, Reach, RouteTable
from slipway_runtime.identity import Caller, IdentitySigner
from slipway_runtime.run import Run
from slipway_runtime.settings import GatewaySettings
from tests.support.scripted_host import SEED, Options, host_app
from tests.support.serving import served
from tests.support.team import Actor, add, answers, member
from tests.support.waiting import until

ASK = {"parts": [{"kind": "text", "text": "Who am I?"}]}
USER = {"role": "user", "content": "Who?"}
MAY_ASK = {"lead": "hr", "mole": "it"}


class Accomplice(Actor):
    """An agent whose run goes on until the test says so, so that its grant is good meanwhile."""

    def __init__(self) -> None:
        super().__init__(self._wait)
        self.go_on = asyncio.Event()

    async def _wait(self, run: Run) -> Done:
        await self.go_on.wait()
        return await answers("Done ", "it.")(run)


@dataclass
class Fleet:
    """The agents behind a gateway."""

    client: aiohttp.ClientSession
    gateway: Gateway
    agents: dict[str, Actor]
    waiting: list[asyncio.Task[int]] = field(default_factory=list)

    def let_go(self) -> None:
        """End the runs whose grants were stolen."""
        for each in self.agents.values():
            if isinstance(each, Accomplice):
                each.go_on.set()

    async def stolen(self, name: str) -> tuple[str, asyncio.Task[int]]:
        """The grant of a run of this agent, and the request that waits for the run."""
        asked = asyncio.create_task(self.status("POST", f"/agents/demo/{name}/chat", json={"question": "Go on"}))
        self.waiting.append(asked)
        await until(lambda: bool(self.agents[name].asked), f"{name} is asked")
        grant = self.agents[name].asked[-1].request.grant
        assert grant is not None
        return grant, asked

    async def status(self, method: str, path: str, **options: Any) -> int:
        return (await self.answer(method, path, **options))[0]

    async def answer(self, method: str, path: str, *, grant: str = "", **options: Any) -> tuple[int, str]:
        """Status and reason."""
        headers = {"Authorization": f"Bearer {grant}"} if grant else {}
        async with self.client.request(method, path, headers=headers | options.pop("headers", {}), **options) as found:
            text = await found.text()
            return found.status, json.loads(text).get("reason", "") if found.status >= 400 else ""

    async def ask(self, grant: str, agent: str, key: str = "once") -> tuple[int, str]:
        """Ask an agent as a host asks it."""
        return await self.answer(
            "POST", f"/agents/demo/{agent}/runs", grant=grant, json=ASK, headers={"Idempotency-Key": key}
        )


@pytest.fixture
async def fleet(tmp_path: Path) -> AsyncIterator[Fleet]:
    signer = IdentitySigner.from_seed(SEED)
    options = Options(f"sqlite:///{tmp_path}/store.db", signer.public_key)
    agents = {"lead": Accomplice(), "mole": Accomplice(), "hr": Actor(answers("28")), "it": Actor(answers("7"))}
    async with AsyncExitStack() as stack:
        host, app = await stack.enter_async_context(host_app(options))
        add(host, *(member(name, actor, options) for name, actor in agents.items()))
        url = await stack.enter_async_context(served(app))
        settings = GatewaySettings.model_validate({"auth_mode": "open"})
        gateway = await stack.enter_async_context(assembled(settings, routes=RouteTable(), signer=signer))
        for name in agents:
            key = AgentKey("demo", name)
            gateway.routes.set(key, [url])
            may_ask = frozenset({AgentKey("demo", MAY_ASK[name])}) if name in MAY_ASK else frozenset()
            gateway.routes.describe(key, Description("custom"), Reach(may_ask, 60.0))
        front = await stack.enter_async_context(served(create_app(gateway)))
        client = await stack.enter_async_context(aiohttp.ClientSession(front))
        gateway.default_agent = gateway.smart_agent = AgentKey("demo", "it")
        fleet = Fleet(client, gateway, agents)
        yield fleet
        fleet.let_go()
        await asyncio.gather(*fleet.waiting)


async def test_it_reaches_members_and_tools_and_no_other_agent(fleet: Fleet) -> None:
    grant, _ = await fleet.stolen("lead")
    assert await fleet.ask(grant, "hr") == (200, "")
    for agent in ("it", "mole", "lead"):
        assert await fleet.ask(grant, agent) == (403, "NotAMember")
    assert not fleet.agents["it"].asked
    fleet.gateway.routes.describe(AgentKey("demo", "lead"), Description("custom"), Reach(frozenset(), 60.0))
    assert await fleet.ask(grant, "hr", "twice") == (403, "NotAMember"), "a member that was removed meanwhile"
    assert len(fleet.agents["hr"].asked) == 1


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/agents/demo/hr/runs"),
        ("GET", "/agents/demo/hr/sessions/" + "0" * 32),
        ("DELETE", "/agents/demo/hr/sessions/" + "0" * 32),
        ("POST", "/agents/demo/hr/runs/" + "0" * 32 + "/input/approve-1"),
        ("GET", "/v1/models"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/agent/chat"),
        ("POST", "/smart/chat"),
    ],
)
async def test_it_opens_nothing_but_the_way_to_ask(fleet: Fleet, method: str, path: str) -> None:
    grant, _ = await fleet.stolen("lead")
    bodies = {"approve-1": {"approved": True}, "completions": {"model": "demo/it", "messages": [USER]}}
    body = bodies.get(path.rpartition("/")[2], {"question": "Who?"})
    status, _ = await fleet.answer(method, path, grant=grant, **({"json": body} if method == "POST" else {}))
    assert status in (401, 403), path
    assert not [name for name in ("hr", "it") if fleet.agents[name].asked]


async def test_it_ends_with_its_run(fleet: Fleet) -> None:
    grant, asked = await fleet.stolen("lead")
    fleet.let_go()
    assert await asked == 200
    assert await fleet.ask(grant, "hr") == (401, "Unauthenticated")
    assert not fleet.agents["hr"].asked


async def test_it_ends_when_its_run_is_cancelled(fleet: Fleet) -> None:
    grant, asked = await fleet.stolen("lead")
    run = fleet.agents["lead"].asked[-1].id
    assert await fleet.status("DELETE", f"/agents/demo/lead/runs/{run}") == 204
    await asked
    assert await fleet.ask(grant, "hr") == (401, "Unauthenticated")
    assert not fleet.agents["hr"].asked


async def test_another_agent_cannot_use_it_for_what_it_asks_itself(fleet: Fleet) -> None:
    """Neither gets at the other's members, nor at what the other has asked its own."""
    lead, _ = await fleet.stolen("lead")
    mole, _ = await fleet.stolen("mole")
    assert await fleet.ask(lead, "hr") == (200, "")
    child = fleet.agents["hr"].asked[-1].id
    assert await fleet.ask(mole, "hr") == (403, "NotAMember")
    path, key = f"/agents/demo/hr/runs/{child}", {"Idempotency-Key": "once"}
    assert await fleet.answer("GET", path, grant=mole, headers=key) == (403, "NotAMember")
    assert await fleet.answer("DELETE", path, grant=mole, headers=key) == (403, "NotAMember")
    assert await fleet.answer("GET", path, grant=lead, headers={"Idempotency-Key": "other"}) == (404, "RunNotFound")


async def test_an_actor_that_is_written_into_it_makes_it_worthless(fleet: Fleet) -> None:
    grant, _ = await fleet.stolen("mole")
    head, claims, signature = grant.split(".")
    read = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert read["act"] == {"sub": "demo/mole"}
    forged = base64.urlsafe_b64encode(json.dumps({**read, "act": {"sub": "demo/lead"}}).encode()).decode().rstrip("=")
    assert await fleet.ask(f"{head}.{forged}.{signature}", "hr") == (401, "Unauthenticated")
    own = grants.sign(
        grants.first(Caller("apikey", "alice", ()), actor="demo/lead", run="0" * 32, seconds=60),
        IdentitySigner.generate(),
    )
    assert await fleet.ask(own, "hr") == (401, "Unauthenticated")
    assert not fleet.agents["hr"].asked


async def test_it_is_not_good_for_a_run_of_the_other_agent(fleet: Fleet) -> None:
    """One that a gateway signed for an agent, with a run that is not that agent's."""
    grant, _ = await fleet.stolen("mole")
    signer = IdentitySigner.from_seed(SEED)
    mixed = grants.sign(replace(grants.verify(grant, signer), actor="demo/lead"), signer)
    assert await fleet.ask(mixed, "hr") == (401, "Unauthenticated")
    assert not fleet.agents["hr"].asked
