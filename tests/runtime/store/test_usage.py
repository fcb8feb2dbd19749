"""What models were used for can be read with SQL, whatever became of the run."""

from dataclasses import replace

import pytest

from slipway_runtime.events import Cancelled, Delta, Done, Event, Failed, ModelUsage, Usage
from slipway_runtime.store.database import Database
from slipway_runtime.store.runs import append, begin, cancel
from tests.support.questions import ASK

USED = Usage(
    models=(
        ModelUsage(model="openai:large", requests=1, input_tokens=10, output_tokens=2, cost="0.10"),
        ModelUsage(model="openai:small", requests=1, input_tokens=5, output_tokens=1),
    )
)


@pytest.mark.parametrize(
    "last",
    [Done(answer="x", finish="stop", sources=()), Failed(reason="InternalError", message="x")],
    ids=["done", "failed"],
)
async def test_usage_is_summed_by_model_of_runs_with_any_outcome(database: Database, last: Event) -> None:
    work = await begin(database, ASK, owner="one", lease=60)
    await append(database, work.lease, 1, [Delta(text="x"), USED])
    await append(database, work.lease, 1, [Delta(text="x"), USED])  # repeated, since its outcome was unknown
    await append(database, work.lease, 3, [USED, last])
    rows = await database.fetch("SELECT * FROM usage ORDER BY model")
    assert [(row["model"], row["requests"], row["input_tokens"], row["output_tokens"]) for row in rows] == [
        ("openai:large", 2, 20, 4),
        ("openai:small", 2, 10, 2),
    ]
    assert float(rows[0]["cost"] or 0) == pytest.approx(0.2)
    assert rows[1]["cost"] is None
    assert {(row["run_id"], row["agent"], row["caller"], row["outcome"]) for row in rows} == {
        (ASK.run_id, ASK.agent, ASK.caller, last.type)
    }


async def test_what_a_member_used_is_no_usage_of_the_orchestrators_run(database: Database) -> None:
    work = await begin(database, ASK, owner="one", lease=60)
    await append(database, work.lease, 1, [USED.model_copy(update={"of": "demo/hr"})])
    assert await database.fetch("SELECT * FROM usage") == []
    last = Done(answer="x", finish="stop", sources=())
    await append(database, work.lease, 2, [USED.model_copy(update={"of": "demo/hr"}), USED, last])
    rows = await database.fetch("SELECT model, requests FROM usage ORDER BY model")
    assert [(row["model"], row["requests"]) for row in rows] == [("openai:large", 1), ("openai:small", 1)]


async def test_usage_of_a_cancelled_run_stays(database: Database) -> None:
    work = await begin(database, ASK, owner="one", lease=60)
    await append(database, work.lease, 1, [USED])
    assert await cancel(
        database, ASK.run_id, Cancelled(reason="Cancelled", message="x"), agent=ASK.agent, caller=ASK.caller
    )
    rows = await database.fetch("SELECT outcome FROM usage")
    assert [row["outcome"] for row in rows] == ["cancelled", "cancelled"]


async def test_a_session_says_what_it_was_begun_with(database: Database) -> None:
    ask = ASK.ask.model_copy(update={"metadata": {"channel": "mail"}})
    await begin(database, replace(ASK, ask=ask, architecture="hybrid"), owner="one", lease=60)
    (row,) = await database.fetch("SELECT session_id, agent_type, metadata, created_at, agent FROM agent_sessions")
    assert float(row["created_at"] or 0) > 1e9
    assert {name: row[name] for name in ("session_id", "agent_type", "metadata", "agent")} == {
        "session_id": ASK.session_id, "agent_type": "hybrid", "metadata": '{"channel":"mail"}', "agent": ASK.agent,
    }  # fmt: skip
