"""Runs of clients whose leaving cancels them, when the gateway is not there to do it."""

from dataclasses import replace

from slipway_runtime.events import Cancelled, Started
from slipway_runtime.host.new_run import NewRun
from slipway_runtime.host.recorder import RunLog
from slipway_runtime.store.database import Database
from slipway_runtime.store.followers import is_left, note_follower
from slipway_runtime.store.leases import Lease
from tests.runtime.host.test_waiting import Asking, waiting
from tests.support.scripts import AGENT, Gated, StartHost, answer, ask, begin, hosted
from tests.support.waiting import until

LONG = 3600


def tied(seconds: int = LONG) -> NewRun:
    """A question that is cancelled when nobody follows its run for so long."""
    asked = ask()
    return replace(asked, ask=asked.ask.model_copy(update={"unfollowed_seconds": seconds}))


async def test_a_run_that_nobody_follows_is_cancelled(start_host: StartHost) -> None:
    host = await start_host(hosted(Gated()))
    asked = tied(1)
    await begin(host, asked)
    await until(lambda: host.runs.in_flight == 0, "the run is cancelled")
    last = (await answer(host, asked))[-1].event
    assert isinstance(last, Cancelled)
    assert last.reason == "NobodyFollowed"


async def test_another_run_goes_on_without_anybody(start_host: StartHost, database: Database) -> None:
    script = Gated()
    host = await start_host(hosted(script))
    left, kept = tied(1), ask()
    await begin(host, kept)
    await begin(host, left)
    await until(lambda: host.runs.in_flight == 1, "one is cancelled")
    script.gate.set()
    assert (await answer(host, kept))[-1].event.type == "done"


async def test_a_follower_at_another_host_counts(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(Gated()))
    asked = tied()
    await begin(host, asked)
    assert await is_left(database, asked.run_id, seconds=60)
    await note_follower(database, asked.run_id)
    assert not await is_left(database, asked.run_id, seconds=60)
    assert await is_left(database, asked.run_id, seconds=-1)


async def test_a_follower_here_counts_until_it_leaves() -> None:
    run_log = RunLog(Lease("0" * 32, 1, "host"), finished=lambda: None)
    assert run_log.left_since is not None
    run_log.commit([Started(agent=AGENT)], [{"type": "started", "agent": AGENT}])
    following = run_log.follow(None, watch=False)
    await anext(following)
    seen = [run_log.left_since]
    await following.aclose()
    seen.append(run_log.left_since)
    assert [since is None for since in seen] == [True, False]


async def test_a_run_that_somebody_approved_is_not_left(start_host: StartHost, database: Database) -> None:
    host = await start_host(hosted(Asking()))
    asked = tied()
    await waiting(host, asked)
    assert not await is_left(database, asked.run_id, seconds=-1), "it waits"
    await database.execute("UPDATE runs SET wake_at = NULL WHERE id = $1", asked.run_id)
    assert not await is_left(database, asked.run_id, seconds=-1)
    await database.execute("UPDATE inputs SET kind = 'client_tools' WHERE run_id = $1", asked.run_id)
    assert await is_left(database, asked.run_id, seconds=-1)
