"""Every path asks one place whether a caller may do what it wants, and shows nothing where it may not."""

import json
from dataclasses import dataclass, field

import pytest
from starlette.routing import Route

from slipway_runtime.gateway.app import create_app
from slipway_runtime.gateway.permissions import Action
from slipway_runtime.gateway.routes import AgentKey, Target
from slipway_runtime.identity import ANONYMOUS, Caller
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront, StartHost

SECRET = AgentKey("demo", "secret")
OF_NO_AGENT = {"/v1/{rest:path}", "/livez", "/readyz", "/openapi.json", "/docs", "/docs/{asset}"}
"""Paths that say nothing about any agent."""
FEDERATED = {"/mcp"}
"""A path on which an agent is named within the body."""
OF_A_PLUGIN = {"/plugins/{namespace}/{name}/mcp", "/plugins/{namespace}/{name}/{rest:path}"}
"""See `test_access.py` and `test_plugins.py`."""
OF_A_WORKFLOW = "/workflows"
"""What its paths begin with. See `test_workflows.py`, and for `a2a` the workflows' own `test_a2a.py`."""
OF_AN_INDEX = {"/indexes/{namespace}/{index}/documents", "/indexes/{namespace}/{index}/documents/{document}"}
"""Hosts decide about these: see `tests/runtime/dev/test_uploads.py`."""
OPENAI = {"/v1/models", "/v1/models/{model:path}", "/v1/chat/completions"}
"""Paths on which an agent is a model: to see one is to see that it may be asked."""
GIVEN = {
    **{"run": "a" * 32, "session": "s", "input": "i", "asset": "page.js", "model": "auto", "rest": "x"},
    **{"id": "a" * 32, "push_id": "p", "index": "i", "document": "a" * 32, "step": "s", "event": "e"},
}
ACTIONS = {"GET": Action.READ, "POST": Action.ASK, "DELETE": Action.DELETE}


@dataclass
class AllBut:
    """Keeps one agent from everybody, and remembers what it was asked."""

    kept: AgentKey
    asked: list[tuple[Caller, Action, Target]] = field(default_factory=list)

    def allows(self, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> bool:
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
            route.path.replace(":path}", "}").format(**SECRET._asdict(), **GIVEN),
        )
        for route in create_app(front.gateway).routes
        if isinstance(route, Route)
        for method in sorted((route.methods or set()) - {"HEAD"})
    ]


async def test_every_path_asks(guarded: Front) -> None:
    policy = guarded.gateway.policy
    assert isinstance(policy, AllBut)
    for method, template, path in paths(guarded):
        elsewhere = OF_NO_AGENT | OPENAI | FEDERATED | OF_A_PLUGIN | OF_AN_INDEX
        if template in elsewhere or template.startswith(OF_A_WORKFLOW):
            continue
        policy.asked.clear()
        async with guarded.client.request(method, path, json={"question": "?"}) as response:
            body = await response.json(content_type=None)
        if path == "/agents":
            assert [agent["name"] for agent in body["agents"]] == ["support"]
            assert (ANONYMOUS, Action.LIST, SECRET) in policy.asked
        else:
            action = Action.ANSWER if template.endswith("/input/{input}") else ACTIONS[method]
            # By these protocols it is asked first whether there is such an agent, and then what is called of it.
            named = ("/mcp", "/a2a", "agent-card")
            action = Action.LIST if any(each in template for each in named) else action
            assert policy.asked == [(ANONYMOUS, action, SECRET)], template
            assert (response.status, "there is no such agent" in json.dumps(body)) == (404, True), template


async def test_a_model_that_is_kept_from_a_caller_is_not_there(guarded: Front) -> None:
    policy = guarded.gateway.policy
    assert isinstance(policy, AllBut)
    async with guarded.client.get("/v1/models") as response:
        assert [model["id"] for model in (await response.json())["data"]] == ["demo/support"]
    for model in ("demo/secret", "auto"):
        policy.asked.clear()
        body = {"model": model, "messages": [{"role": "user", "content": "?"}]}
        async with guarded.client.post("/v1/chat/completions", json=body) as response:
            assert (response.status, (await response.json())["error"]["code"]) == (404, "model_not_found")
        assert policy.asked == [(ANONYMOUS, Action.ASK, SECRET)]
        async with guarded.client.get(f"/v1/models/{model}") as response:
            assert response.status == 404


class NoAnswers:
    """Lets everybody ask, and nobody answer."""

    def allows(self, caller: Caller, action: Action, target: Target, *, tool: str | None = None) -> bool:
        return action is not Action.ANSWER


async def test_results_of_a_clients_tools_are_an_answer(guarded: Front) -> None:
    guarded.gateway.policy = NoAnswers()
    call = {"id": f"call_{'a' * 32}_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "done"},
    ]
    body = {"model": str(SUPPORT), "messages": messages}
    async with guarded.client.post("/v1/chat/completions", json=body) as response:
        assert (response.status, (await response.json())["error"]["code"]) == (404, "model_not_found")


async def test_an_agent_that_is_kept_from_a_caller_looks_like_one_that_is_not_there(guarded: Front) -> None:
    answers = []
    for name in ("secret", "no-such-agent"):
        async with guarded.client.post(f"/agents/demo/{name}/chat", json={"question": "?"}) as response:
            answers.append((response.status, await response.read()))
    assert answers[0] == answers[1]
    async with guarded.client.post(f"/agents/{SUPPORT}/chat", json={"question": "?"}) as response:
        assert response.status == 200
