"""Steps of runs as the log has them, and what a later attempt may take from them.

A step's records are kept in the row of `events` that they were committed with. The log's order is the order of the
records, so a record is there only if everything queued before it is.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import orjson

from slipway_runtime.store.database import Row

StepState = Literal["started", "done", "failed", "discarded"]
INPUT_PREFIX = "input/"
"""What the keys of steps begin with that wait for an input. Nothing voids them."""


class StepRecord(NamedTuple):
    """What is known of a step at one place of the log."""

    key: str
    state: StepState
    never: bool = False
    """Whether the step must not be run a second time."""
    input: str | None = None
    """Digest of what the step was made from; None where nothing is compared."""
    value: Any = None
    """The result of a step that is done, the error of one that failed; JSON."""

    @property
    def finished(self) -> bool:
        """Whether the step has an outcome."""
        return self.state in ("done", "failed")

    @property
    def acted(self) -> bool:
        """Whether something was, or may have been, done that must not be done again."""
        return self.never and self.state in ("started", "done")


@dataclass(frozen=True)
class Replay:
    """What former attempts left to an attempt."""

    finished: Mapping[str, StepRecord] = field(default_factory=dict)
    """Steps that are done or failed, by key, in the order of the log."""
    void: tuple[str, ...] = ()
    """Steps that had begun and have no result that counts."""
    unknown: tuple[str, ...] = ()
    """Steps that must not be run again and whose outcome nobody knows. Such a run cannot go on."""
    asked: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The inputs that were asked for, as `input_required` events, by their id."""


def dump_records(records: Iterable[StepRecord]) -> str | None:
    """Records as the store has them; None without any."""
    dumped = [list(record) for record in records]
    return orjson.dumps(dumped).decode() if dumped else None


def replay(rows: Iterable[Row], *, fresh_from: int) -> Replay:
    """Read a run's log.

    Args:
        rows: `attempt`, `batch` and `steps` of each row, in the order of the log.
        fresh_from: the first attempt whose steps may be used. What was recorded before is another revision's.
    """
    begun: dict[str, None] = {}
    former: dict[str, StepRecord] = {}
    own: dict[str, StepRecord] = {}
    asked: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        for event in orjson.loads(str(row["batch"])):
            if event["type"] == "input_required":
                asked[event["id"]] = event
            elif step := event.get("step"):
                begun[step] = None
        records = own if int(row["attempt"] or 0) >= fresh_from else former
        for record in read_records(row):
            begun[record.key] = None
            records.pop(record.key, None)  # so that it comes last
            if record.state != "discarded":
                records[record.key] = record
    finished = {key: record for key, record in own.items() if record.finished}
    unknown = [key for key, record in former.items() if record.acted]
    unknown += [key for key, record in own.items() if record.never and not record.finished]
    void = tuple(key for key in begun if key not in finished and not key.startswith(INPUT_PREFIX))
    return Replay(finished, void, tuple(unknown), asked)


def read_records(row: Row) -> list[StepRecord]:
    """The records in a row of `events`."""
    steps = row["steps"]
    return [StepRecord(*record) for record in orjson.loads(str(steps))] if steps else []
