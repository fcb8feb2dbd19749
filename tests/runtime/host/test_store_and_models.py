"""The store is gone, full or slow while a model answers: the answer comes whole, and no model is paid a second time."""

from collections.abc import Iterator

import pytest

from slipway_runtime.events import Done
from slipway_runtime.host.hosted import HostedAgent
from slipway_runtime.host.metrics import STORE_FAILURES
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.store.database import Database
from slipway_runtime.store.opening import open_database
from tests.support.knowledge import Knowledge
from tests.support.model_agents import close_all, thinker
from tests.support.model_server import Reply, model_server
from tests.support.models import agent_config, entry
from tests.support.postgres import RestartablePostgres
from tests.support.scripts import AGENT, StartHost, answer, ask, begin
from tests.support.waiting import until

WORDS = " ".join(f"word{number}" for number in range(30)) + "."
FULL = "RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full', HINT = 'Check free disk space.'"
SLOW = "PERFORM pg_sleep(0.2)"


@pytest.fixture
def server() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as server:
        yield server


@pytest.fixture
def dsn(server: RestartablePostgres) -> str:
    return server.dsn


async def events_do(database: Database, statement: str) -> None:
    """Let whoever writes an event meet this in the server."""
    await database.execute(
        f"CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {statement}; RETURN NEW; END $$"
    )
    await database.execute("CREATE TRIGGER trouble BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION trouble()")


@pytest.mark.parametrize(
    ("architecture", "trouble"),
    [
        ("pydantic-ai", "gone"),
        ("pydantic-ai", "full"),
        ("pydantic-ai", "slow"),
        ("langgraph", "gone"),
        ("hybrid", "gone"),
    ],
)
async def test_the_answer_comes_and_the_model_is_asked_once(
    server: RestartablePostgres, start_host: StartHost, local: Knowledge, architecture: str, trouble: str
) -> None:
    namespace, name = AGENT.split("/")
    outputs = [Reply(output={"answer": WORDS}, pause=0.1), Reply(output={"faults": []})]
    script = outputs if architecture == "hybrid" else [Reply(WORDS, pause=0.03)]
    with model_server(script) as provider:
        agent = thinker(local, provider, architecture=architecture)
        config = agent_config(entry(provider)).model_copy(update={"namespace": namespace, "name": name})
        host = await start_host(HostedAgent(config, agent))
        other, asked = await open_database(server.dsn), ask()
        failures = STORE_FAILURES._value.get()
        await begin(host, asked)
        await until(lambda: bool(provider.requests), "the model is asked")
        if trouble == "gone":
            server.stop()
        else:
            await events_do(other, FULL if trouble == "full" else SLOW)
        if trouble != "slow":
            await until(lambda: STORE_FAILURES._value.get() > failures, "the host sees it")
        if trouble == "gone":
            server.start()
        elif trouble == "full":
            await other.execute("DROP TRIGGER trouble ON events")
        events = await answer(host, asked)
        await other.close()
        await close_all()
    last = events[-1].event
    assert isinstance(last, Done)
    assert last.answer == WORDS
    transcript = Transcript()
    for each in events:
        transcript.add(each.event)
    assert transcript.text == WORDS
    assert transcript.usage
    paid = sum(used["requests"] for used in transcript.usage["models"])
    assert paid == len(provider.requests) == len(script)
