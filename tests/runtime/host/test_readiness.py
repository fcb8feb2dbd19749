"""Only a host that can answer takes a run over, and one of another revision only when the run's own is gone."""

import asyncio
from contextlib import aclosing
from pathlib import Path

import aiohttp
import pytest

from slipway_crds.runtimeconfig import KnowledgeConfig
from slipway_runtime.host import readiness, runs
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.lifecycle import Host
from slipway_runtime.identity import HEADER, Caller
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import Look, look
from slipway_runtime.store.opening import open_database
from slipway_runtime.store.orphans import ServedRevision, say_ready
from slipway_runtime.store.runs import begin
from tests.support.host_process import REAL, host_process
from tests.support.questions import ASK
from tests.support.scripts import AGENT, SIGNER, Scripted, StartHost, at_once, hosted
from tests.support.waiting import until, until_async

RUN = f"/agents/{AGENT}/runs/{ASK.run_id}"
CALLER = "alice"


@pytest.fixture(autouse=True)
def always_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "KEEP_SECONDS", 0.0)
    monkeypatch.setattr(runs, "POLL_SECONDS", 0.01)


async def orphan(database: Database, agent: HostedAgent) -> None:
    """A run of the agent's revision, whose host is gone."""
    question = {**ASK.__dict__, "agent": agent.key, "revision": agent.revision, "timeout": 300.0}
    await begin(database, type(ASK)(**question), owner="dead", lease=-1.0)


async def state(database: Database) -> Look:
    seen = await look(database, ASK.run_id, agent=AGENT, caller=CALLER, after=None)
    assert seen is not None
    return seen


async def adopt(host: Host) -> None:
    await host.runs.adopt_orphans(expired_for=0.0, limit=4)


async def finished(database: Database) -> None:
    async def done() -> bool:
        return (await state(database)).outcome == "done"

    await until_async(done, "the run is done")


def lacking(agent: HostedAgent, *sentences: str) -> Scripted:
    assert isinstance(agent.agent, Scripted)
    agent.agent.lacks = list(sentences)
    return agent.agent


async def test_a_host_that_is_not_ready_takes_over_nothing(start_host: StartHost, database: Database) -> None:
    agent = hosted(at_once)
    script = lacking(agent, "the index handbook was never built")
    await orphan(database, agent)
    host = await start_host(agent, alive=False)
    await adopt(host)
    async with aclosing(host.runs.follow(ASK.run_id, agent=AGENT, caller=CALLER)) as events:
        following = asyncio.ensure_future(anext(events))
        before = script.looked
        await until(lambda: script.looked > before + 3, "it would have taken the run over")
        assert ((await state(database)).attempt, host.runs.in_flight) == (1, 0)
        lacking(agent)
        assert (await following).event.type == "restarted"
    await finished(database)


async def test_a_run_is_left_to_its_own_revision(start_host: StartHost, database: Database) -> None:
    own, other = hosted(at_once), hosted(at_once, session_max_turns=4)
    assert own.revision != other.revision
    await orphan(database, own)
    await say_ready(database, [ServedRevision(AGENT, own.revision)])
    candidate = await start_host(other, alive=False)
    await adopt(candidate)
    assert (await state(database)).attempt == 1
    serving = await start_host(own, alive=False)
    await adopt(serving)
    await finished(database)
    assert (await state(database)).attempt == 2


async def test_a_run_whose_revision_is_gone_is_answered_by_another(start_host: StartHost, database: Database) -> None:
    await orphan(database, hosted(at_once))
    await adopt(await start_host(hosted(at_once, session_max_turns=4), alive=False))
    await finished(database)


async def test_a_host_says_that_its_revision_is_ready(start_host: StartHost, database: Database) -> None:
    agent = hosted(at_once)
    lacking(agent, "the index handbook was never built")
    host = await start_host(agent, alive=False)
    await adopt(host)
    assert await database.fetch("SELECT 1 AS one FROM ready_revisions") == []
    lacking(agent)
    await adopt(host)
    (row,) = await database.fetch("SELECT agent, revision FROM ready_revisions")
    assert (row["agent"], row["revision"]) == (AGENT, agent.revision)
    host.drain()
    await database.execute("DELETE FROM ready_revisions")
    await adopt(host)
    assert await database.fetch("SELECT 1 AS one FROM ready_revisions") == []


async def test_a_host_process_without_an_index_leaves_a_run_to_one_that_has_it(
    tmp_path: Path, postgres_dsn: str, chroma_url: str
) -> None:
    config = hosted(None).config.model_copy(
        update={"knowledge": (KnowledgeConfig(name="k", index="never-built", top_k=3, min_score=0.3),)}
    )
    database = await open_database(postgres_dsn)
    await orphan(database, HostedAgent(config, Scripted(at_once)))
    without = host_process(
        tmp_path,
        postgres_dsn,
        name="without",
        command=REAL,
        agents=[config],
        up="/livez",
        SLIPWAY_CHROMA_URL=chroma_url,
    )
    with without as unready:
        async with aiohttp.ClientSession(unready.url) as session, session.get(RUN, headers=headers()) as waiting:
            assert waiting.status == 200
            with host_process(tmp_path, postgres_dsn, name="ready", agents=[config]) as ready:
                async with aiohttp.ClientSession(ready.url) as other, other.get(RUN, headers=headers()) as response:
                    at_ready = await response.text()
            assert "event: done" in at_ready
            assert await waiting.text() == at_ready
    await database.close()


def headers() -> dict[str, str]:
    return {HEADER: SIGNER.sign(Caller.by_key(CALLER), AGENT), "accept": "text/event-stream"}
