"""Runs as records, on both engines: in the order of their last change, page by page, and with what was said."""

from dataclasses import replace

from slipway_runtime.events import Cancelled, Done, InputRequired
from slipway_runtime.store.database import Database
from slipway_runtime.store.inputs import InputAnswer, give
from slipway_runtime.store.records import RecordFilter, count_records, list_records, read_record
from slipway_runtime.store.runs import append, begin, cancel
from tests.support.questions import ASK

WANTED = RecordFilter(agent=ASK.agent, caller=ASK.caller)
ASKED = InputRequired(id="a", kind="form", answerers=("caller",), expires=4e9)


async def begun(database: Database, letter: str) -> str:
    """A run that waits, in a session of its own."""
    question = replace(ASK, run_id=letter * 32, session_id=f"s-{letter}")
    work = await begin(database, question, owner="h", lease=5.0)
    await append(database, work.lease, 1, [ASKED])
    return question.run_id


async def test_what_changed_last_comes_first(database: Database) -> None:
    first, second, third = [await begun(database, letter) for letter in "abc"]
    await cancel(database, first, Cancelled(reason="X", message="y"), agent=ASK.agent, caller=ASK.caller)
    page = await list_records(database, WANTED, limit=2)
    assert [each.run_id for each in page] == [first, third, second], "one more says that there is another page"
    rest = await list_records(database, WANTED, after=page[1].place, limit=2)
    assert [each.run_id for each in rest] == [second]
    assert await count_records(database, WANTED) == 3
    waiting = replace(WANTED, state="waiting", session_id="s-b", since=page[2].changed - 1)
    assert [each.run_id for each in await list_records(database, waiting)] == [second]
    assert await count_records(database, replace(WANTED, since=page[0].changed)) == 0
    assert await list_records(database, replace(WANTED, caller="mallory")) == []


async def test_a_record_has_what_was_said_and_what_the_caller_answered(database: Database) -> None:
    run_id = await begun(database, "a")
    await give(database, run_id, "a", InputAnswer(approved=True, answer={"text": "blue"}, by=ASK.caller), request="r")
    record = await read_record(database, run_id, agent=ASK.agent, caller=ASK.caller)
    assert record is not None
    assert [each.event.type for each in record.events] == ["input_required", "input_given"]
    assert (record.state, record.answers) == ("running", {"a": {"text": "blue"}})
    assert record.changed > record.created
    assert await read_record(database, run_id, agent=ASK.agent, caller="mallory") is None
    assert await read_record(database, run_id, agent="demo/other", caller=ASK.caller) is None


async def test_a_run_that_ended_says_when(database: Database) -> None:
    work = await begin(database, replace(ASK, run_id="d" * 32, session_id="s-d"), owner="h", lease=5.0)
    await append(database, work.lease, 1, [Done(answer="So.", finish="stop", sources=())])
    record = await read_record(database, "d" * 32, agent=ASK.agent, caller=ASK.caller)
    assert record is not None
    assert record.state == "done"
    assert record.changed >= record.created
