"""Every path asks one place whether a caller may do what it wants, and shows nothing where it may not."""

from dataclasses import dataclass, field

import pytest
from starlette.routing import Route

from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.routes import AgentKey
from slipway_runtime.identity import ANONYMOUS, Caller
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost

SECRET = AgentKey("demo", "secret")
OF_NO_AGENT = {"/livez", "/readyz", "/openapi.json", "/docs", "/docs/{asset}"}
"""Paths that say nothing about any agent."""
ACTIONS = {"GET": Action.READ, "POST": Action.ASK, "DELETE": Action.DELETE}


@dataclass
class AllBut:
    """Keeps one agent from everybody, and remembers what it was asked."""

    kept: AgentKey
    asked: list[tuple[Caller, Action, AgentKey]] = field(default_factory=list)

    def allows(self, caller: Caller, action: Action, target: AgentKey) -> bool:
        self.asked.append((caller, action, target))
        return target != self.kept


@pytest.fixture
async def guarded(start_front: StartFront, start_host: StartHost) -> Front:
    """Two agents, one of which is kept from everybody."""
    _, url = await start_host(agents=("demo/support", "demo/secret"))
    front = await start_front(default_agent="demo/secret", smart_agent="demo/secret")
    for agent in (SUPPORT, SECRET):
        front.routes.set(agent, [url])
    front.gateway.policy = AllBut(SECRET)
    return front


def paths(front: Front) -> list[tuple[str, str, str]]:
    """Method, template and path of everything that the gateway answers."""
    return [
        (
            method,
            route.path,
            route.path.format(**SECRET._asdict(), run="a" * 32, session="s", input="i", asset="page.js"),
        )
        for route in create_app(front.gateway).routes
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


async def test_every_path_asks(guarded: Front) -> None:
    policy = guarded.gateway.policy
    assert isinstance(policy, AllBut)
    for method, template, path in paths(guarded):
        if template in OF_NO_AGENT:
            continue
        policy.asked.clear()
        async with guarded.client.request(method, path, json={"question": "?"}) as response:
            body = await response.json(content_type=None)
        if path == "/agents":
            assert [agent["name"] for agent in body["agents"]] == ["support"]
            assert (ANONYMOUS, Action.LIST, SECRET) in policy.asked
        else:
            action = Action.ANSWER if template.endswith("/input/{input}") else ACTIONS[method]
            assert policy.asked == [(ANONYMOUS, action, SECRET)], template
            assert (response.status, body["reason"]) == (404, "AgentNotFound"), template


async def test_an_agent_that_is_kept_from_a_caller_looks_like_one_that_is_not_there(guarded: Front) -> None:
    answers = []
    for name in ("secret", "no-such-agent"):
        async with guarded.client.post(f"/agents/demo/{name}/chat", json={"question": "?"}) as response:
            answers.append((response.status, await response.read()))
    assert answers[0] == answers[1]
    async with guarded.client.post(f"/agents/{SUPPORT}/chat", json={"question": "?"}) as response:
        assert response.status == 200
