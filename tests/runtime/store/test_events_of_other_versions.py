"""What another version stored is read, and comes back as it was written."""

import orjson
import pytest

from slipway_runtime.events import Cancelled, Done, Event, Failed, ends
from slipway_runtime.protocols import sse
from slipway_runtime.protocols.transcript import Transcript
from slipway_runtime.store.database import Database
from slipway_runtime.store.looks import Look, look
from slipway_runtime.store.runs import begin
from tests.support.golden_events import FORMER, NEWER, with_run, written
from tests.support.questions import ASK

STREAMS = {**FORMER, "newer": NEWER}
ENDS: dict[str, type[Event]] = {
    "answered": Done,
    "abstained": Done,
    "asked": Done,
    "decided": Done,
    "restarted": Done,
    "newer": Done,
    "failed": Failed,
    "cancelled": Cancelled,
}


async def stored(database: Database, name: str) -> Look:
    """A run whose events another version wrote, one row for each."""
    await begin(database, ASK, owner="h", lease=30.0)
    for number, (attempt, event) in enumerate(written(STREAMS[name]), start=1):
        await database.execute(
            "INSERT INTO events (run_id, attempt, number, first_seq, last_seq, batch, steps, finished) "
            "VALUES ($1, $2, $3, $4, $4, $5, NULL, 0)",
            ASK.run_id,
            attempt,
            number,
            _seq(name, number),
            orjson.dumps([event]).decode(),
        )
    found = await look(database, ASK.run_id, agent=ASK.agent, caller=ASK.caller, after=None)
    assert found is not None
    return found


def _seq(name: str, number: int) -> int:
    return [int(place.split(".")[2]) for place, _, _ in sse.read_numbered(STREAMS[name])][number - 1]


@pytest.mark.parametrize("name", STREAMS)
async def test_events_come_back_as_they_were_written(database: Database, name: str) -> None:
    found = await stored(database, name)
    assert [(event.id.attempt, event.json) for event in found.events] == written(STREAMS[name])
    frames = b"".join(sse.frame(event) for event in found.events)
    assert list(sse.read_numbered(frames)) == list(sse.read_numbered(with_run(STREAMS[name], ASK.run_id)))


@pytest.mark.parametrize("name", STREAMS)
async def test_they_are_understood_as_far_as_they_are_known(database: Database, name: str) -> None:
    found = await stored(database, name)
    transcript = Transcript()
    for event in found.events:
        transcript.add(event.event)
    last = found.events[-1].event
    assert isinstance(last, ENDS[name.partition(" ")[0]])
    assert [ends(event.event) for event in found.events].count(True) == 1
    if isinstance(last, Done):
        assert transcript.text == last.answer, "text that became void is not counted"
        assert last.abstained is name.startswith("abstained")
