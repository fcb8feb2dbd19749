"""Documents for groups, through a whole gateway and host: on every way to an agent, and after another caller."""

import json
import re
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from slipway_crds.resolve import ingest_config
from slipway_crds.runtimeconfig import SearchMode
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.extractive_agent import ExtractiveAgent
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.gateway.auth import new_key
from slipway_runtime.gateway.routes import Description
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import IdentitySigner, IdentityVerifier
from slipway_runtime.store.sessions import Summary, save_summary
from tests.runtime.gateway.conftest import SUPPORT, Front, StartFront
from tests.support.ag_ui import asks, user
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.resolving import index
from tests.support.scripts import hosted
from tests.support.serving import served

MARKER = "seventy ducats"
QUESTION = "What is the salary of a grade seven engineer?"
PERSONNEL = f"# Salaries\n\nThe salary of a grade seven engineer is {MARKER} a month. It is paid on Mondays.\n"
OPEN = "# Lists\n\nSalaries of engineers are on the list of the staff.\n"
BASE = f"/agents/{SUPPORT}"


class Way(NamedTuple):
    """A way to ask an agent, or to look at what it knows."""

    name: str
    method: str
    path: str
    body: dict[str, Any] | None = None
    accept: str = "application/json, text/event-stream"


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def of_a2a(**more: str) -> dict[str, Any]:
    return {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": QUESTION}], **more}


def of_openai(**more: Any) -> dict[str, Any]:
    return {"model": str(SUPPORT), "messages": [{"role": "user", "content": QUESTION}], **more}


ASKING = [
    Way("chat", "POST", f"{BASE}/chat", {"question": QUESTION}, "application/json"),
    Way("chat, streamed", "POST", f"{BASE}/chat", {"question": QUESTION}, "text/event-stream"),
    Way("completions", "POST", "/v1/chat/completions", of_openai()),
    Way("completions, streamed", "POST", "/v1/chat/completions", of_openai(stream=True)),
    Way("AG-UI", "POST", f"{BASE}/ag-ui", asks(user(QUESTION)), "text/event-stream"),
    Way("A2A", "POST", f"{BASE}/a2a", rpc("SendMessage", message=of_a2a())),
    Way("A2A, streamed", "POST", f"{BASE}/a2a", rpc("SendStreamingMessage", message=of_a2a())),
    Way("MCP ask", "POST", f"{BASE}/mcp", rpc("tools/call", name="ask", arguments={"question": QUESTION})),
    Way("MCP search", "POST", f"{BASE}/mcp", rpc("tools/call", name="search_documents", arguments={"query": QUESTION})),
]


def after_another(run: str, session: str, document: str) -> list[Way]:
    """Ways to what another caller asked and read."""
    return [
        Way("the run", "GET", f"{BASE}/runs/{run}"),
        Way("the run's events", "GET", f"{BASE}/runs/{run}", accept="text/event-stream"),
        Way("the runs", "GET", f"{BASE}/runs"),
        Way("the session", "GET", f"{BASE}/sessions/{session}"),
        Way("a question in the session", "POST", f"{BASE}/chat", {"question": QUESTION, "session_id": session}),
        Way("a word in the session", "POST", f"{BASE}/chat", {"question": "And then?", "session_id": session}),
        Way("completions in the session", "POST", "/v1/chat/completions", of_openai(metadata={"session_id": session})),
        Way("AG-UI in the thread", "POST", f"{BASE}/ag-ui", asks(user("And then?"), thread=session, run="r2")),
        Way("AG-UI in the same thread", "POST", f"{BASE}/ag-ui", asks(user("And then?"), run="r2")),
        Way("the A2A task", "POST", f"{BASE}/a2a", rpc("GetTask", id=run, historyLength=5)),
        Way("the A2A task's events", "POST", f"{BASE}/a2a", rpc("SubscribeToTask", id=run)),
        Way("the A2A tasks", "POST", f"{BASE}/a2a", rpc("ListTasks", contextId=session, includeArtifacts=True)),
        Way("A2A in the context", "POST", f"{BASE}/a2a", rpc("SendMessage", message=of_a2a(contextId=session))),
        Way("the document", "POST", f"{BASE}/mcp", rpc("resources/read", uri=document)),
        Way("the documents", "POST", f"{BASE}/mcp", rpc("resources/list")),
    ]


class Doors(NamedTuple):
    """A gateway with one agent over a restricted index, and the keys of two callers of different groups."""

    front: Front
    personnel: str
    staff: str
    knowledge: Knowledge


def sources(*, personnel: Iterable[str]) -> list[dict[str, Any]]:
    docs = {"name": "docs", "configMap": {"name": "docs"}}
    return [docs | {"access": {"groups": list(personnel)}}]


@pytest.fixture(params=["dense", "lexical"])
async def doors(
    request: pytest.FixtureRequest,
    start_front: StartFront,
    stack: AsyncExitStack,
    signer: IdentitySigner,
    local: Knowledge,
    tmp_path: Path,
) -> Doors:
    mode: SearchMode = request.param
    (personnel, its), (staff, others) = new_key("ann", groups=["personnel"]), new_key("bob", groups=["staff"])
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [its.model_dump(), others.model_dump()]}))
    config = ingest_config(index(sources=sources(personnel=["personnel"]), search={"mode": mode, "neighbours": 2}))
    open_to_both = f"---\naccess: [staff, personnel]\n---\n{OPEN}"
    await local.ingestion(config).run(contents(pay_md=PERSONNEL, open_md=open_to_both))
    agent = hosted(None)
    read = agent.config.model_copy(update={"knowledge": (entry(min_score=0.1),)})
    dependencies = AgentDependencies(database=local.database, embedder=local.embedder, vectors=lambda *_: local.vectors)
    extractive = ExtractiveAgent(read, retriever=local.retriever(), documents=dependencies.documents)
    host = Host(local.database, verifier=IdentityVerifier([signer.public_key]), host_id="host")
    host.serve([replace(agent, config=read, agent=extractive, tools=DirectTools(read, dependencies))])
    url = await stack.enter_async_context(served(create_host_app(host)))
    front = await start_front(auth_mode="apikeys", api_keys_file=path)
    front.routes.set(SUPPORT, [url])
    front.routes.describe(SUPPORT, Description(knowledge=("handbook",)))
    return Doors(front, personnel, staff, local)


async def answer(doors: Doors, key: str, way: Way) -> tuple[int, str]:
    headers = {"X-API-Key": key, "Accept": way.accept, "A2A-Version": "1.0"}
    async with doors.front.client.request(way.method, way.path, json=way.body, headers=headers) as response:
        return response.status, await response.text()


async def test_what_is_for_one_group_reaches_nobody_else_on_any_way(doors: Doors) -> None:
    shown = {}
    for way in ASKING:
        status, text = await answer(doors, doors.personnel, way)
        assert (status, MARKER in text) == (200, True), (way.name, text)
        shown[way.name] = text
        status, text = await answer(doors, doors.staff, way)
        assert (status, MARKER in text) == (200, False), (way.name, text)
    asked = json.loads(shown["chat"])
    session, run = asked["session_id"], asked["run_id"]
    await save_summary(doors.knowledge.database, session, Summary(f"The salary is {MARKER}.", 1))
    (document,) = set(re.findall(r"agent://documents/[-_.~%A-Za-z0-9]+", shown["MCP ask"]))
    others = after_another(run, session, document)
    seen = [way.name for way in others if MARKER in (await answer(doors, doors.personnel, way))[1]]
    assert {"the run", "the session", "the A2A task"} <= set(seen), seen
    for way in others:
        status, text = await answer(doors, doors.staff, way)
        assert MARKER not in text, (way.name, status, text)
        assert status < 500, (way.name, status, text)
