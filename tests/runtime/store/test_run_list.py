"""The list of a caller's runs: whose, in which state, of which session, and page by page."""

from dataclasses import replace

import pytest

from slipway_runtime.events import Cancelled, Done, Failed, InputRequired
from slipway_runtime.store import run_list
from slipway_runtime.store.database import Database
from slipway_runtime.store.run_list import Place, RunSummary, list_runs
from slipway_runtime.store.runs import append, begin
from tests.support.questions import ASK

ENDS = {
    "running": None,
    "waiting": InputRequired(id="a", kind="form", answerers=("caller",), expires=4e9),
    "done": Done(answer="So.", finish="stop", sources=()),
    "failed": Failed(reason="X", message="y"),
    "cancelled": Cancelled(reason="X", message="y"),
}


@pytest.fixture
async def runs(database: Database) -> list[str]:
    """One run of each state, each in a session of its own, and two of others."""
    for number, end in enumerate(ENDS.values()):
        ask = replace(ASK, run_id=f"{number:032x}", session_id=f"s{number}")
        work = await begin(database, ask, owner="h", lease=5.0)
        if end is not None:
            await append(database, work.lease, 1, [end])
    await begin(database, replace(ASK, run_id="a" * 32, session_id="b1", caller="bob"), owner="h", lease=5.0)
    await begin(database, replace(ASK, run_id="b" * 32, session_id="b2", agent="demo/other"), owner="h", lease=5.0)
    return [f"{number:032x}" for number in range(len(ENDS))]


async def listed(database: Database, **chosen: object) -> list[RunSummary]:
    return await list_runs(database, agent=ASK.agent, caller="alice", **chosen)  # type: ignore[arg-type]


async def test_a_caller_sees_own_runs_newest_first(database: Database, runs: list[str]) -> None:
    found = await listed(database)
    assert [run.run_id for run in found] == runs[::-1]
    assert [run.state for run in found] == list(ENDS)[::-1]
    assert [run.waits_until for run in found] == [None, None, None, 4e9, None]


@pytest.mark.parametrize("state", ENDS)
async def test_of_one_state_or_one_session(database: Database, runs: list[str], state: str) -> None:
    number = list(ENDS).index(state)
    assert [run.run_id for run in await listed(database, state=state)] == [runs[number]]
    assert [run.run_id for run in await listed(database, session_id=f"s{number}")] == [runs[number]]
    assert [run.run_id for run in await listed(database, session_id=f"s{number}", state=state)] == [runs[number]]
    assert await listed(database, session_id="s9", state=state) == []


async def test_pages_have_every_run_once(database: Database, runs: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    await database.execute("UPDATE runs SET created = 1764420000.1234567 WHERE id < $1", runs[3])
    monkeypatch.setattr(run_list, "PAGE_SIZE", 2)
    seen: list[str] = []
    after: Place | None = None
    while page := await listed(database, after=after):
        seen += [run.run_id for run in page[:2]]
        after = Place.parse(str(page[:2][-1].place))
    assert sorted(seen) == runs
