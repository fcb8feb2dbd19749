"""Documents are read for whoever asked: by the groups of the identity that came with the question, and no others."""

from contextlib import AsyncExitStack
from dataclasses import replace

import aiohttp
import pytest

from slipway_crds.resolve import ingest_config
from slipway_runtime.agents.direct_tools import DirectTools
from slipway_runtime.agents.extractive_agent import ExtractiveAgent
from slipway_runtime.agents.factory import AgentDependencies
from slipway_runtime.events import Done
from slipway_runtime.host.app import create_host_app
from slipway_runtime.host.interventions import Giving, give
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import HEADER, Caller
from slipway_runtime.knowledge.access import reader_groups, reading_for
from slipway_runtime.protocols.headers import RUN_HEADER
from slipway_runtime.run import Run
from tests.support.asking import ask_json, chat_answer
from tests.support.knowledge import Knowledge, contents, entry
from tests.support.resolving import index
from tests.support.scripts import AGENT, SIGNER, StartHost, answer, ask, hosted
from tests.support.serving import served
from tests.support.waiting import until

RUNS = f"/agents/{AGENT}/runs"
QUESTION = "What is the salary of a grade seven engineer?"
SECRET = "---\naccess: hr\n---\n# Salaries\n\nThe salary of a grade seven engineer is 70 ducats a month.\n"
CALLERS = [Caller.by_key("ann", groups=("hr",)), Caller.by_key("bob", groups=("staff",)), Caller.by_key("eve")]


def headers(caller: Caller, **more: str) -> dict[str, str]:
    return {HEADER: SIGNER.sign(caller, AGENT), **more}


async def client_of(host: Host, stack: AsyncExitStack) -> aiohttp.ClientSession:
    url = await stack.enter_async_context(served(create_host_app(host)))
    return await stack.enter_async_context(aiohttp.ClientSession(url))


async def says_groups(run: Run) -> Done:
    """Answers with the groups that documents are read for, before and after somebody lets it go on."""
    before = sorted(reader_groups())
    if run.request.question == "wait":
        await run.ask("go", "approval", answerers=("group:boss",))
    return Done(answer=f"{before} {sorted(reader_groups())}", finish="stop", sources=())


@pytest.mark.parametrize("caller", CALLERS, ids=lambda each: each.subject)
async def test_a_question_has_the_groups_of_its_identity(
    start_host: StartHost, stack: AsyncExitStack, caller: Caller
) -> None:
    http = await client_of(await start_host(hosted(says_groups)), stack)
    for claimed in ({}, {"groups": ["hr", "boss"]}):
        body = {**ask_json("Who?"), **claimed}
        with reading_for(("of-somebody-else",)):
            async with http.post(f"{RUNS}?watch=false", json=body, headers=headers(caller)) as response:
                _, said, _ = chat_answer(response.headers[RUN_HEADER], await response.read())
        assert said["answer"] == f"{list(caller.groups)} {list(caller.groups)}"


async def test_whoever_lets_a_run_go_on_does_not_read_for_its_caller(
    start_host: StartHost, stack: AsyncExitStack
) -> None:
    host = await start_host(hosted(says_groups))
    http = await client_of(host, stack)
    asked = ask("wait", caller="ann")
    sent = headers(CALLERS[0], **{RUN_HEADER: asked.run_id})
    async with http.post(f"{RUNS}?watch=false", json=ask_json("wait"), headers=sent) as response:
        assert response.status == 200
        await response.read()
    await until(lambda: host.runs.in_flight == 0, "nobody works on it")
    boss = Giving(asked.run_id, "go", caller="boss", groups=("boss",), approved=True, answer=None, request="1")
    with reading_for(("boss",)):
        await give(host.runs, host.database, host.runs.agents[AGENT], boss)
        done = (await answer(host, asked))[-1].event
    assert isinstance(done, Done)
    assert done.answer == "['hr'] ['hr']"


@pytest.mark.parametrize("caller", CALLERS, ids=lambda each: each.subject)
async def test_who_is_not_in_the_group_gets_no_answer_no_passage_and_no_document(
    start_host: StartHost, stack: AsyncExitStack, local: Knowledge, caller: Caller
) -> None:
    docs = {"name": "docs", "configMap": {"name": "docs"}, "access": {}}
    await local.ingestion(ingest_config(index(sources=[docs]))).run(contents(pay_md=SECRET))
    agent = hosted(None)
    config = agent.config.model_copy(update={"knowledge": (entry(),)})
    dependencies = AgentDependencies(database=local.database, embedder=local.embedder, vectors=lambda *_: local.vectors)
    extractive = ExtractiveAgent(config, retriever=local.retriever(), documents=dependencies.documents)
    host = await start_host(
        replace(agent, config=config, agent=extractive, tools=DirectTools(config, dependencies)),
        database=local.database,
    )
    http, may, path = await client_of(host, stack), "hr" in caller.groups, f"/agents/{AGENT}"
    async with http.post(f"{RUNS}?watch=false", json=ask_json(QUESTION), headers=headers(caller)) as response:
        _, said, _ = chat_answer(response.headers[RUN_HEADER], await response.read())
    assert ("70 ducats" in said["answer"], said["abstained"], bool(said["sources"])) == (may, not may, may)
    async with http.post(f"{path}/search", json={"query": QUESTION}, headers=headers(caller)) as response:
        assert ("70 ducats" in await response.text()) is may
    place = {"knowledge": "handbook", "source": "docs", "document": "pay.md"}
    async with http.post(f"{path}/document", json=place, headers=headers(caller)) as response:
        assert (response.status, "70 ducats" in await response.text()) == ((200, True) if may else (404, False))
