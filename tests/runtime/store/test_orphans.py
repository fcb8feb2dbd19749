"""Whose a run is whose host died: its own revision's, and another one's only when its own is gone."""

from dataclasses import replace

import pytest

from slipway_runtime.store.database import Database
from slipway_runtime.store.leases import take_over
from slipway_runtime.store.orphans import (
    KEPT_SECONDS,
    READY_SECONDS,
    ServedRevision,
    forget_revisions,
    orphans,
    say_ready,
)
from slipway_runtime.store.runs import begin
from tests.support.questions import ASK

OLD, NEW = ServedRevision(ASK.agent, "old"), ServedRevision(ASK.agent, "new")


async def orphan(database: Database, number: int, revision: str) -> str:
    """A run of a revision, whose host is gone."""
    question = replace(ASK, run_id=f"{number:032x}", session_id=f"s{number}", revision=revision)
    await begin(database, question, owner="dead", lease=-1.0)
    return question.run_id


async def found(database: Database, *served: ServedRevision) -> list[str]:
    return [each.run_id for each in await orphans(database, served, expired_for=0.0, limit=10)]


async def last_ready(database: Database, served: ServedRevision, seconds_ago: float) -> None:
    await say_ready(database, [served])
    await database.execute(
        "UPDATE ready_revisions SET seen = seen - $1 WHERE revision = $2", seconds_ago, served.revision
    )


async def heir(database: Database, run: str, revision: str, *, owner: str = "heir") -> bool:
    work = await take_over(database, run, attempt=1, owner=owner, lease=5.0, revision=revision)
    return work is not None


async def test_own_runs_come_first_and_then_the_oldest(database: Database) -> None:
    runs = [await orphan(database, number, revision) for number, revision in enumerate(["old", "new", "old", "new"])]
    assert await found(database, NEW) == [runs[1], runs[3], runs[0], runs[2]]
    assert await found(database, OLD, ServedRevision("demo/other", "new")) == [runs[0], runs[2], runs[1], runs[3]]


async def test_a_run_is_left_to_its_own_revision_while_that_is_ready(database: Database) -> None:
    run = await orphan(database, 1, "old")
    await say_ready(database, [OLD, NEW])
    assert await found(database, NEW) == []
    assert not await heir(database, run, "new")
    assert await found(database, OLD) == [run]
    assert await heir(database, run, "old")


async def test_a_run_of_a_revision_that_is_gone_is_taken_over_and_changes_hands(database: Database) -> None:
    run = await orphan(database, 1, "old")
    await last_ready(database, OLD, READY_SECONDS - 5)
    assert await found(database, NEW) == []
    await last_ready(database, OLD, READY_SECONDS + 1)
    assert await found(database, NEW) == [run]
    assert await heir(database, run, "new")
    (row,) = await database.fetch("SELECT revision FROM runs WHERE id = $1", run)
    assert row["revision"] == "new"


async def test_that_another_agent_is_ready_in_that_revision_says_nothing(database: Database) -> None:
    run = await orphan(database, 1, "old")
    await say_ready(database, [ServedRevision("demo/other", "old")])
    assert await found(database, NEW) == [run]


@pytest.mark.parametrize("owner", ["dead", "heir"])
async def test_a_host_may_take_up_what_it_lost_track_of_itself(database: Database, owner: str) -> None:
    run = await orphan(database, 1, "old")
    await say_ready(database, [OLD])
    assert await heir(database, run, "new", owner=owner) is (owner == "dead")


async def test_revisions_that_are_long_gone_are_forgotten(database: Database) -> None:
    await last_ready(database, OLD, KEPT_SECONDS + 1)
    await say_ready(database, [NEW, NEW])
    await forget_revisions(database)
    assert [row["revision"] for row in await database.fetch("SELECT revision FROM ready_revisions")] == ["new"]
