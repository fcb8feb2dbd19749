"""Postgres is unavailable for a while: questions are refused with a reason, runs go on, and all recovers."""

import asyncio
from collections.abc import Iterator

import pytest

from slipway_runtime.host import lease
from slipway_runtime.host.lease import Heartbeat
from slipway_runtime.problems import Problem, Reason
from slipway_runtime.store.database import StoreUnavailable
from slipway_runtime.store.leases import Lease
from slipway_runtime.store.opening import open_database
from tests.support.postgres import RestartablePostgres
from tests.support.scripts import AGENT, Gated, StartHost, ask, gather, hosted, types
from tests.support.waiting import until, until_async


@pytest.fixture
def server() -> Iterator[RestartablePostgres]:
    with RestartablePostgres() as server:
        yield server


@pytest.fixture
def dsn(server: RestartablePostgres) -> str:
    return server.dsn


async def test_runs_outlast_a_store_that_is_away(server: RestartablePostgres, start_host: StartHost) -> None:
    script = Gated()
    agent = hosted(script)
    host, other = await start_host(agent), await start_host(agent)
    asked = ask()
    await host.runs.begin(agent, asked)
    following = [
        asyncio.create_task(gather(one.runs.follow(asked.run_id, agent=AGENT, caller="alice"))) for one in (host, other)
    ]
    await script.waiting.wait()
    server.stop()
    script.gate.set()
    with pytest.raises(Problem) as refused:
        await host.runs.begin(agent, ask())
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert refused.value.retry_after
    with pytest.raises(Problem) as refused:
        await host.runs.events(asked.run_id, agent=AGENT, caller="alice")
    assert refused.value.reason is Reason.STORE_UNAVAILABLE
    assert "Postgres" in " ".join(await host.readiness.missing())
    assert not any(task.done() for task in following), "nobody saw an event that is not stored"
    server.start()

    async def ready() -> bool:
        return not await host.readiness.missing()

    await until_async(ready, "it is ready again")
    here, there = await asyncio.gather(*following)
    assert types(here) == ["started", "retrieved", "delta", "delta", "usage", "done"]
    assert here == there
    again = ask()
    await host.runs.begin(agent, again)
    assert types(await gather(host.runs.follow(again.run_id, agent=AGENT, caller="alice")))[-1] == "done"
    await until(lambda: host.runs.in_flight == 0, "no slot is lost")


async def test_after_an_outage_nothing_is_taken_over_until_others_could_renew(
    server: RestartablePostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = await open_database(server.dsn)
    heartbeat = Heartbeat(database, lambda: [Lease("a" * 32, 1, "host")])
    await heartbeat.beat()
    assert heartbeat.may_take_over()
    server.stop()
    with pytest.raises(StoreUnavailable):
        await heartbeat.beat()
    heartbeat.disturbed(StoreUnavailable())
    server.start()
    await heartbeat.beat()
    assert not heartbeat.may_take_over(), "the others may not have had the time to renew"
    monkeypatch.setattr(lease, "CALM_SECONDS", 0.0)
    assert heartbeat.may_take_over()
    await database.close()
