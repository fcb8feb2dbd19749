"""Whom to tell of a run: one sender at a time, and each change at least once."""

import asyncio

import pytest

from slipway_runtime.events import Done
from slipway_runtime.store import receivers
from slipway_runtime.store.database import Database
from slipway_runtime.store.leases import Work
from slipway_runtime.store.runs import append, begin
from tests.support.questions import ASK

AGENT, CALLER = ASK.agent, ASK.caller

CONFIG = {"url": "https://example.org/hook"}
"""Of a receiver."""


async def begun(database: Database) -> Work:
    return await begin(database, ASK, owner="h", lease=5.0)


async def test_a_change_is_given_to_one_of_many_senders(database: Database) -> None:
    work = await begun(database)
    run = work.lease.run_id
    assert await receivers.put(database, run, "one", CONFIG, agent=AGENT, caller=CALLER)
    assert not await receivers.claim(database, agent=AGENT), "nothing has changed"
    await append(database, work.lease, 1, [Done(answer="yes", finish="stop", sources=())])
    claims = await asyncio.gather(*(receivers.claim(database, agent=AGENT) for _ in range(8)))
    ((due,),) = [each for each in claims if each]
    assert (due.config, due.record.state, due.failures) == (CONFIG, "done", 0)
    assert await receivers.settle(database, run, "one", agent=AGENT, changed=due.changed, again_in=0.0)
    (again,) = await receivers.claim(database, agent=AGENT)
    assert again.failures == 1
    assert await receivers.settle(database, run, "one", agent=AGENT, changed=due.changed, again_in=None)
    assert not await receivers.claim(database, agent=AGENT)


async def test_only_the_caller_has_receivers_and_not_too_many(database: Database) -> None:
    run = (await begun(database)).lease.run_id
    for number in range(receivers.MOST):
        assert await receivers.put(database, run, f"r{number}", CONFIG, agent=AGENT, caller=CALLER)
    assert not await receivers.put(database, run, "more", CONFIG, agent=AGENT, caller=CALLER)
    assert await receivers.put(database, run, "r0", {"url": "x"}, agent=AGENT, caller=CALLER), "replaced"
    assert not await receivers.put(database, run, "r0", CONFIG, agent=AGENT, caller="mallory")
    assert not await receivers.list_all(database, run, agent=AGENT, caller="mallory")
    await receivers.remove(database, run, "r0", agent=AGENT, caller="mallory")
    assert (await receivers.list_all(database, run, agent=AGENT, caller=CALLER))[0] == {"url": "x"}
    await receivers.remove(database, run, "r0", agent=AGENT, caller=CALLER)
    assert len(await receivers.list_all(database, run, agent=AGENT, caller=CALLER)) == receivers.MOST - 1


async def test_a_change_that_is_old_is_given_up(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receivers, "GIVE_UP_SECONDS", -1.0)
    work = await begun(database)
    await receivers.put(database, work.lease.run_id, "one", CONFIG, agent=AGENT, caller=CALLER)
    await append(database, work.lease, 1, [Done(answer="yes", finish="stop", sources=())])
    (due,) = await receivers.claim(database, agent=AGENT)
    run = work.lease.run_id
    assert not await receivers.settle(database, run, "one", agent=AGENT, changed=due.changed, again_in=0.0)
    assert not await receivers.claim(database, agent=AGENT)
